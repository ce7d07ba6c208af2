//! `cargo xtask fuzz [--only TARGET] [--seconds N]`: the targets in `tests/fuzz`, seeded with recorded frames or
//! datagrams.

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

use lexopt::{Arg, Parser, ValueExt};
use serde_json::Value;

use crate::{Stop, cargo};

/// The fuzz package, from the workspace root.
const DIR: &str = "tests/fuzz";

/// How long a target runs unless it is told otherwise.
const SECONDS: u32 = 60;

pub(crate) fn run(root: &Path, mut args: Parser) -> Result<(), Stop> {
    let (mut only, mut seconds) = (None, SECONDS);
    let all = targets(root)?;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("only") => only = Some(args.value()?.string()?),
            Arg::Long("seconds") => seconds = args.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let chosen: Vec<_> = all
        .iter()
        .filter(|target| only.as_ref().is_none_or(|only| only == *target))
        .collect();
    if chosen.is_empty() {
        return Err(Stop::Usage(format!(
            "no such target; there are {}",
            all.join(", ")
        )));
    }
    needs(root)?;
    for target in chosen {
        println!("\n== {target}: {seconds} s");
        fuzz(root, target, seconds)?;
    }
    Ok(())
}

/// Names of the targets, one file each.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let dir = root.join(DIR).join("fuzz_targets");
    let entries = fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut names: Vec<_> = entries
        .filter_map(|entry| {
            Some(
                entry
                    .ok()?
                    .path()
                    .file_stem()?
                    .to_string_lossy()
                    .into_owned(),
            )
        })
        .collect();
    names.sort();
    Ok(names)
}

/// A cargo of the nightly toolchain, whatever toolchain this runs on.
fn nightly(root: &Path) -> std::process::Command {
    let mut cargo = cargo::tool(root, "cargo");
    cargo.env_remove("RUSTUP_TOOLCHAIN").arg("+nightly");
    cargo
}

fn needs(root: &Path) -> Result<(), String> {
    if !cargo::works(nightly(root).arg("--version")) {
        return Err("fuzz: needs a nightly toolchain: rustup toolchain install nightly".to_owned());
    }
    if !cargo::works(nightly(root).args(["fuzz", "--version"])) {
        return Err("fuzz: needs cargo-fuzz: cargo install --locked cargo-fuzz".to_owned());
    }
    Ok(())
}

fn fuzz(root: &Path, target: &str, seconds: u32) -> Result<(), String> {
    // What the fuzzer finds goes into the first directory; the seeds are only read.
    let corpus = root.join(DIR).join("corpus").join(target);
    fs::create_dir_all(&corpus).map_err(|e| format!("{}: {e}", corpus.display()))?;
    let seeds = seeds(root, Input::of(target))?;
    let mut run = nightly(root);
    run.args(["fuzz", "run", "--fuzz-dir", DIR, target])
        .args([&corpus, &seeds])
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg("-timeout=10");
    cargo::succeed(&mut run)
}

/// What a target takes.
#[derive(Clone, Copy)]
enum Input {
    /// Streams of frames.
    Frames,
    /// Datagrams of gossip.
    Datagrams,
}

impl Input {
    /// Targets of gossip are named so.
    fn of(target: &str) -> Self {
        match target.starts_with("gossip") {
            true => Self::Datagrams,
            false => Self::Frames,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Datagrams => "datagrams",
        }
    }

    /// What an entry of a vector file recorded of this; `None` when it is something else.
    fn read(self, file: &str, entry: &Value) -> Result<Option<Recorded>, String> {
        let text = |key: &str| entry[key].as_str();
        let Some(name) = text("name") else {
            return Ok(None);
        };
        let mut seeds = vec![format!("{file}-{name}")];
        let hex = match self {
            Self::Frames => {
                // What went one way over one connection is a seed, too.
                let connection = name.split('/').next().unwrap_or(name);
                seeds.extend(text("direction").map(|way| format!("{file}-{connection}-{way}")));
                text("frame_hex")
            }
            // Other bytes in vectors are of no kind.
            Self::Datagrams => text("kind").and_then(|_| text("hex")),
        };
        let bytes = hex.map(hex::decode).transpose();
        let bytes = bytes.map_err(|e| format!("{name}: {e}"))?;
        Ok(bytes.map(|bytes| Recorded { bytes, seeds }))
    }
}

struct Recorded {
    bytes: Vec<u8>,
    /// Names of the seeds that the bytes are part of.
    seeds: Vec<String>,
}

/// Writes what was recorded of a target's input into a directory, a file each.
fn seeds(root: &Path, input: Input) -> Result<PathBuf, String> {
    let vectors = root.join("tests/vectors");
    let recorded = recorded(&vectors, input)?;
    if recorded.is_empty() {
        return Err(format!("{}: no {}", vectors.display(), input.name()));
    }
    let dir = root.join(DIR).join("seeds").join(input.name());
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for (name, bytes) in recorded {
        let path = dir.join(name.replace('/', "-"));
        fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(dir)
}

/// Bytes that went over the wire, by a name for them. What has the same name follows one another.
fn recorded(dir: &Path, input: Input) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut recorded = BTreeMap::<_, Vec<_>>::new();
    let files = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for file in files {
        let path = file.map_err(|e| e.to_string())?.path();
        let told = |e: &dyn Display| format!("{}: {e}", path.display());
        let text = fs::read(&path).map_err(|e| told(&e))?;
        let entries: Vec<Value> = serde_json::from_slice(&text).map_err(|e| told(&e))?;
        let file = path.file_stem().unwrap_or_default().to_string_lossy();
        for entry in &entries {
            if let Some(Recorded { bytes, seeds }) =
                input.read(&file, entry).map_err(|e| told(&e))?
            {
                for seed in seeds {
                    recorded.entry(seed).or_default().extend(&bytes);
                }
            }
        }
    }
    Ok(recorded)
}
