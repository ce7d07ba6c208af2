//! A program as a user of `ractor_cluster` 0.16.5 would write it, which touches every public item of that crate.
//! It is built against the published crate and against shiome, and prints the same lines in both cases.
//!
//! `dropin [listen] [--peer PROGRAM]` listens and starts `PROGRAM dial` (by default itself) for the other end of each link:
//! `ractor`'s registries are process-global, so that two nodes need two processes.

mod actors;
mod cluster;
mod dialer;
mod phases;
mod report;
mod shapes;
mod streams;
mod tls;
mod values;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::dialer::Cue;
use crate::report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    let result = match role(std::env::args().skip(1)) {
        Ok(Role::Listen { peer }) => listen(peer).await,
        Ok(Role::Dial) => dial().await,
        Err(reason) => Err(reason),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("dropin: failed: {reason}");
            ExitCode::FAILURE
        }
    }
}

enum Role {
    Listen { peer: PathBuf },
    Dial,
}

fn role(mut arguments: impl Iterator<Item = String>) -> Result<Role, String> {
    let own = || std::env::current_exe().map_err(|error| error.to_string());
    let mut first = arguments.next();
    if first.as_deref() == Some("listen") {
        first = arguments.next();
    }
    let role = match (first.as_deref(), arguments.next()) {
        (None, _) => Role::Listen { peer: own()? },
        (Some("--peer"), Some(program)) => Role::Listen {
            peer: program.into(),
        },
        (Some("dial"), None) => Role::Dial,
        _ => return Err("usage: dropin [listen] [--peer PROGRAM]".into()),
    };
    Ok(role)
}

async fn listen(peer: PathBuf) -> Result<(), String> {
    let mut report = Report::printing();
    let result = check(&mut report, &peer).await;
    result.map_err(|reason| format!("{}: {reason}", report.place()))?;
    println!("dropin: {} checks ok", report.count());
    Ok(())
}

async fn check(report: &mut Report, peer: &Path) -> Result<(), String> {
    values::check(report)?;
    phases::listen(report, peer).await
}

/// Plays the other end of one phase; the cue comes over stdin and the report goes to stdout.
async fn dial() -> Result<(), String> {
    let mut cue = Cue::from_stdin().await?;
    let mut report = Report::kept();
    let result = phases::dial(&mut report, &mut cue).await;
    let result = result.map_err(|reason| format!("{}: {reason}", report.place()));
    cue.end(report, result)
}
