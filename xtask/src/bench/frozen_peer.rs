//! Casts to a peer that was stopped where it stood.

use std::time::Duration;

use super::{
    Lab,
    row::{Figure, Row},
};
use crate::peers::{
    figures::{Goal, max, median},
    frozen::{Flood, Frozen, MAX_DOWN_S, MAX_GROWTH_MIB, measure},
    programs::Kind,
};

pub(super) const NAME: &str = "frozen-peer";

const ROUNDS: usize = 1;

const CASTS: u64 = 400_000;

const PATIENCE: Duration = Duration::from_secs(30);

/// The handle that published nodes have. The mailbox behind it is `ractor`'s, and has no limit that we could keep.
const PUBLISHED: &str = "actorref";

/// What the casts go through, by the names that the command `flood` has for them: `try_cast` and `cast` of ours, which
/// know how full the link is, and an `ActorRef`, which does not.
const HANDLES: &[&str] = &["tryref", "castref", PUBLISHED];

/// Whom our node casts to. The published one casts to its like.
const PEERS: [Kind; 2] = [Kind::Shiome, Kind::V0_16];

#[derive(Clone, Copy)]
enum Measure {
    Memory,
    Down,
}

const MEASURES: [Measure; 2] = [Measure::Memory, Measure::Down];

/// What one side found, round by round.
type Found = Result<Vec<Frozen>, String>;

pub(super) fn rows() -> Vec<String> {
    let mut names = Vec::new();
    for handle in HANDLES {
        for peer in PEERS {
            names.extend(MEASURES.map(|measure| name(handle, peer, measure)));
        }
    }
    names
}

fn name(handle: &str, peer: Kind, measure: Measure) -> String {
    let what = match measure {
        Measure::Memory => "memory of the sender grows by",
        Measure::Down => "declared down after",
    };
    format!("{NAME} | {handle} to {peer} | {what}")
}

pub(super) fn run(lab: &Lab<'_>) -> Vec<Row> {
    let mut published = Found::Ok(Vec::new());
    let subjects = HANDLES
        .iter()
        .flat_map(|handle| PEERS.map(|peer| (*handle, peer)));
    let mut ours: Vec<_> = subjects
        .map(|subject| (subject, Found::Ok(Vec::new())))
        .collect();
    for kind in lab.rounds(ROUNDS).flatten() {
        if kind.is_published() {
            round(lab, PUBLISHED, kind, kind, &mut published);
            continue;
        }
        for ((handle, peer), found) in &mut ours {
            if MEASURES.iter().any(|m| lab.wants(&name(handle, *peer, *m))) {
                round(lab, handle, kind, *peer, found);
            }
        }
    }
    let rows = ours.iter().flat_map(|((handle, peer), found)| {
        MEASURES.map(|measure| row(handle, *peer, measure, found, &published))
    });
    rows.collect()
}

fn round(lab: &Lab<'_>, handle: &'static str, subject: Kind, peer: Kind, found: &mut Found) {
    let Ok(rounds) = found else { return };
    let flood = Flood {
        handle,
        casts: CASTS,
        patience: PATIENCE,
    };
    match measure(&lab.stage(), subject, peer, flood) {
        Ok(frozen) => rounds.push(frozen),
        Err(problem) => *found = Err(problem),
    }
}

fn row(handle: &str, peer: Kind, measure: Measure, ours: &Found, published: &Found) -> Row {
    let (unit, goal) = match measure {
        Measure::Memory => ("MiB", MAX_GROWTH_MIB),
        Measure::Down => ("s", MAX_DOWN_S),
    };
    let unbounded = handle == PUBLISHED && matches!(measure, Measure::Memory);
    let answers = |found: &Found| {
        let last = found.as_ref().ok().and_then(|rounds| rounds.last());
        last.map_or_else(String::new, |frozen| frozen.answer.clone())
    };
    Row {
        name: name(handle, peer, measure),
        unit,
        goal: (!unbounded).then_some(Goal::AtMost(goal)),
        ours: figure(ours, measure),
        published: figure(published, measure),
        note: match measure {
            Measure::Memory => format!("{} beside {}", answers(ours), answers(published)),
            Measure::Down => format!("looked at for {} s", PATIENCE.as_secs()),
        },
    }
}

/// The worst round where a bound is promised for each, and never when one never ended.
fn figure(found: &Found, measure: Measure) -> Figure {
    let values = found.clone().map(|rounds| match measure {
        Measure::Memory => rounds.iter().map(|frozen| frozen.growth_mib).collect(),
        Measure::Down => {
            let times = rounds.iter().map(|frozen| frozen.down_after);
            let times: Option<Vec<_>> = times.collect();
            times
                .unwrap_or_default()
                .iter()
                .map(Duration::as_secs_f64)
                .collect()
        }
    });
    Figure::of(
        &values,
        match measure {
            Measure::Memory => max,
            Measure::Down => median,
        },
    )
}
