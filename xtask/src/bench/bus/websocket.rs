//! Links over WebSocket: what goes over one between two processes, beside a bare loop on the same library, and what a relay
//! holds for each peer.

use std::path::Path;

use super::{Measure, NAME};
use crate::{
    cargo::{cargo, output},
    peers::figures::Goal,
};

/// What the bench of the crate prints, in its words, and what that should come to.
pub(super) const MEASURES: [Measure; 6] = [
    ("WebSocket, between two processes", "M/s", None),
    ("WebSocket, a bare loop on the same library", "M/s", None),
    (
        "WebSocket, the bus beside the bare loop",
        "times",
        Some(Goal::AtLeast(0.6)),
    ),
    ("WebSocket, processor time of a message", "ns", None),
    ("WebSocket, processor time of the bare loop", "ns", None),
    ("relay, an idle peer", "KiB", Some(Goal::AtMost(20.0))),
];

pub(super) fn printed(root: &Path) -> Result<String, String> {
    let bench = ["bench", "--quiet", "--locked", "-p", "shiome-bus"];
    let mut command = cargo(root);
    command.args(bench).args(["--features", "websocket"]);
    command.args(["--bench", "websocket"]);
    output(&mut command)
}

pub(super) fn rows() -> impl Iterator<Item = String> {
    MEASURES.iter().map(|(name, ..)| format!("{NAME} | {name}"))
}
