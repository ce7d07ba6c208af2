//! `cargo xtask demo [ARG..]`.

use std::path::Path;

use lexopt::Parser;

use crate::{Stop, cargo};

pub(crate) fn run(root: &Path, mut args: Parser) -> Result<(), Stop> {
    let mut command = cargo::cargo(root);
    command
        .args(["run", "--release", "--locked", "--package", "shiome-cli"])
        .args(["--", "demo"])
        .args(args.raw_args()?);
    Ok(cargo::succeed(&mut command)?)
}
