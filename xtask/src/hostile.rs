//! `cargo xtask hostile [--only NAME] [--seed N] [--rounds N] [--json FILE] [--list] [--quick]`: a node under attack over
//! loopback, while a well-behaved peer calls it and others join. The parties are processes of `tests/hostile`.
//!
//! Each attack has a victim and a good peer of its own, and what it costs is compared with what was right before.

mod attack;
mod party;
mod reading;
mod row;
mod scene;
pub(crate) mod vitals;

use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser, ValueExt};

use crate::{Stop, cargo, report};
use attack::Attack;
use reading::Reading;
use row::Verdict;
use scene::{Pace, Scene};

pub(crate) const GROUP: &str = "hostile";

/// Runs of each attack, of which the median counts.
const ROUNDS: usize = 3;

/// The package, and its program.
pub(crate) const PACKAGE: &str = "shiome-hostile";

pub(crate) fn run(root: &Path, mut args: Parser) -> Result<(), Stop> {
    let mut options = Options::default();
    let mut list = false;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("only") => options.only = args.value()?.string()?,
            Arg::Long("seed") => options.seed = args.value()?.parse()?,
            Arg::Long("rounds") => options.rounds = Some(args.value()?.parse()?),
            Arg::Long("json") => options.json = Some(args.value()?.into()),
            Arg::Long("list") => list = true,
            Arg::Long("quick") => options.quick = true,
            other => return Err(other.unexpected().into()),
        }
    }
    if options.rounds == Some(0) {
        return Err(Stop::Usage("no round measures nothing".to_owned()));
    }
    let program = match build(root) {
        Ok(program) => program,
        Err(problem) => {
            if let Some(json) = &options.json {
                report::write(json, &[row::not_run("all attacks", &problem)])?;
            }
            return Err(problem.into());
        }
    };
    let attacks = options.chosen(&program)?;
    if list {
        for attack in &attacks {
            println!("{:24} {}", attack.name, attack.about);
        }
        return Ok(());
    }
    Ok(run_with(root, &program, &attacks, &options)?)
}

/// Everything small, once, with a program that is built already.
///
/// # Errors
///
/// What to tell when a bound does not hold.
pub(crate) fn quick(root: &Path, program: &Path) -> Result<(), String> {
    let options = Options {
        quick: true,
        ..Options::default()
    };
    let attacks = attack::list(program)?;
    run_with(root, program, &attacks, &options)
}

/// What is asked for.
#[derive(Debug, Default)]
struct Options {
    /// Part of the names of attacks.
    only: String,
    seed: u64,
    rounds: Option<usize>,
    json: Option<PathBuf>,
    quick: bool,
}

impl Options {
    fn chosen(&self, program: &Path) -> Result<Vec<Attack>, Stop> {
        let mut attacks = attack::list(program)?;
        attacks.retain(|attack| attack.name.contains(&self.only));
        if attacks.is_empty() {
            return Err(Stop::Usage(format!("no attack {}", self.only)));
        }
        Ok(attacks)
    }

    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { ROUNDS })
    }

    fn pace(&self) -> Pace {
        if self.quick { Pace::QUICK } else { Pace::FULL }
    }
}

fn run_with(
    root: &Path,
    program: &Path,
    attacks: &[Attack],
    options: &Options,
) -> Result<(), String> {
    let dir = cargo::target_dir(root).join("hostile");
    party::run(program, &["certificates", "--dir", &dir.to_string_lossy()])?;
    let scene = Scene {
        program,
        dir: &dir,
        pace: options.pace(),
        seed: options.seed,
    };
    let mut readings: Vec<Vec<Result<Reading, String>>> = vec![Vec::new(); attacks.len()];
    for round in 0..options.rounds() {
        for (attack, readings) in std::iter::zip(attacks, &mut readings) {
            let reading = scene.measure(attack, round as u64);
            println!("{:24} {}", attack.name, row::told(&reading));
            readings.push(reading);
        }
    }
    let verdicts: Vec<_> = std::iter::zip(attacks, readings)
        .map(|(attack, readings)| Verdict::new(attack, readings, options.quick))
        .collect();
    row::print(&verdicts);
    if let Some(json) = &options.json {
        let rows: Vec<_> = verdicts.iter().flat_map(Verdict::rows).collect();
        report::write(json, &rows)?;
    }
    let failed: Vec<_> = verdicts
        .iter()
        .filter(|verdict| verdict.holds() == Some(false))
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = failed.iter().map(|verdict| verdict.name()).collect();
    Err(format!("not withstood: {}", names.join(", ")))
}

/// Builds the parties, for speed.
fn build(root: &Path) -> Result<PathBuf, String> {
    let mut build = cargo::cargo(root);
    build.args(["build", "--release", "--locked", "--package", PACKAGE]);
    cargo::succeed(&mut build)?;
    Ok(program_in(root, "release"))
}

/// Where cargo puts the program of that profile.
pub(crate) fn program_in(root: &Path, profile: &str) -> PathBuf {
    let name = format!("{PACKAGE}{}", std::env::consts::EXE_SUFFIX);
    cargo::target_dir(root).join(profile).join(name)
}
