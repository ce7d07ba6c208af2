//! Figures as rows of the tools' common output contract.

use serde::Serialize;

use crate::{
    experiments::{Experiment, Outcome, Played},
    metrics::{Figure, Metric},
};

/// One figure. A key that does not apply is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Row {
    /// What belongs together.
    pub group: String,
    /// What was measured, unique in its group.
    pub name: String,
    /// What came out; null for a time that never came.
    pub value: Option<f64>,
    /// Unit of `value`, `baseline_value` and `goal`.
    pub unit: Option<String>,
    /// What `value` is compared with.
    pub baseline: Option<String>,
    /// What came out there.
    pub baseline_value: Option<f64>,
    /// `value` / `baseline_value`.
    pub ratio: Option<f64>,
    /// What should come out.
    pub goal: Option<f64>,
    /// Whether the goal is reached; null when there is none, or when that could not be found out.
    pub holds: Option<bool>,
    /// What else a reader should know.
    pub note: Option<String>,
}

const GROUP: &str = "sim";

/// All rows of an outcome.
pub fn rows(experiment: &Experiment, outcome: &Outcome) -> Vec<Row> {
    let mut rows = Vec::new();
    for played in &outcome.played {
        let prefix = format!(
            "{} | {} | {}",
            experiment.name, outcome.cell.label, played.name
        );
        match &played.scores {
            Err(reason) => rows.push(Row {
                group: GROUP.to_owned(),
                name: prefix,
                note: Some(format!("{} {reason}", played.name)),
                ..Row::default()
            }),
            Ok(_) => rows.extend(figures(&prefix, outcome, played)),
        }
    }
    rows
}

fn figures(prefix: &str, outcome: &Outcome, played: &Played) -> Vec<Row> {
    let mut rows = Vec::new();
    for metric in outcome.metrics() {
        for figure in played.figures(metric) {
            rows.push(row(prefix, outcome, played, metric, figure));
        }
    }
    rows
}

fn row(
    prefix: &str,
    outcome: &Outcome,
    played: &Played,
    metric: &'static Metric,
    figure: Figure,
) -> Row {
    let Figure { statistic, value } = figure;
    let goal = outcome.goal(played.name, metric, statistic);
    let baseline = Some(outcome.cell.baseline).filter(|name| *name != played.name);
    let baseline_value = baseline
        .and_then(|name| outcome.figure(name, metric, statistic))
        .filter(|value| value.is_finite());
    let ratio = baseline_value.filter(|base| *base > 0.0 && value.is_finite());
    let seeds = outcome.cell.seeds;
    let fingerprint = played.fingerprint().unwrap_or_default();
    let never = if value.is_finite() {
        ""
    } else {
        "never came; "
    };
    Row {
        group: GROUP.to_owned(),
        name: format!("{prefix} | {} ({}), {statistic}", metric.name, metric.unit),
        value: Some(value).filter(|value| value.is_finite()),
        unit: Some(metric.unit.to_owned()),
        baseline: baseline_value.and(baseline).map(str::to_owned),
        baseline_value,
        ratio: ratio.map(|base| value / base),
        goal: goal.map(|goal| goal.limit.value()),
        holds: goal.map(|goal| goal.limit.holds(value)),
        note: Some(format!("{never}seeds: {seeds}, {fingerprint}")),
    }
}
