//! What messages cost, ours beside other implementations of the same: `docs/PERFORMANCE.md` has the method.

mod contender;
mod goals;
mod load;
mod loads;
mod process;
mod programs;
mod sheet;
mod svg;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use contender::{Contender, Program};
use goals::Aim;
use load::Load;
use programs::Programs;
use sheet::{Sheet, figure_name};

use super::Options;
use crate::{cargo, report::Row};

/// Loads that are told together.
pub(super) struct Set {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    loads: &'static [Load],
    aims: &'static [Aim],
    rounds: usize,
}

pub(super) const SETS: [Set; 5] = [
    Set {
        name: "casts",
        about: "messages that nobody answers",
        loads: loads::LOADS_OF_CASTS,
        aims: goals::AIMS_OF_CASTS,
        rounds: 5,
    },
    Set {
        name: "calls",
        about: "messages and their replies",
        loads: loads::LOADS_OF_CALLS,
        aims: goals::AIMS_OF_CALLS,
        rounds: 5,
    },
    Set {
        name: "connect",
        about: "from the first step until all actors of the peer are known",
        loads: loads::LOADS_OF_CONNECT,
        aims: goals::AIMS_OF_CONNECT,
        rounds: 3,
    },
    Set {
        name: "memory",
        about: "what a burst of casts occupies",
        loads: loads::LOADS_OF_MEMORY,
        aims: goals::AIMS_OF_MEMORY,
        rounds: 3,
    },
    Set {
        name: "tls",
        about: "casts over TLS",
        loads: loads::LOADS_OF_TLS,
        aims: goals::AIMS_OF_TLS,
        rounds: 5,
    },
];

impl Set {
    pub(super) fn rows(&self) -> Vec<String> {
        let figures = self.loads.iter().flat_map(|load| {
            let contenders = load.contenders.iter();
            contenders.flat_map(move |contender| {
                let metrics = load.metrics().iter();
                metrics.map(move |metric| figure_name(self.name, load, *contender, *metric))
            })
        });
        let aims = self.aims.iter().map(|aim| aim.name(self.name));
        figures.chain(aims).collect()
    }

    /// Whether a wanted row needs this contender at this load, be it for comparison.
    fn needs(&self, load: &Load, contender: Contender, wants: &impl Fn(&str) -> bool) -> bool {
        let metrics = load.metrics().iter();
        let figures = metrics.map(|metric| figure_name(self.name, load, contender, *metric));
        let aims = self.aims.iter().filter(|aim| aim.load == load.name);
        let aims = aims.filter(|aim| aim.concerns(contender));
        let mut names = figures.chain(aims.map(|aim| aim.name(self.name)));
        names.any(|name| wants(&name))
    }
}

/// Programs, and what else measurements need.
pub(super) struct Yard {
    programs: Programs,
    /// Where the certificate lies, or why there is none.
    certificate: Result<PathBuf, String>,
    out: PathBuf,
}

impl Yard {
    /// Builds what the wanted rows of these sets need.
    ///
    /// # Errors
    ///
    /// What to tell when there is no place for results.
    pub(super) fn prepare(
        root: &Path,
        sets: &[&'static Set],
        options: &Options,
    ) -> Result<Self, String> {
        let wants = |name: &str| options.wants(name);
        let mut wanted: Vec<Program> = Vec::new();
        for set in sets {
            for load in set.loads {
                let contenders = load.contenders.iter();
                let needed = contenders.filter(|c| set.needs(load, **c, &wants));
                wanted.extend(needed.map(|c| c.program()));
            }
        }
        let out = cargo::target_dir(root).join("bench");
        fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
        let programs = Programs::build(root, wanted.into_iter());
        let certificate = make_certificate(&programs, &out);
        Ok(Self {
            programs,
            certificate,
            out,
        })
    }

    /// Measures a set, prints it, draws its charts, and returns its rows.
    ///
    /// # Errors
    ///
    /// What to tell when a chart cannot be written.
    pub(super) fn run(&self, set: &'static Set, options: &Options) -> Result<Vec<Row>, String> {
        let wants = |name: &str| options.wants(name);
        let mut sheet = Sheet::new(set);
        let rounds = options.rounds(set.rounds);
        for round in 0..rounds {
            for load in set.loads.iter().filter(|load| load.quick || !options.quick) {
                let turn = usize::try_from(options.seed)
                    .unwrap_or(0)
                    .wrapping_add(round);
                for contender in rotated(load.contenders, turn) {
                    let useless = !set.needs(load, contender, &wants)
                        || sheet.is_hopeless(load, contender)
                        || options.is_over(Instant::now());
                    if !useless {
                        sheet.enter(load, contender, self.measure(load, contender, options));
                    }
                }
            }
        }
        sheet.print();
        for (metric, panels) in sheet.charts() {
            let title = format!("{}: {}, {}", set.name, metric.name(), metric.unit());
            let svg = svg::chart(&title, &panels, is_ours);
            let file = format!("{}-{}.svg", set.name, metric.name().replace(' ', "-"));
            let file = self.out.join(file);
            fs::write(&file, svg).map_err(|e| format!("{}: {e}", file.display()))?;
        }
        Ok(sheet.rows(wants))
    }

    fn measure(
        &self,
        load: &Load,
        contender: Contender,
        options: &Options,
    ) -> Result<load::Sample, String> {
        let certificate = match &self.certificate {
            Err(problem) if load.tls => return Err(problem.clone()),
            certificate => certificate.as_ref().ok(),
        };
        let certificate = certificate.map(PathBuf::as_path);
        load.measure(&self.programs, contender, certificate, options.quick)
    }

    /// Why our own program was not there to be measured.
    pub(super) fn problem(&self) -> Option<String> {
        self.programs.problem(Program::Shiome)
    }

    /// Where reports and charts go.
    pub(super) fn out(&self) -> &Path {
        &self.out
    }

    /// The report of all rows, whether or not one was asked for.
    pub(super) fn report(&self) -> PathBuf {
        self.out.join("report.json")
    }
}

impl Aim {
    fn concerns(&self, contender: Contender) -> bool {
        let other = match self.than {
            goals::Than::Times(_, other) => Some(other),
            goals::Than::Fixed(_) => None,
        };
        self.who == contender || other == Some(contender)
    }
}

fn is_ours(name: &str) -> bool {
    let ours = [Contender::Shiome, Contender::ActorRef, Contender::RemoteRef];
    ours.iter().any(|contender| contender.to_string() == name)
}

/// Each once, beginning at another one each turn.
fn rotated(contenders: &[Contender], turn: usize) -> impl Iterator<Item = Contender> + use<'_> {
    let begin = turn % contenders.len();
    let (before, from) = contenders.split_at(begin);
    from.iter().chain(before).copied()
}

fn make_certificate(programs: &Programs, out: &Path) -> Result<PathBuf, String> {
    let dir = out.join("certificate");
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut command: Command = programs.command(Program::Shiome)?;
    command.arg("write-tls").arg("--tls").arg(&dir);
    cargo::output(&mut command).map(|_| dir)
}

/// What a figure from this machine is worth: its processor, and how busy it was.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model
        .unwrap_or("unknown")
        .trim_start_matches(['\t', ':', ' ']);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    let system = env::consts::OS;
    format!("{cores} cores ({model}), {system}, load {load}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_begin_in_turn() {
        let all = [Contender::ActorRef, Contender::V0_16, Contender::Floor];
        for turn in 0..6 {
            let mut order: Vec<_> = rotated(&all, turn).collect();
            assert_eq!(order[0], all[turn % 3]);
            order.sort();
            assert_eq!(order, all);
        }
    }

    #[test]
    fn a_comparison_needs_both() {
        let set = &SETS[0];
        let wanted = "casts | 16 B | ActorRef | CPU against ractor_cluster 0.16.5";
        let wants = |name: &str| name == wanted;
        let load = &set.loads[0];
        assert!(set.rows().iter().any(|name| name == wanted));
        assert!(set.needs(load, Contender::ActorRef, &wants));
        assert!(set.needs(load, Contender::V0_16, &wants));
        assert!(!set.needs(load, Contender::Erlang, &wants));
        assert!(!set.needs(&set.loads[1], Contender::V0_16, &wants));
    }
}
