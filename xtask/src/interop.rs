//! `cargo xtask interop [--only NAME] [--rounds N] [--full] [--json FILE] [--list]`: our node and published ones, as
//! separate processes, make each other's acquaintance and do everything that the protocol has, dialling from either
//! side.
//!
//! The programs live in `tests/peers`. Where a published node misbehaves, the check demands that ours does not and says
//! in its note what the other one did. What published nodes are known to get wrong is done again with them and with
//! ours, and printed as one table; `--only E13` runs one fault of it, and `--full` takes the sizes with which they were
//! found.

mod checks;
mod dropin;
mod duo;
mod faults;
mod security;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use lexopt::{Arg, Parser, ValueExt};

use crate::{
    Stop,
    peers::programs::{Kind, Programs},
    report::{self, Row},
};
use checks::{Body, CHECKS, Check};
use duo::{Dialler, Duo, Lab, Verdict};
use security::Security;

const GROUP: &str = "interop";

/// Rounds of checks that depend on who is faster, a pair and direction.
const DEFAULT_ROUNDS: usize = 10;

pub(crate) fn run(root: &Path, mut args: Parser) -> Result<(), Stop> {
    let mut options = Options::default();
    let (mut json, mut list) = (None::<PathBuf>, false);
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("only") => options.only = args.value()?.string()?,
            Arg::Long("rounds") => options.sizes.rounds = Some(args.value()?.parse()?),
            Arg::Long("full") => options.sizes.full = true,
            Arg::Long("json") => json = Some(args.value()?.into()),
            Arg::Long("list") => list = true,
            other => return Err(other.unexpected().into()),
        }
    }
    if list {
        options.names().iter().for_each(|name| println!("{name}"));
        return Ok(());
    }
    if options.names().is_empty() {
        let problem = format!("no check's name contains {:?}", options.only);
        return Err(Stop::Usage(problem));
    }
    let programs = match Programs::build(root) {
        Ok(programs) => programs,
        Err(problem) => {
            if let Some(json) = json {
                report::write(&json, &options.not_run(&problem))?;
            }
            return Err(problem.into());
        }
    };
    let sheet = Sheet::default();
    thread::scope(|scope| {
        for peer in Kind::ALL {
            let (programs, options, sheet) = (&programs, &options, &sheet);
            scope.spawn(move || {
                for (security, dialler) in cells() {
                    cell(programs, options, sheet, (security, peer, dialler));
                }
            });
        }
    });
    for pair in dropin::PAIRS.iter().filter(|p| options.wants(&p.name())) {
        sheet.check(&pair.name(), || pair.run(&programs));
    }
    let faults = faults::run(root, programs, &|name| options.wants(name), options.sizes)?;
    sheet.conclude(&faults, json.as_deref())
}

#[derive(Default)]
struct Options {
    /// Part of the names of the checks that run, or the number of one fault.
    only: String,
    sizes: faults::Options,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        let number = self.only.strip_prefix('E').unwrap_or_default();
        if number.parse::<u8>().is_ok() {
            return name.starts_with(&format!("faults | {} |", self.only));
        }
        name.contains(&self.only)
    }

    /// The names of the checks that run.
    fn names(&self) -> Vec<String> {
        let cells = Kind::ALL
            .into_iter()
            .flat_map(|peer| cells().map(move |(security, dialler)| (security, peer, dialler)));
        let checks = cells.flat_map(|cell| CHECKS.iter().flat_map(move |c| c.names(cell)));
        let dropin = dropin::PAIRS.iter().map(dropin::Pair::name);
        checks
            .chain(dropin)
            .chain(faults::names())
            .filter(|name| self.wants(name))
            .collect()
    }

    /// The rows of the checks that cannot run.
    fn not_run(&self, problem: &str) -> Vec<Row> {
        let row = |name| Row {
            group: GROUP.to_owned(),
            name,
            note: Some(problem.to_owned()),
            ..Row::default()
        };
        self.names().into_iter().map(row).collect()
    }
}

impl Check {
    /// The full names under which this runs in a cell: none, one, or one for each direction.
    fn names(&self, (security, peer, dialler): Cell) -> Vec<String> {
        if !self.over.contains(&security) {
            return Vec::new();
        }
        let ways: &[&str] = match self.body {
            Body::EachWay(_) => &[": ours to peer", ": peer to ours"],
            Body::Pair(_) | Body::Fresh(_) => &[""],
        };
        ways.iter()
            .map(|way| {
                format!(
                    "{}{peer} | {dialler} | {}{way}",
                    security.prefix(),
                    self.name
                )
            })
            .collect()
    }
}

/// What checks have in common: how links are protected, who the peer is, and who dials.
type Cell = (Security, Kind, Dialler);

/// The cells of one peer.
fn cells() -> impl Iterator<Item = (Security, Dialler)> {
    let securities = Security::ALL.iter();
    securities
        .flat_map(|security| [Dialler::Ours, Dialler::Peer].map(|dialler| (*security, dialler)))
}

/// Runs all checks of a cell.
fn cell(programs: &Programs, options: &Options, sheet: &Sheet, cell: Cell) {
    let (security, peer, dialler) = cell;
    let rounds = options.sizes.rounds.unwrap_or(DEFAULT_ROUNDS);
    let lab = Lab::new(programs, security, peer, dialler, rounds);
    let mut shared = None;
    for check in CHECKS {
        let names = check.names(cell);
        for (name, from_ours) in names.iter().zip([true, false]) {
            if options.wants(name) {
                sheet.check(name, || {
                    let lab = lab.as_ref().map_err(String::clone)?;
                    without_panic(lab, check, &mut shared, from_ours)
                });
            }
        }
    }
}

/// Runs a check, which fails when a node of ours panics meanwhile.
fn without_panic(
    lab: &Lab<'_>,
    check: &Check,
    shared: &mut Option<Duo>,
    from_ours: bool,
) -> Verdict {
    let verdict = perform(lab, check, shared, from_ours);
    if verdict.is_err() {
        // What a failed check leaves behind is not known.
        *shared = None;
    }
    match (lab.panics().as_slice(), verdict) {
        ([], verdict) => verdict,
        (panics, Ok(_)) => Err(panics.join("; ")),
        (panics, Err(problem)) => Err(format!("{problem}; {}", panics.join("; "))),
    }
}

fn perform(lab: &Lab<'_>, check: &Check, shared: &mut Option<Duo>, from_ours: bool) -> Verdict {
    if let Body::Fresh(run) = check.body {
        return run(lab);
    }
    let duo = match shared {
        Some(duo) => duo,
        None => shared.insert(lab.duo()?),
    };
    duo.begin()?;
    match check.body {
        Body::Pair(run) => run(duo),
        Body::EachWay(run) => run(&mut duo.way(from_ours)),
        Body::Fresh(run) => run(lab),
    }
}

/// What the checks found.
#[derive(Default)]
struct Sheet {
    lines: Mutex<Vec<Line>>,
}

struct Line {
    name: String,
    verdict: Verdict,
    took: Duration,
}

impl Sheet {
    /// Runs a check and prints its line.
    fn check(&self, name: &str, run: impl FnOnce() -> Verdict) {
        let start = Instant::now();
        let line = Line {
            verdict: run(),
            name: name.to_owned(),
            took: start.elapsed(),
        };
        line.print();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }

    fn conclude(self, faults: &[faults::Row], json: Option<&Path>) -> Result<(), Stop> {
        let mut lines = self
            .lines
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        // Cells run side by side: the file should not depend on which was faster.
        lines.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(json) = json {
            let rows = lines.iter().map(Line::row);
            let rows: Vec<_> = rows.chain(faults.iter().map(faults::Row::report)).collect();
            report::write(json, &rows)?;
        }
        let missed = lines.iter().filter(|line| line.verdict.is_err());
        let faulty = faults.iter().filter(|row| !row.holds());
        let failed: Vec<_> = missed
            .map(|line| line.name.as_str())
            .chain(faulty.map(|row| row.name.as_str()))
            .collect();
        for name in &failed {
            println!("not passed: {name}");
        }
        println!(
            "{} passed, {} failed",
            lines.len() + faults.len() - failed.len(),
            failed.len()
        );
        if failed.is_empty() {
            Ok(())
        } else {
            Err(Stop::Silent)
        }
    }
}

impl Line {
    fn print(&self) {
        let (word, note) = match &self.verdict {
            Ok(note) => ("ok  ", note.as_deref().unwrap_or_default()),
            Err(problem) => ("FAIL", problem.as_str()),
        };
        let line = format!(
            "{word} {:78} {:6} ms  {note}",
            self.name,
            self.took.as_millis()
        );
        println!("{}", line.trim_end());
    }

    fn row(&self) -> Row {
        Row {
            group: GROUP.to_owned(),
            name: self.name.clone(),
            value: u64::try_from(self.took.as_millis())
                .unwrap_or(u64::MAX)
                .into(),
            unit: Some("ms".to_owned()),
            holds: Some(self.verdict.is_ok()),
            note: match &self.verdict {
                Ok(note) => note.clone(),
                Err(problem) => Some(problem.clone()),
            },
            ..Row::default()
        }
    }
}
