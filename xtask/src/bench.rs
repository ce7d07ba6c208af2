//! `cargo xtask bench [NAME] [--quick] [--only NAME] [--rounds N] [--seed N] [--json FILE] [--list]`: two processes of
//! ours and two of others do the same in turns, all built for speed; and what only we have, by itself.
//!
//! `--seed` says who begins each round, so that what the first leaves to the second falls on both. `--quick` makes one
//! short round, leaves out what has to wait long, and begins nothing new after [`QUICK_TIME`]. Whatever is asked for,
//! `target/bench` gets a report and charts of what was measured.

mod bus;
mod frozen_peer;
mod head_of_line;
mod reconnect;
mod row;
mod speed;
mod webrtc;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

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
    Bench {
        name: webrtc::NAME,
        about: "data channels between two buses, beside a bare loop on the same library",
        rows: webrtc::rows,
        run: Run::Own(webrtc::run),
    },
];

/// Benches that wait for what peers do after many seconds, for which a quick run has no time.
const SLOW: [&str; 2] = [frozen_peer::NAME, reconnect::NAME];

/// Time after which a quick run begins nothing new, from when all is built.
const QUICK_TIME: Duration = Duration::from_secs(100);

pub(crate) fn run(root: &Path, mut args: Parser) -> Result<(), Stop> {
    let mut options = Options::default();
    let (mut json, mut list) = (None::<PathBuf>, false);
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("only") => options.only = args.value()?.string()?,
            Arg::Long("rounds") => options.rounds = Some(args.value()?.parse()?),
            Arg::Long("seed") => options.seed = args.value()?.parse()?,
            Arg::Long("quick") => options.quick = true,
            Arg::Long("json") => json = Some(args.value()?.into()),
            Arg::Long("list") => list = true,
            Arg::Value(name) if options.bench.is_empty() => options.bench = name.string()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let plan = Plan::of(&options)?;
    if list {
        plan.names(&options).for_each(|name| println!("{name}"));
        return Ok(());
    }
    let Outcome { rows, problem } = plan.run(root, &mut options)?;
    if let Some(json) = json {
        report::write(&json, &rows)?;
    }
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    if rows.iter().any(|row| row.holds == Some(false)) {
        return Err(Stop::Silent);
    }
    Ok(())
}

/// What was asked for.
struct Plan {
    sets: Vec<&'static speed::Set>,
    benches: Vec<&'static Bench>,
}

struct Outcome {
    rows: Vec<report::Row>,
    /// Why a program of ours was not there to be measured.
    problem: Option<String>,
}

impl Plan {
    fn of(options: &Options) -> Result<Self, Stop> {
        let sets = speed::SETS.iter();
        let sets = sets.filter(|set| options.chooses(set.name, &set.rows()));
        let benches = BENCHES.iter();
        let benches = benches.filter(|bench| options.chooses(bench.name, &(bench.rows)()));
        let plan = Self {
            sets: sets.collect(),
            benches: benches.collect(),
        };
        if plan.sets.is_empty() && plan.benches.is_empty() {
            let sets = speed::SETS.iter().map(|set| set.name);
            let names: Vec<_> = sets.chain(BENCHES.iter().map(|bench| bench.name)).collect();
            let there = names.join(", ");
            return Err(Stop::Usage(format!(
                "nothing to measure; there are {there}"
            )));
        }
        if options.rounds == Some(0) {
            return Err(Stop::Usage("no round measures nothing".to_owned()));
        }
        Ok(plan)
    }

    fn names(&self, options: &Options) -> impl Iterator<Item = String> {
        let sets = self.sets.iter().flat_map(|set| set.rows());
        let benches = self.benches.iter().flat_map(|bench| (bench.rows)());
        sets.chain(benches).filter(|name| options.wants(name))
    }

    /// Builds and measures, and writes the report that there always is.
    fn run(&self, root: &Path, options: &mut Options) -> Result<Outcome, String> {
        let yard = speed::Yard::prepare(root, &self.sets, options)?;
        let needed = self.benches.iter().any(|bench| bench.needs_peers(options));
        let programs = if needed {
            Programs::nodes(root, Profile::Release)
        } else {
            Err("not needed".to_owned())
        };
        println!("\n{}", speed::machine());
        options.over = options.quick.then(|| Instant::now() + QUICK_TIME);
        let mut rows = Vec::new();
        for set in &self.sets {
            println!("\n{}: {}", set.name, set.about);
            rows.append(&mut yard.run(set, options)?);
        }
        for bench in &self.benches {
            println!("\n{}: {}", bench.name, bench.about);
            rows.append(&mut bench.measure(root, options, &programs));
        }
        report::write(&yard.report(), &rows)?;
        println!("\nreport and charts: {}", yard.out().display());
        let problem = yard.problem().or_else(|| programs.err().filter(|_| needed));
        Ok(Outcome { rows, problem })
    }
}

impl Bench {
    fn is_left_out(&self, options: &Options) -> bool {
        options.quick && SLOW.contains(&self.name)
    }

    fn needs_peers(&self, options: &Options) -> bool {
        matches!(self.run, Run::Peers(_)) && !self.is_left_out(options)
    }

    /// Measures and prints; the rows that are wanted.
    fn measure(
        &self,
        root: &Path,
        options: &Options,
        programs: &Result<Programs, String>,
    ) -> Vec<report::Row> {
        let rows = match (&self.run, programs) {
            _ if self.is_left_out(options) || options.is_over(Instant::now()) => {
                Err("left out for lack of time")
            }
            (Run::Own(run), _) => Ok(run(root)),
            (Run::Peers(run), Ok(programs)) => Ok(run(&Lab { programs, options })),
            (Run::Peers(_), Err(problem)) => Err(problem.as_str()),
        };
        match rows {
            Ok(mut rows) => {
                rows.retain(|row| options.wants(&row.name));
                row::print(&rows);
                rows.iter().map(Row::report).collect()
            }
            Err(problem) => {
                println!("{problem}");
                let names = (self.rows)();
                let wanted = names.iter().filter(|name| options.wants(name));
                wanted.map(|name| row::not_run(name, problem)).collect()
            }
        }
    }
}

#[derive(Default)]
struct Options {
    /// The bench that runs, or all.
    bench: String,
    /// Part of the names of the rows.
    only: String,
    rounds: Option<usize>,
    seed: u64,
    /// One short round.
    quick: bool,
    /// When nothing new begins any longer.
    over: Option<Instant>,
}

impl Options {
    fn chooses(&self, bench: &str, rows: &[String]) -> bool {
        (self.bench.is_empty() || self.bench == bench) && rows.iter().any(|name| self.wants(name))
    }

    fn wants(&self, row: &str) -> bool {
        row.contains(&self.only)
    }

    /// So many unless told otherwise.
    fn rounds(&self, usual: usize) -> usize {
        let usual = if self.quick { 1 } else { usual };
        self.rounds.unwrap_or(usual)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.over.is_some_and(|over| now >= over)
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
        let (rounds, seed) = (self.options.rounds(usual), self.options.seed);
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
        let options = Options::default();
        let plan = Plan::of(&options).ok().unwrap();
        let mut names: Vec<_> = plan.names(&options).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
