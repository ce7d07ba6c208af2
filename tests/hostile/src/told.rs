//! JSON lines on stdout, and commands on stdin.

use std::io::{Write, stdout};

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};

use crate::Problem;

/// Tells one thing.
pub(crate) fn tell(what: &impl Serialize) -> Result<(), Problem> {
    let mut line = serde_json::to_string(what)?;
    line.push('\n');
    let mut out = stdout().lock();
    out.write_all(line.as_bytes())?;
    Ok(out.flush()?)
}

/// What whoever started this process wants. The end of it is the end of the process.
pub(crate) fn commands() -> Lines<BufReader<Stdin>> {
    BufReader::new(stdin()).lines()
}
