//! The bus within one process: what it delivers, what that costs, and what a slow handler does to its neighbours. And between
//! processes, over WebSocket.

mod websocket;

use std::path::Path;

use super::row::{Figure, Row};
use crate::{
    cargo::{cargo, output},
    peers::figures::Goal,
};

pub(super) const NAME: &str = "bus";

/// What a bench prints: in what words, in what unit, and what it should come to.
pub(super) type Measure = (&'static str, &'static str, Option<Goal>);

/// What the bench of the crate prints, in its words, and what that should come to.
const MEASURES: [Measure; 10] = [
    ("one pair, one thread", "M/s", Some(Goal::AtLeast(3.0))),
    ("one pair, two threads", "M/s", Some(Goal::AtLeast(3.0))),
    ("one pair, one second of the processor", "M/s", None),
    ("allocations per delivery", "", Some(Goal::AtMost(0.0))),
    ("requests, one after the other", "/s", None),
    ("p99 among 1000 peers", "us", None),
    ("p99 beside a handler that waits 500 ms", "us", None),
    ("p99 beside a handler that blocks 500 ms", "us", None),
    (
        "p99, waiting beside none",
        "times",
        Some(Goal::AtMost(MOVED)),
    ),
    (
        "p99, blocking beside none",
        "times",
        Some(Goal::AtMost(MOVED)),
    ),
];

/// How much the neighbours may seem to be moved: less is noise.
const MOVED: f64 = 1.5;

pub(super) fn rows() -> Vec<String> {
    let named = MEASURES.iter().map(|(name, ..)| name);
    let named = named.map(|name| format!("{NAME} | {name}"));
    named.chain(websocket::rows()).collect()
}

pub(super) fn run(root: &Path) -> Vec<Row> {
    let bench = [
        "bench",
        "--quiet",
        "--locked",
        "-p",
        "shiome-bus",
        "--bench",
    ];
    let mut command = cargo(root);
    command.args(bench).arg("in_process");
    let mut rows = table(&MEASURES, &output(&mut command));
    rows.extend(table(&websocket::MEASURES, &websocket::printed(root)));
    rows
}

fn table(measures: &[Measure], printed: &Result<String, String>) -> Vec<Row> {
    measures
        .iter()
        .map(|&(measure, unit, goal)| Row {
            name: format!("{NAME} | {measure}"),
            unit,
            goal,
            ours: figure(printed, measure),
            published: Figure::None,
            note: note(unit).to_owned(),
        })
        .collect()
}

fn note(unit: &str) -> &'static str {
    match unit {
        "M/s" => "try_send and one handler; the best of some rounds",
        _ => "",
    }
}

pub(super) fn figure(printed: &Result<String, String>, measure: &str) -> Figure {
    let printed = match printed {
        Ok(printed) => printed,
        Err(problem) => return Figure::NotMeasured(problem.clone()),
    };
    let value = printed.lines().find_map(|line| {
        let rest = line.strip_prefix(measure)?.strip_prefix('\t')?;
        rest.split('\t').next()?.parse().ok()
    });
    value.map_or_else(
        || Figure::NotMeasured("the bench does not tell".to_owned()),
        Figure::Is,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_rows_and_those_that_are_missing_say_so() {
        let printed = "one pair, one thread\t4.5\tM/s\nallocations per delivery\t0.5\t\n";
        let rows = table(&MEASURES, &Ok(printed.to_owned()));
        assert_eq!(rows.len(), MEASURES.len());
        assert_eq!(rows[0].ours, Figure::Is(4.5));
        assert_eq!(rows[0].holds(), Some(true));
        assert_eq!(rows[1].holds(), None);
        assert_eq!(rows[3].holds(), Some(false));
        let missing = rows[1].report().note.unwrap();
        assert!(missing.contains("does not tell"), "{missing}");
        assert_eq!(rows[0].report().baseline, None);
    }
}
