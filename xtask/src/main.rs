//! Tasks of the workspace: `cargo xtask <task>`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

mod bench;
mod cargo;
mod codegen;
mod demo;
mod fuzz;
mod hostile;
mod interop;
mod peers;
mod report;
mod sim;
mod test;
mod vectors;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use lexopt::{Arg, Parser};

/// A task and how to call it.
struct Task {
    name: &'static str,
    options: &'static str,
    about: &'static str,
    run: fn(&Path, Parser) -> Result<(), Stop>,
}

const TASKS: &[Task] = &[
    Task {
        name: "test",
        options: "[--only STEP] [--json FILE]",
        about: "every check of the workspace, as in CI",
        run: test::run,
    },
    Task {
        name: "codegen",
        options: "[--check]",
        about: "writes the Rust of proto/*.proto, or only compares it",
        run: codegen::run,
    },
    Task {
        name: "vectors",
        options: "[--check] [--dir DIR] [--json FILE]",
        about: "checks the recorded bytes in DIR (tests/vectors)",
        run: vectors::run,
    },
    Task {
        name: "fuzz",
        options: "[--only TARGET] [--seconds N] [--minimise] [--json FILE]",
        about: "runs the fuzz targets, 60 seconds each; needs nightly and cargo-fuzz",
        run: fuzz::run,
    },
    Task {
        name: "interop",
        options: "[--only NAME] [--rounds N] [--full] [--json FILE] [--list]",
        about: "makes our node meet published ones, in every direction",
        run: interop::run,
    },
    Task {
        name: "bench",
        options: "[NAME] [--quick] [--only NAME] [--rounds N] [--seed N] [--json FILE] [--list]",
        about: "measures our node and others, in turns",
        run: bench::run,
    },
    Task {
        name: "hostile",
        options: "[--only NAME] [--seed N] [--rounds N] [--json FILE] [--list] [--quick]",
        about: "attacks our node over loopback, while good peers go on",
        run: hostile::run,
    },
    Task {
        name: "sim",
        options: "[--full] [--only NAME] [--seed N] [--seeds K] [--json FILE] [--out DIR]",
        about: "compares membership engines on one simulated network",
        run: sim::run,
    },
    Task {
        name: "screenshots",
        options: "",
        about: "takes the pictures of the documentation anew; needs node and chromium",
        run: test::web::screenshots,
    },
    Task {
        name: "demo",
        options: "[ARG..]",
        about: "runs `shiome demo`",
        run: demo::run,
    },
];

/// Why a task did not succeed.
enum Stop {
    /// The call makes no sense: exit code 2.
    Usage(String),
    /// The task ran and what it looked at is not right, or it could not run: exit code 1.
    Failed(String),
    /// As `Failed`, with everything told already.
    Silent,
}

impl From<lexopt::Error> for Stop {
    fn from(e: lexopt::Error) -> Self {
        Self::Usage(e.to_string())
    }
}

impl From<String> for Stop {
    fn from(problem: String) -> Self {
        Self::Failed(problem)
    }
}

fn main() -> ExitCode {
    match dispatch(Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Usage(problem)) => {
            eprintln!("{problem}\n\n{}", usage());
            ExitCode::from(2)
        }
        Err(Stop::Failed(problem)) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
        Err(Stop::Silent) => ExitCode::FAILURE,
    }
}

fn dispatch(mut args: Parser) -> Result<(), Stop> {
    let name = match args.next()? {
        Some(Arg::Value(name)) => name,
        Some(Arg::Long("help") | Arg::Short('h')) => {
            println!("{}", usage());
            return Ok(());
        }
        Some(other) => return Err(other.unexpected().into()),
        None => return Err(Stop::Usage("no task given".to_owned())),
    };
    let task = TASKS
        .iter()
        .find(|task| name == task.name)
        .ok_or_else(|| Stop::Usage(format!("no task {}", name.display())))?;
    (task.run)(&root(), args)
}

fn usage() -> String {
    let calls = TASKS
        .iter()
        .map(|task| format!("{} {}", task.name, task.options));
    let width = calls.clone().map(|call| call.len()).max().unwrap_or(0);
    let lines = std::iter::zip(calls, TASKS)
        .map(|(call, task)| format!("\n  {call:width$}  {}", task.about));
    format!("usage: cargo xtask TASK{}", String::from_iter(lines))
}

/// The workspace root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace root")
        .to_path_buf()
}
