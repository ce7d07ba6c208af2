//! A peer that does not serve its connections any longer while we send.

use std::time::{Duration, Instant};

use super::{programs::Kind, stage::Stage};

/// Bytes of a cast, without what the protocol adds.
pub(crate) const CAST_LEN: usize = 1024;

/// What a sender holds for one peer at most, in MiB: its outbox, 64, and 16 for everything else.
pub(crate) const MAX_GROWTH_MIB: f64 = 80.0;

/// Time within which a peer that does not answer is declared down, in seconds.
pub(crate) const MAX_DOWN_S: f64 = 5.0;

/// Time for the casts themselves.
const FLOOD_TIME: Duration = Duration::from_secs(120);

const KIB_PER_MIB: f64 = 1024.0;

/// What is sent, and how long one waits for the peer to be declared down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flood {
    /// What sends: the first word of the command `flood`.
    pub(crate) handle: &'static str,
    pub(crate) casts: u64,
    pub(crate) patience: Duration,
}

/// What became of it.
#[derive(Debug, Clone)]
pub(crate) struct Frozen {
    /// Most resident memory of the sender, over that before.
    pub(crate) growth_mib: f64,
    /// From the freeze on.
    pub(crate) down_after: Option<Duration>,
    /// Time in which a thread of the sender could have run meanwhile and had no processor.
    pub(crate) starved: Duration,
    /// What the handle said to the casts.
    pub(crate) answer: String,
}

/// Two nodes connect, the other one freezes, and the subject casts to it.
///
/// # Errors
///
/// What to tell when it does not come to that.
pub(crate) fn measure(
    stage: &Stage<'_>,
    subject: Kind,
    other: Kind,
    flood: Flood,
) -> Result<Frozen, String> {
    let mut pair = stage.pair(subject, other)?;
    pair.allow(FLOOD_TIME);
    let before = pair.subject.memory()?.resident;
    let starving = pair.subject.starving();
    pair.other.freeze()?;
    let frozen = Instant::now();
    let Flood { handle, casts, .. } = flood;
    let answer = pair
        .subject
        .ask(&format!("flood {handle} - inbox {casts} {CAST_LEN}"))?;
    let down = pair
        .subject
        .sees_event(&["disconnected"], frozen + flood.patience)?;
    let starved = pair.subject.starved_since(&starving);
    let peak = pair.subject.memory()?.peak;
    Ok(Frozen {
        growth_mib: peak.saturating_sub(before) as f64 / KIB_PER_MIB,
        down_after: down.map(|at| at.duration_since(frozen)),
        starved,
        answer,
    })
}
