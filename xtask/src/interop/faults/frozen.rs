//! E13: a peer that does not answer any longer.

use std::time::Duration;

use super::{
    Scene,
    figure::{Figure, Goal, Reading},
};
use crate::peers::frozen::{Flood, MAX_DOWN_S, MAX_GROWTH_MIB, measure};

/// More than a sender may hold, in casts.
const CASTS: u64 = 100_000;
const FULL_CASTS: u64 = 400_000;

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const FROZEN: &[Figure] = &[
    Figure::new(
        "memory for casts to a frozen peer",
        "MiB",
        Goal::AtMost(MAX_GROWTH_MIB),
    ),
    Figure::new(
        "frozen peer declared down after",
        "s",
        Goal::AtMost(MAX_DOWN_S),
    ),
];

pub(super) fn frozen(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let patience = PATIENCE;
    let casts = if scene.options.full {
        FULL_CASTS
    } else {
        CASTS
    };
    // What is sent to an `ActorRef` waits in a mailbox, which is `ractor`'s and has no limit.
    let handle = if scene.subject.is_published() {
        "actorref"
    } else {
        "tryref"
    };
    let flood = Flood {
        handle,
        casts,
        patience,
    };
    let frozen = measure(&scene.stage, scene.subject, scene.partner, flood)?;
    let memory = Reading::is(frozen.growth_mib).note(format!("{handle} {}", frozen.answer));
    let starved = frozen.starved.as_secs_f64();
    // It counts its own time, and that stands still while it has no processor.
    let own = |after: Duration| after.saturating_sub(frozen.starved).as_secs_f64();
    let down = Reading::found(frozen.down_after.map(own));
    Ok(vec![
        memory,
        match frozen.down_after {
            None => down.note(format!("up after {} s", patience.as_secs())),
            Some(after) => down.note(format!(
                "{:.1} s, {starved:.1} of them without a processor",
                after.as_secs_f64()
            )),
        },
    ])
}
