//! The `shiome` binary: run a node of a `ractor` cluster, or watch a cluster work.
//!
//! Results go to standard output; logs and errors go to standard error. What the exit codes mean says
//! [`error::EXIT_CODES`].

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::error::{Error, chain};

mod ask;
mod bench;
mod cert;
mod cookie;
mod decode;
mod demo;
mod docs;
mod error;
mod file;
mod log;
mod node;
#[cfg(unix)]
mod place;
#[cfg(not(unix))]
#[path = "place/nowhere.rs"]
mod place;
mod row;
mod signals;
mod token;

/// Joins ractor actor systems into one cluster.
#[derive(Debug, Parser)]
#[command(
    name = "shiome",
    version,
    propagate_version = true,
    after_help = error::EXIT_CODES
)]
struct Cli {
    /// What to log on standard error: a level, or a filter such as `warn,shiome_ractor=debug`.
    ///
    /// Default: the environment variable RUST_LOG; without it `info` for `node`, `off` for `demo` and `warn` for the others.
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Node(Box<node::Args>),
    Demo(demo::Args),
    Cert(cert::Args),
    Cookie(cookie::Args),
    Decode(decode::Args),
    #[command(flatten)]
    Ask(ask::Command),
    Bench(bench::Args),
    Completions(docs::CompletionsArgs),
    Man(docs::ManArgs),
    /// One node of the demo. Takes its orders on standard input.
    #[command(hide = true)]
    DemoNode,
    /// The other node of the bench. Runs until its standard input ends.
    #[command(hide = true)]
    BenchNode,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever closed standard error does not want to know.
            let _ = writeln!(io::stderr(), "error: {}", chain(&error));
            error.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Error> {
    let log = cli.log_filter();
    let filter = log::filter(&log)?;
    // A node may send spans elsewhere, too: it looks first what it is told.
    if !matches!(cli.command, Command::Node(_)) {
        let _ = tracing::subscriber::set_global_default(log::subscriber(filter));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let result = runtime.block_on(async {
        match cli.command {
            Command::Node(args) => node::run(*args, &log).await,
            Command::Demo(args) => demo::run(args, &log).await,
            Command::Cert(args) => cert::run(args),
            Command::Cookie(args) => cookie::run(args),
            Command::Decode(args) => decode::run(&args),
            Command::Ask(command) => ask::run(command).await,
            Command::Bench(args) => bench::run(args).await,
            Command::Completions(args) => docs::completions(&args),
            Command::Man(args) => docs::man(&args),
            Command::DemoNode => demo::run_child().await,
            Command::BenchNode => bench::run_child().await,
        }
    });
    // A read of standard input may still be under way, and cannot be called off.
    runtime.shutdown_background();
    result
}

impl Cli {
    fn log_filter(&self) -> String {
        let default = match self.command {
            Command::Node(_) => "info",
            Command::Cert(_)
            | Command::Cookie(_)
            | Command::Decode(_)
            | Command::Ask(_)
            | Command::Bench(_)
            | Command::Completions(_)
            | Command::Man(_) => "warn",
            Command::Demo(_) | Command::DemoNode | Command::BenchNode => "off",
        };
        let from_env = || std::env::var(EnvFilter::DEFAULT_ENV).ok();
        let filter = self.log.clone().or_else(from_env);
        filter.unwrap_or_else(|| default.to_owned())
    }
}

/// Prints a line for the user, or for the program that reads on. Fails when nobody reads any more.
fn print(line: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
