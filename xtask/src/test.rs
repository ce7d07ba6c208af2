//! `cargo xtask test [--only STEP] [--json FILE]`: every check of the workspace, the same on a laptop and in CI.

mod steps;
mod tally;
pub(crate) mod web;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lexopt::{Arg, Parser, ValueExt};

use crate::{
    Stop,
    report::{self, Row},
};
use steps::{STEPS, Step};
use tally::Tally;

pub(crate) fn run(root: &Path, mut args: Parser) -> Result<(), Stop> {
    let (mut only, mut json) = (None, None::<PathBuf>);
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("only") => only = Some(step_named(&args.value()?.string()?)?),
            Arg::Long("json") => json = Some(args.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }

    let mut run = Run::default();
    match only {
        Some(step) => run.step(root, step),
        None => STEPS
            .iter()
            .for_each(|step| run.step_when_possible(root, step)),
    }
    if let Some(json) = json {
        report::write(&json, &run.rows())?;
    }
    run.print();
    match run.failed().next() {
        None => Ok(()),
        // The closing line stands on its own; the table above it says what failed.
        Some(_) => Err(Stop::Silent),
    }
}

fn step_named(name: &str) -> Result<&'static Step, Stop> {
    STEPS.iter().find(|step| step.name == name).ok_or_else(|| {
        let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        Stop::Usage(format!("no step {name}; there are {}", names.join(", ")))
    })
}

/// How a step ended.
#[derive(Debug)]
enum Outcome {
    Passed,
    Failed(String),
    /// The machine lacks something that the step needs and that is not part of the workspace.
    Skipped(String),
    /// A step that this one builds on did not pass.
    NotRun(String),
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(problem) => Self::Failed(problem),
        }
    }
}

/// What ran so far.
#[derive(Default)]
struct Run {
    done: Vec<(&'static Step, Outcome, Duration)>,
    tally: Tally,
}

impl Run {
    fn step_when_possible(&mut self, root: &Path, step: &'static Step) {
        let missing = step.needs.iter().find(|need| !self.passed(need));
        match missing {
            Some(need) => {
                let outcome = Outcome::NotRun(format!("needs {need}"));
                self.done.push((step, outcome, Duration::ZERO));
            }
            None => self.step(root, step),
        }
    }

    fn passed(&self, name: &str) -> bool {
        self.done
            .iter()
            .any(|(step, outcome, _)| step.name == name && matches!(outcome, Outcome::Passed))
    }

    fn step(&mut self, root: &Path, step: &'static Step) {
        println!("\n== {}: {}", step.name, step.about);
        let start = Instant::now();
        let outcome = (step.run)(root, &mut self.tally);
        let took = start.elapsed();
        let (word, reason) = outcome.told();
        println!(
            "== {}: {word} in {:.1} s {reason}",
            step.name,
            took.as_secs_f64()
        );
        self.done.push((step, outcome, took));
    }

    fn failed(&self) -> impl Iterator<Item = &'static str> {
        self.done.iter().filter_map(|(step, outcome, _)| {
            matches!(outcome, Outcome::Failed(_) | Outcome::NotRun(_)).then_some(step.name)
        })
    }

    fn print(&self) {
        println!("\n{:10} {:8} {:>8}", "step", "result", "seconds");
        for (step, outcome, took) in &self.done {
            let (word, reason) = outcome.told();
            let line = format!(
                "{:10} {word:8} {:8.1}  {reason}",
                step.name,
                took.as_secs_f64()
            );
            println!("{}", line.trim_end());
        }
        let failed = Vec::from_iter(self.failed()).join(", ");
        if !failed.is_empty() {
            println!("\nnot passed: {failed}");
        }
        println!(
            "\n{} passed, {} failed",
            self.tally.passed, self.tally.failed
        );
    }

    fn rows(&self) -> Vec<Row> {
        let steps = self.done.iter().map(|(step, outcome, took)| Row {
            group: "test".to_owned(),
            name: step.name.to_owned(),
            value: took.as_secs_f64().into(),
            unit: Some("s".to_owned()),
            holds: match outcome {
                Outcome::Passed => Some(true),
                Outcome::Failed(_) => Some(false),
                Outcome::Skipped(_) | Outcome::NotRun(_) => None,
            },
            note: match outcome.told() {
                (_, "") => None,
                (word, reason) => Some(format!("{word}: {reason}")),
            },
            ..Row::default()
        });
        let tests = Row {
            group: "test".to_owned(),
            name: "all tests".to_owned(),
            value: self.tally.passed.into(),
            unit: Some("tests".to_owned()),
            goal: (self.tally.passed + self.tally.failed).into(),
            holds: Some(self.tally.failed == 0),
            ..Row::default()
        };
        steps.chain([tests]).collect()
    }
}

impl Outcome {
    /// The outcome in one word, and the reason for it.
    fn told(&self) -> (&'static str, &str) {
        match self {
            Self::Passed => ("passed", ""),
            Self::Failed(reason) => ("FAILED", reason),
            Self::Skipped(reason) => ("SKIPPED", reason),
            Self::NotRun(reason) => ("NOT RUN", reason),
        }
    }
}
