//! E2 and E8: calls whose answer gets lost, or that nobody answers.

use std::time::Duration;

use super::{
    Scene,
    figure::{Figure, Goal, Reading},
};
use crate::{interop::checks, peers::programs::Kind};

/// Longer than any call may last, and than the node itself waits for one.
const UNANSWERED: Duration = Duration::from_secs(80);

pub(super) const LAST_WORDS: &[Figure] = &[Figure::new(
    "replies of actors that stop with them",
    "replies",
    Goal::All,
)];

pub(super) fn last_words(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let mut pair = scene.stage.pair(scene.subject, scene.partner)?;
    pair.allow(Duration::from_secs(40));
    let (answered, other) = checks::last_words(&mut pair.out().back())?;
    let reading = Reading::of(answered, checks::LAST_WORDS);
    Ok(vec![match other {
        None => reading,
        Some(other) => reading.note(format!("else {other}")),
    }])
}

/// Towards a peer that cannot say what is wrong, the caller's own deadline has to do; between ours it is told.
pub(super) const UNKNOWN: &[Figure] = &[Figure::new(
    "call of an unknown variant, no timeout, ends after",
    "s",
    Goal::AtMost(61.0),
)
.native(Goal::AtMost(1.0))
.missed_by(&[Kind::V0_16])];

pub(super) fn unknown(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let mut pair = scene.stage.pair(scene.subject, scene.partner)?;
    pair.allow(UNANSWERED);
    let (answer, took) = pair.out().timed("call-unknown - inbox x -")?;
    let seconds = took.as_secs_f64();
    Ok(vec![match answer {
        Err(reason) if reason == "no-answer" => {
            Reading::found(None).note(format!("no answer in {seconds:.0} s"))
        }
        Err(reason) => Reading::is(seconds).note(reason),
        Ok(answer) => return Err(format!("answered {answer}")),
    }])
}
