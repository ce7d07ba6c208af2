//! Data channels: what goes over one between two buses, beside a bare loop on the same library in the same run, and how long it
//! takes to open one.

use std::path::Path;

use super::{
    bus::{Measure, figure},
    row::{Figure, Row},
};
use crate::{
    cargo::{cargo, output},
    peers::figures::Goal,
};

pub(super) const NAME: &str = "webrtc";

/// What the bench of the crate prints, in its words, and what that should come to.
const MEASURES: [Measure; 8] = [
    ("round trip, p50", "us", None),
    ("round trip of the bare loop, p50", "us", None),
    (
        "round trip, the bus beside the bare loop",
        "times",
        Some(Goal::AtMost(1.3)),
    ),
    ("flood", "MB/s", None),
    ("flood of the bare loop", "MB/s", None),
    (
        "flood, the bus beside the bare loop",
        "times",
        Some(Goal::AtLeast(0.8)),
    ),
    ("channel open, p50", "ms", None),
    ("channel open, p99", "ms", Some(Goal::AtMost(1000.0))),
];

pub(super) fn rows() -> Vec<String> {
    let named = MEASURES.iter();
    named.map(|(name, ..)| format!("{NAME} | {name}")).collect()
}

pub(super) fn run(root: &Path) -> Vec<Row> {
    let bench = ["bench", "--quiet", "--locked", "-p", "shiome-webrtc"];
    let mut command = cargo(root);
    command.args(bench).args(["--bench", "data_channel"]);
    let printed = output(&mut command);
    let rows = MEASURES.iter().map(|&(measure, unit, goal)| Row {
        name: format!("{NAME} | {measure}"),
        unit,
        goal,
        ours: figure(&printed, measure),
        published: Figure::None,
        note: note(unit).to_owned(),
    });
    rows.collect()
}

fn note(unit: &str) -> &'static str {
    match unit {
        "us" => "64 bytes there and back, on loopback; the best of some rounds",
        "MB/s" => "payloads of 15 KiB, on loopback; the best of some rounds",
        "ms" => "from the call to the first envelope that may go, on loopback",
        _ => "",
    }
}
