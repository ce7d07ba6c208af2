//! E3: a node that comes back while its old connection seems to live still.

use std::time::Duration;

use super::{
    Scene,
    figure::{Figure, Goal, Reading},
};
use crate::peers::half_open;

pub(super) const ACCEPTED: &[Figure] = &[Figure::new(
    "restarted behind a half-open link, in at first try",
    "runs",
    Goal::All,
)];

pub(super) fn accepted(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let rounds = scene.options.rounds();
    let mut times = Vec::new();
    for round in 0..rounds {
        // To some it matters which name comes first.
        let name = ["before", "very-late"][round % 2];
        let dialler = (scene.partner, name);
        let back = half_open::restart(&scene.stage, scene.subject, dialler, 1, Duration::ZERO)?;
        times.extend(back.after);
    }
    let reading = Reading::of(times.len(), rounds);
    Ok(vec![match times.iter().max() {
        None => reading,
        Some(slowest) => reading.note(format!("at most {} ms", slowest.as_millis())),
    }])
}
