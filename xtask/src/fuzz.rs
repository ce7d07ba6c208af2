//! `cargo xtask fuzz [--only TARGET] [--seconds N] [--minimise] [--json FILE]`: the targets in `tests/fuzz`.
//!
//! A target starts from what is kept in `corpus/TARGET`, which the tests replay, and from recorded frames or datagrams.
//! What it comes upon goes to `found/TARGET`, and what breaks it to `artifacts/TARGET`. With `--minimise` nothing is
//! looked for: of all that, the corpus becomes what is needed to reach as much code.

mod corpus;
mod libfuzzer;
mod report;
mod seeds;

use std::{
    fs,
    path::{Path, PathBuf},
};

use lexopt::{Arg, Parser, ValueExt};

use self::report::Fuzzed;
use crate::{Stop, cargo};

/// The fuzz package, from the workspace root.
const DIR: &str = "tests/fuzz";

/// How long a target runs unless it is told otherwise.
const SECONDS: u32 = 60;

pub(crate) fn run(root: &Path, args: Parser) -> Result<(), Stop> {
    let all = targets(root)?;
    let options = Options::read(args)?;
    let chosen: Vec<_> = all
        .iter()
        .filter(|target| options.only.as_ref().is_none_or(|only| only == *target))
        .collect();
    if chosen.is_empty() {
        return Err(Stop::Usage(format!(
            "no such target; there are {}",
            all.join(", ")
        )));
    }
    let can = can_fuzz(root);
    if options.minimise {
        can?;
        for target in chosen {
            corpus::minimise(root, target)?;
        }
        return Ok(());
    }
    let fuzzed: Vec<_> = chosen
        .into_iter()
        .map(|target| Fuzzed {
            target: target.clone(),
            outcome: can
                .clone()
                .and_then(|()| libfuzzer::run(root, target, options.seconds)),
        })
        .collect();
    report::print(&fuzzed);
    if let Some(json) = &options.json {
        let rows: Vec<_> = fuzzed.iter().flat_map(Fuzzed::rows).collect();
        crate::report::write(json, &rows)?;
    }
    can?;
    match fuzzed.iter().all(Fuzzed::holds) {
        true => Ok(()),
        false => Err(Stop::Silent),
    }
}

struct Options {
    only: Option<String>,
    seconds: u32,
    minimise: bool,
    json: Option<PathBuf>,
}

impl Options {
    fn read(mut args: Parser) -> Result<Self, Stop> {
        let mut options = Self {
            only: None,
            seconds: SECONDS,
            minimise: false,
            json: None,
        };
        while let Some(arg) = args.next()? {
            match arg {
                Arg::Long("only") => options.only = Some(args.value()?.string()?),
                Arg::Long("seconds") => options.seconds = args.value()?.parse()?,
                Arg::Long("minimise") => options.minimise = true,
                Arg::Long("json") => options.json = Some(args.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        if options.seconds == 0 {
            // The fuzzer would take it for no limit.
            return Err(Stop::Usage("no time finds nothing".to_owned()));
        }
        Ok(options)
    }
}

/// Names of the targets, one file each.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let files = files(&root.join(DIR).join("fuzz_targets"))?;
    let names = files.iter().filter_map(|path| path.file_stem());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

/// Paths of what is in a directory, nothing if there is none.
fn files(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let told = |e| format!("{}: {e}", dir.display());
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(dir).map_err(told)?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    paths.collect::<Result<_, _>>().map_err(told)
}

/// A cargo of the nightly toolchain, whatever toolchain this runs on.
fn nightly(root: &Path) -> std::process::Command {
    let mut cargo = cargo::tool(root, "cargo");
    cargo.env_remove("RUSTUP_TOOLCHAIN").arg("+nightly");
    cargo
}

fn can_fuzz(root: &Path) -> Result<(), String> {
    if !cargo::works(nightly(root).arg("--version")) {
        return Err("fuzz: needs a nightly toolchain: rustup toolchain install nightly".to_owned());
    }
    if !cargo::works(nightly(root).args(["fuzz", "--version"])) {
        return Err("fuzz: needs cargo-fuzz: cargo install --locked cargo-fuzz".to_owned());
    }
    Ok(())
}
