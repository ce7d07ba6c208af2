//! `vectors DIR`: checks the vector files in DIR and prints what it found as one JSON object a line and file.
//!
//! `cargo xtask vectors` runs it and puts it into words. It is a program of its own so that xtask itself, which has
//! to build when a schema has just changed and the crates do not, depends on none of them.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

use std::{env, error::Error, path::Path, process::ExitCode};

use shiome_tests::vectors;

fn main() -> ExitCode {
    let Some(dir) = env::args_os().nth(1) else {
        eprintln!("usage: vectors DIR");
        return ExitCode::from(2);
    };
    match report(Path::new(&dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{}: {e}", Path::new(&dir).display());
            ExitCode::FAILURE
        }
    }
}

fn report(dir: &Path) -> Result<(), Box<dyn Error>> {
    for file in vectors::check_dir(dir)? {
        println!("{}", serde_json::to_string(&file)?);
    }
    Ok(())
}
