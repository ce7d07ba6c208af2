//! What was measured, and what it comes to.

use std::collections::BTreeMap;

use super::{
    Set,
    contender::Contender,
    goals::{Aim, Than},
    load::{Load, Metric, Sample, Work},
    svg::Panel,
};
use crate::{
    bench::row::GROUP,
    peers::figures::{Goal, median, print_table, told},
    report::Row,
};

/// All measurements of one contender at one load.
#[derive(Default)]
struct Cell {
    samples: Vec<Sample>,
    /// The last reason why there is one less.
    problem: Option<String>,
}

/// All measurements of one set.
pub(super) struct Sheet {
    set: &'static Set,
    cells: BTreeMap<(&'static str, Contender), Cell>,
}

impl Sheet {
    pub(super) fn new(set: &'static Set) -> Self {
        let cells = BTreeMap::new();
        Self { set, cells }
    }

    pub(super) fn enter(
        &mut self,
        load: &Load,
        contender: Contender,
        measured: Result<Sample, String>,
    ) {
        let cell = self.cells.entry((load.name, contender)).or_default();
        match measured {
            Ok(sample) => cell.samples.push(sample),
            Err(problem) => cell.problem = Some(problem),
        }
    }

    /// Whether it was tried and never came to a figure.
    pub(super) fn is_hopeless(&self, load: &Load, contender: Contender) -> bool {
        let cell = self.cells.get(&(load.name, contender));
        cell.is_some_and(|cell| cell.samples.is_empty() && cell.problem.is_some())
    }

    /// The figures that rows are about, those of the goals last.
    pub(super) fn rows(&self, wants: impl Fn(&str) -> bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for load in self.set.loads {
            for contender in load.contenders {
                for metric in load.metrics() {
                    rows.push(self.figure_row(load, *contender, *metric));
                }
            }
        }
        rows.extend(self.set.aims.iter().map(|aim| self.aim_row(aim)));
        rows.retain(|row| wants(&row.name));
        rows
    }

    fn figure_row(&self, load: &Load, contender: Contender, metric: Metric) -> Row {
        let other = match load.work {
            Work::Connect { .. } => Contender::V0_16,
            _ => Contender::Floor,
        };
        let baseline = load.contenders.contains(&other).then_some(other);
        let value = self.figure(load.name, contender, metric);
        let beside = baseline.map(|other| self.figure(load.name, other, metric));
        row(
            figure_name(self.set.name, load, contender, metric),
            metric,
            value,
            baseline.zip(beside),
        )
    }

    fn aim_row(&self, aim: &Aim) -> Row {
        let value = self.figure(aim.load, aim.who, aim.metric);
        let name = aim.name(self.set.name);
        let (baseline, goal) = match aim.than {
            Than::Fixed(goal) => (None, Some(goal)),
            Than::Times(times, other) => {
                let beside = self.figure(aim.load, other, aim.metric);
                let goal = beside.as_ref().ok().map(|beside| times.times(*beside));
                (Some((other, beside)), goal)
            }
        };
        let measured = value.as_ref().ok().copied();
        let mut row = row(name, aim.metric, value, baseline);
        row.holds = goal
            .zip(measured)
            .map(|(g, value)| g.holds(Some(value), None));
        row.goal = goal.and_then(|goal| goal.number(None)).into();
        if let Than::Times(times, other) = aim.than {
            let note = row.note.take().into_iter();
            let note = note.chain([format!("goal {} x {other}", times.told())]);
            row.note = Some(note.collect::<Vec<_>>().join("; "));
        }
        row
    }

    /// The median of all rounds, or why there is none.
    fn figure(&self, load: &str, who: Contender, metric: Metric) -> Result<f64, String> {
        let untried = || "left out for lack of time".to_owned();
        let cell = self
            .cells
            .iter()
            .find(|((l, c), _)| *l == load && *c == who);
        let (_, cell) = cell.ok_or_else(untried)?;
        let values = cell.samples.iter().filter_map(|s| s.get(&metric).copied());
        median(&Vec::from_iter(values)).ok_or_else(|| cell.problem.clone().unwrap_or_else(untried))
    }

    /// A table for each load, and the goals.
    pub(super) fn print(&self) {
        for load in self.set.loads {
            let metrics = load.metrics();
            println!("\n{} | {}", self.set.name, load.name);
            let mut head = vec![String::new()];
            head.extend(
                metrics
                    .iter()
                    .map(|m| format!("{}, {}", m.name(), m.unit())),
            );
            head.resize(COLUMNS, String::new());
            let lines = load.contenders.iter().map(|contender| {
                let mut cells = vec![contender.to_string()];
                let figures = metrics
                    .iter()
                    .map(|m| self.figure(load.name, *contender, *m));
                cells.extend(figures.map(|figure| figure.map_or_else(|_| "-".to_owned(), told)));
                cells.resize(COLUMNS, String::new());
                cells
            });
            let lines = [head].into_iter().chain(lines);
            let lines = lines.map(|line| std::array::from_fn(|column| line[column].clone()));
            print_table::<COLUMNS>(&Vec::from_iter(lines));
        }
        let head = ["goals", "", "ratio", "goal", ""].map(str::to_owned);
        let aims = self.set.aims.iter().map(|aim| self.aim_cells(aim));
        print_table(&[head].into_iter().chain(aims).collect::<Vec<_>>());
    }

    fn aim_cells(&self, aim: &Aim) -> [String; 5] {
        let row = self.aim_row(aim);
        let (Than::Fixed(goal) | Than::Times(goal, _)) = aim.than;
        [
            row.name,
            row.value.as_f64().map_or_else(
                || "not measured".to_owned(),
                |value| format!("{} {}", told(value), aim.metric.unit()),
            ),
            row.ratio.map(told).unwrap_or_default(),
            goal.told(),
            match row.holds {
                Some(true) => "holds",
                Some(false) => "FAILS",
                None => "not measured",
            }
            .to_owned(),
        ]
    }

    /// A chart for each metric, with a panel for each load.
    pub(super) fn charts(&self) -> Vec<(Metric, Vec<Panel>)> {
        let mut charts = BTreeMap::<Metric, Vec<Panel>>::new();
        for load in self.set.loads {
            for metric in load.metrics() {
                let bars = load.contenders.iter().filter_map(|contender| {
                    let figure = self.figure(load.name, *contender, *metric).ok()?;
                    Some((contender.to_string(), figure))
                });
                let bars = Vec::from_iter(bars);
                if !bars.is_empty() {
                    charts.entry(*metric).or_default().push(Panel {
                        title: load.name.to_owned(),
                        bars,
                    });
                }
            }
        }
        charts.into_iter().collect()
    }
}

/// As many as a table of one load has at most.
const COLUMNS: usize = 5;

pub(super) fn figure_name(set: &str, load: &Load, who: Contender, metric: Metric) -> String {
    format!("{set} | {} | {who} | {}", load.name, metric.name())
}

impl Aim {
    pub(super) fn name(&self, set: &str) -> String {
        let Self { load, who, .. } = self;
        let metric = self.metric.name();
        match self.than {
            Than::Fixed(_) => format!("{set} | {load} | {who} | {metric}, bound"),
            Than::Times(_, other) => format!("{set} | {load} | {who} | {metric} against {other}"),
        }
    }
}

fn row(
    name: String,
    metric: Metric,
    value: Result<f64, String>,
    baseline: Option<(Contender, Result<f64, String>)>,
) -> Row {
    let beside = baseline
        .as_ref()
        .and_then(|(_, beside)| beside.as_ref().ok());
    let beside = beside.copied();
    let missing = |who: &str, figure: &Result<f64, String>| {
        let problem = figure.as_ref().err()?;
        Some(format!("{who}not measured: {problem}"))
    };
    let other = baseline
        .as_ref()
        .and_then(|(other, figure)| missing(&format!("{other} "), figure));
    let notes = Vec::from_iter(missing("", &value).into_iter().chain(other));
    let value = value.ok();
    Row {
        group: GROUP.to_owned(),
        name,
        value: value.into(),
        unit: Some(metric.unit().to_owned()),
        baseline: baseline.map(|(other, _)| other.to_string()),
        baseline_value: beside.into(),
        ratio: value
            .zip(beside)
            .filter(|(_, b)| *b != 0.0)
            .map(|(v, b)| v / b),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        ..Row::default()
    }
}

impl Goal {
    fn times(self, other: f64) -> Self {
        match self {
            Self::AtLeast(times) => Self::AtLeast(times * other),
            Self::AtMost(times) => Self::AtMost(times * other),
            Self::All => self,
        }
    }
}

#[cfg(test)]
mod tests;
