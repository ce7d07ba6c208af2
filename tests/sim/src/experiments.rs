//! The games that are published, who plays them, and what should come out.

mod list;
mod outcome;

use crate::{metrics::Metric, scenarios::Game};

pub use list::EXPERIMENTS;
pub use outcome::{Outcome, Played};

/// Some games that belong together.
#[derive(Debug)]
pub struct Experiment {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in a line.
    pub about: &'static str,
    pub(crate) cells: fn(Scale) -> Vec<Cell>,
}

impl Experiment {
    /// Its games.
    pub fn cells(&self, scale: Scale) -> Vec<Cell> {
        (self.cells)(scale)
    }
}

/// How much is played.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Whether everything is, which takes hours, or what fits into some minutes.
    pub is_full: bool,
    /// How many seeds, if not as many as each experiment wants.
    pub seeds: Option<usize>,
}

impl Scale {
    /// So many seeds, or that many when everything is played.
    fn seeds(self, quick: usize, full: usize) -> usize {
        let wanted = if self.is_full { full } else { quick };
        self.seeds.unwrap_or(wanted)
    }
}

/// A game, or a set of games that is summed up, for several to play.
#[derive(Debug)]
pub struct Cell {
    /// What is special about it within its experiment.
    pub label: String,
    /// What is played with each seed.
    pub games: Vec<Game>,
    /// How many seeds.
    pub seeds: usize,
    /// Names of those who play.
    pub who: &'static [&'static str],
    /// The one that others are compared with.
    pub baseline: &'static str,
    /// What should come out.
    pub goals: Vec<Goal>,
    /// Whether nothing else may run beside it, for its memory or its clock.
    pub is_alone: bool,
}

/// What should come out of a cell.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// Who should reach it.
    pub of: &'static str,
    /// What is measured.
    pub metric: &'static Metric,
    /// Which of its figures.
    pub statistic: &'static str,
    /// The figure to reach.
    pub limit: Limit,
}

/// A figure to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// It, or less.
    AtMost(f64),
    /// It, or more.
    AtLeast(f64),
}

impl Limit {
    /// Whether `value` reaches it.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    /// The figure.
    pub fn value(self) -> f64 {
        match self {
            Self::AtMost(limit) | Self::AtLeast(limit) => limit,
        }
    }
}

impl Cell {
    fn new(label: impl Into<String>, game: Game, seeds: usize) -> Self {
        Self {
            label: label.into(),
            games: vec![game],
            seeds,
            who: list::RIVALS,
            baseline: "foca",
            goals: Vec::new(),
            is_alone: false,
        }
    }

    /// `who` should stay at or below `limit`.
    fn at_most(
        self,
        of: &'static str,
        metric: &'static Metric,
        statistic: &'static str,
        limit: f64,
    ) -> Self {
        self.goal(of, metric, statistic, Limit::AtMost(limit))
    }

    /// `who` should reach `limit`.
    fn at_least(
        self,
        of: &'static str,
        metric: &'static Metric,
        statistic: &'static str,
        limit: f64,
    ) -> Self {
        self.goal(of, metric, statistic, Limit::AtLeast(limit))
    }

    fn goal(
        mut self,
        of: &'static str,
        metric: &'static Metric,
        statistic: &'static str,
        limit: Limit,
    ) -> Self {
        self.goals.push(Goal {
            of,
            metric,
            statistic,
            limit,
        });
        self
    }
}
