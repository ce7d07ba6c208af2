//! `cargo xtask bench [NAME] [--only NAME] [--rounds N] [--seed N] [--json FILE] [--list]`: two processes of ours and two
//! of the published crate do the same in turns, all built for speed; and what only we have, by itself.
//!
//! `--seed` says who begins each round, so that what the first leaves to the second falls on both.

mod bus;
mod frozen_peer;
mod head_of_line;
mod reconnect;
mod row;

use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser, ValueExt};

use crate::{
    Stop,
    peers::{
        programs::{Kind, Profile, Programs},
        stage::Stage,
    },
    report,
};
use row::Row;

/// One set of measurements.
struct Bench {
    name: &'static str,
    about: &'static str,
    /// The names of its rows.
    rows: fn() -> Vec<String>,
    run: Run,
}

/// What measures.
enum Run {
    /// Our nodes beside published ones.
    Peers(fn(&Lab<'_>) -> Vec<Row>),
    /// Something that the published crate does not have, in the workspace.
    Own(fn(&Path) -> Vec<Row>),
}

const BENCHES: &[Bench] = &[
    Bench {
        name: head_of_line::NAME,
        about: "a small call behind large casts to another actor of the same node",
        rows: head_of_line::rows,
        run: Run::Peers(head_of_line::run),
    },
    Bench {
        name: frozen_peer::NAME,
        about: "casts to a peer that does not answer any longer",
        rows: frozen_peer::rows,
        run: Run::Peers(frozen_peer::run),
    },
    Bench {
        name: reconnect::NAME,
        about: "a peer that was killed comes back",
        rows: reconnect::rows,
        run: Run::Peers(reconnect::run),
    },
    Bench {
        name: bus::NAME,
        about: "peers of one process on the bus",
        rows: bus::rows,
        run: Run::Own(bus::run),
    },
];

pub(crate) fn run(root: &Path, mut args: Parser) -> Result<(), Stop> {
    let mut options = Options::default();
    let (mut json, mut list) = (None::<PathBuf>, false);
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("only") => options.only = args.value()?.string()?,
            Arg::Long("rounds") => options.rounds = Some(args.value()?.parse()?),
            Arg::Long("seed") => options.seed = args.value()?.parse()?,
            Arg::Long("json") => json = Some(args.value()?.into()),
            Arg::Long("list") => list = true,
            Arg::Value(name) if options.bench.is_empty() => options.bench = name.string()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let benches: Vec<_> = BENCHES.iter().filter(|b| options.chooses(b)).collect();
    if benches.is_empty() {
        let names: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        let there = names.join(", ");
        return Err(Stop::Usage(format!(
            "nothing to measure; there are {there}"
        )));
    }
    if options.rounds == Some(0) {
        return Err(Stop::Usage("no round measures nothing".to_owned()));
    }
    let rows: Vec<_> = benches.iter().flat_map(|bench| (bench.rows)()).collect();
    if list {
        let rows = rows.iter().filter(|name| options.wants(name));
        rows.for_each(|name| println!("{name}"));
        return Ok(());
    }
    let needs_peers = |bench: &&Bench| matches!(bench.run, Run::Peers(_));
    let programs = match benches.iter().any(needs_peers) {
        true => Programs::nodes(root, Profile::Release).map(Some),
        false => Ok(None),
    };
    let programs = match programs {
        Ok(programs) => programs,
        Err(problem) => {
            if let Some(json) = json {
                let rows = rows.iter().filter(|name| options.wants(name));
                let rows: Vec<_> = rows.map(|name| row::not_run(name, &problem)).collect();
                report::write(&json, &rows)?;
            }
            return Err(problem.into());
        }
    };
    let lab = programs.as_ref().map(|programs| Lab {
        programs,
        options: &options,
    });
    let mut rows = Vec::new();
    for bench in benches {
        println!("\n{}: {}", bench.name, bench.about);
        let mut measured = match (&bench.run, &lab) {
            (Run::Peers(run), Some(lab)) => run(lab),
            // Without peers there is no bench that needs them.
            (Run::Peers(_), None) => Vec::new(),
            (Run::Own(run), _) => run(root),
        };
        measured.retain(|row| options.wants(&row.name));
        row::print(&measured);
        rows.append(&mut measured);
    }
    if let Some(json) = json {
        report::write(&json, &rows.iter().map(Row::report).collect::<Vec<_>>())?;
    }
    if rows.iter().any(|row| row.holds() == Some(false)) {
        return Err(Stop::Silent);
    }
    Ok(())
}

#[derive(Default)]
struct Options {
    /// The bench that runs, or all.
    bench: String,
    /// Part of the names of the rows.
    only: String,
    rounds: Option<usize>,
    seed: u64,
}

impl Options {
    fn chooses(&self, bench: &Bench) -> bool {
        (self.bench.is_empty() || self.bench == bench.name)
            && (bench.rows)().iter().any(|name| self.wants(name))
    }

    fn wants(&self, row: &str) -> bool {
        row.contains(&self.only)
    }
}

/// Where measurements are made.
struct Lab<'a> {
    programs: &'a Programs,
    options: &'a Options,
}

impl<'a> Lab<'a> {
    fn stage(&self) -> Stage<'a> {
        Stage::new(self.programs)
    }

    fn wants(&self, row: &str) -> bool {
        self.options.wants(row)
    }

    /// The rounds, so many unless told otherwise, each with the order in which the two are measured.
    fn rounds(&self, usual: usize) -> impl Iterator<Item = [Kind; 2]> + use<> {
        let (rounds, seed) = (self.options.rounds.unwrap_or(usual), self.options.seed);
        (0..rounds).map(move |round| {
            if mixed(seed.wrapping_add(round as u64)) {
                [Kind::Shiome, Kind::V0_16]
            } else {
                [Kind::V0_16, Kind::Shiome]
            }
        })
    }
}

/// A bit that hangs on all bits of `number` (the multiplier is that of splitmix64).
fn mixed(number: u64) -> bool {
    number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_begin_now_and_then() {
        let first = (0..100).filter(|number| mixed(*number)).count();
        assert!((30..=70).contains(&first), "{first} of 100");
    }

    #[test]
    fn rows_have_names_of_their_own() {
        let mut names: Vec<_> = BENCHES.iter().flat_map(|bench| (bench.rows)()).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
