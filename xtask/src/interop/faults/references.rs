//! E12 and E15: what happens to one reference happens to that one alone.

use std::time::Duration;

use super::{
    Scene,
    figure::{Figure, Goal, Reading},
};
use crate::peers::{programs::Kind, stage::Pair};

/// References to actors of the other node.
const REFERENCES: usize = 40;

/// Above the 16 MiB that a frame of a published node may have.
const TOO_LONG_LEN: usize = 17 * 1024 * 1024;

const TIME: Duration = Duration::from_secs(60);

pub(super) const TOO_LONG: &[Figure] = &[
    Figure::new("session after one cast of 17 MiB", "sessions", Goal::All)
        .missed_by(&[Kind::V0_16]),
    Figure::new("references that work after it", "references", Goal::All).missed_by(&[Kind::V0_16]),
];

pub(super) fn too_long(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let mut pair = with_references(scene)?;
    let cast = pair
        .subject
        .try_ask(&format!("big - inbox {TOO_LONG_LEN}"))?;
    let mut left = left(&mut pair, 0)?;
    let arrived = pair.other.try_ask("wait-received 1 2000")?.is_ok();
    let told = match (cast, arrived) {
        (Ok(_), true) => "the cast arrived".to_owned(),
        (Ok(_), false) => "the cast was lost".to_owned(),
        (Err(reason), _) => format!("the cast was refused: {reason}"),
    };
    left[0].note = Some(told);
    Ok(left)
}

pub(super) const STOP: &[Figure] = &[
    Figure::new(
        "session after stop() of one reference",
        "sessions",
        Goal::All,
    ),
    Figure::new(
        "other references that work after it",
        "references",
        Goal::All,
    ),
];

pub(super) fn stop(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let mut pair = with_references(scene)?;
    pair.subject.ask("stop-ref r0")?;
    pair.subject.ask("wait-ref-status r0 Stopped 5000")?;
    left(&mut pair, 1)
}

fn with_references(scene: &Scene<'_>) -> Result<Pair, String> {
    let mut pair = scene.stage.pair(scene.subject, scene.partner)?;
    pair.allow(TIME);
    for number in 0..REFERENCES {
        pair.out().reference(&format!("r{number}"))?;
    }
    Ok(pair)
}

/// The session, and the references from this one on, after some time in which they could have ended.
fn left(pair: &mut Pair, from: usize) -> Result<Vec<Reading>, String> {
    let gone = format!("wait-no-session {} 2000", pair.other.name);
    let alive = pair.subject.try_ask(&gone)?.is_err();
    let mut working = 0;
    for number in from..REFERENCES {
        let answer = pair
            .subject
            .try_ask(&format!("call-ref r{number} x 2000"))?;
        working += usize::from(answer == Ok("x".to_owned()));
    }
    Ok(vec![
        Reading::of(usize::from(alive), 1),
        Reading::of(working, REFERENCES - from),
    ])
}
