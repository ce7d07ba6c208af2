//! The parties of `cargo xtask hostile`, each a process: `victim`, `good`, `newcomer`, and `attack NAME`. They take
//! commands on stdin and tell JSON lines on stdout.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool")]

mod actor;
mod attack;
mod attacks;
mod certificates;
mod good;
mod links;
mod newcomer;
mod options;
mod told;
mod victim;

use std::{error::Error, process::ExitCode};

use options::Options;

/// What stops a party, for a person to read.
type Problem = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Problem> {
    let options = Options::parse(lexopt::Parser::from_env())?;
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Runtime::new()?;
    match options.party.as_str() {
        "list" => told::tell(&attacks::list()),
        "certificates" => certificates::issue(&options.dir),
        "victim" => runtime.block_on(victim::run(&options)),
        "good" => runtime.block_on(good::run(&options)),
        "newcomer" => runtime.block_on(newcomer::run(&options)),
        "attack" => runtime.block_on(attack::run(options)),
        other => Err(format!("no party {other}").into()),
    }
}
