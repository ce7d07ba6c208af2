//! `cargo xtask sim [--full] [--only NAME] [--seed N] [--seeds K] [--json FILE] [--out DIR]`: our membership engine and
//! published ones on one simulated network. The simulator is `tests/sim`, the program `tests/peers/sim`.

use std::{
    env,
    ffi::OsString,
    path::{self, Path, PathBuf},
};

use lexopt::{Arg, Parser};

use crate::{
    Stop, cargo,
    report::{self, Row},
};

pub(crate) fn run(root: &Path, mut args: Parser) -> Result<(), Stop> {
    let (mut json, mut out) = (None, root.join("target/sim"));
    let mut passed_on = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("full") => passed_on.push("--full".into()),
            Arg::Long(name @ ("only" | "seed" | "seeds")) => {
                passed_on.push(OsString::from(format!("--{name}")));
                passed_on.push(args.value()?);
            }
            Arg::Long("json") => json = Some(absolute(&args.value()?)?),
            Arg::Long("out") => out = absolute(&args.value()?)?,
            other => return Err(other.unexpected().into()),
        }
    }
    let program = match build(root) {
        Ok(program) => program,
        Err(problem) => {
            if let Some(json) = json {
                report::write(&json, &[not_run(&problem)])?;
            }
            return Err(problem.into());
        }
    };
    let mut sim = cargo::tool(root, program);
    sim.args(passed_on).arg("--out").arg(&out);
    if let Some(json) = json {
        sim.arg("--json").arg(json);
    }
    Ok(cargo::succeed(&mut sim)?)
}

/// The program runs elsewhere than this task.
fn absolute(path: &OsString) -> Result<PathBuf, String> {
    path::absolute(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Builds the program, for speed: it handles millions of datagrams a second.
fn build(root: &Path) -> Result<PathBuf, String> {
    let dir = cargo::target_dir(root).join("peers-sim");
    let mut build = cargo::cargo(root);
    build
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg("tests/peers/sim/Cargo.toml")
        .arg("--target-dir")
        .arg(&dir);
    cargo::succeed(&mut build)?;
    Ok(dir
        .join("release")
        .join(format!("sim{}", env::consts::EXE_SUFFIX)))
}

fn not_run(problem: &str) -> Row {
    Row {
        group: "sim".to_owned(),
        name: "all experiments".to_owned(),
        note: Some(format!("the simulator does not build: {problem}")),
        ..Row::default()
    }
}
