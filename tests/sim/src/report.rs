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
    let seeds = played.seeds;
    let fingerprint = match played.fingerprint() {
        Some(fingerprint) => format!("fingerprint {fingerprint:016x}"),
        None => "cannot be repeated".to_owned(),
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        experiments::{EXPERIMENTS, Scale},
        metrics::Score,
        scenarios::partition::{COMPLETE, MERGED},
    };

    /// The partition experiment, as if it had come out so.
    fn played(name: &'static str, seconds: f64, fingerprint: Option<u64>) -> Played {
        let mut score = Score {
            fingerprint,
            ..Score::default()
        };
        score.set(&MERGED, seconds);
        score.set(&COMPLETE, f64::from(u8::from(seconds.is_finite())));
        Played {
            name,
            seeds: 1,
            scores: Ok(vec![score]),
        }
    }

    #[test]
    fn rows_say_what_came_out_beside_what_should() {
        let experiment = EXPERIMENTS.iter().find(|e| e.name == "partition");
        let experiment = experiment.expect("it is among the experiments");
        let scale = Scale {
            is_full: false,
            seeds: Some(1),
        };
        let outcome = Outcome {
            cell: experiment.cells(scale).swap_remove(0),
            played: vec![
                played("shiome", 20.0, Some(0xbeef)),
                played("foca", f64::INFINITY, None),
                Played {
                    name: "memberlist",
                    seeds: 1,
                    scores: Err("cannot".to_owned()),
                },
            ],
        };
        let rows = rows(experiment, &outcome);
        let row = |name: &str| rows.iter().find(|row| row.name.ends_with(name)).cloned();

        let ours = row("N=100 | shiome | merged after healing (s), p99").unwrap();
        assert_eq!(
            (ours.value, ours.goal, ours.holds),
            (Some(20.0), Some(10.0), Some(false))
        );
        assert_eq!((ours.baseline, ours.ratio), (None, None));
        assert!(ours.note.unwrap().starts_with("seeds: 1, fingerprint "));

        let never = row("foca | merged after healing (s), p99").unwrap();
        assert_eq!((never.value, never.holds), (None, None));
        assert_eq!(
            never.note.unwrap(),
            "never came; seeds: 1, cannot be repeated"
        );

        let absent = row("memberlist").unwrap();
        assert_eq!((absent.value, absent.holds), (None, None));
        assert_eq!(absent.note.unwrap(), "memberlist cannot");
    }
}
