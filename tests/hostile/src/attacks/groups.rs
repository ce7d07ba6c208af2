//! Groups that a peer's actors join.

use std::time::Duration;

use shiome_wire::control::{Actor, PgJoin, PgLeave};
use tokio::time::timeout;

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, Tally, USUAL,
        peer::{Peer, TIERS, Tier},
        raw::frames,
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "group-members",
        about: "a native peer lets 40000 actors join a group, 1000 a message: each is a stand-in of some 11 KiB, and the \
                victim takes 32768 of a peer and leaves out the others",
        bounds: Bounds {
            millis: 6000,
            peak_mib: 450,
            ..USUAL
        },
        run: |arena| Box::pin(join(arena, 40_000, 1, Outcome::LeftOut)),
    },
    Attack {
        name: "group-memberships",
        about: "a native peer lets an actor join up to 300000 groups within 6 s; there may be 262144 memberships of a peer, \
                some 1.2 KiB each when no two are of one group",
        bounds: Bounds {
            millis: 6000,
            peak_mib: 384,
            ..USUAL
        },
        run: |arena| Box::pin(join(arena, 1, 300_000, Outcome::Closed)),
    },
    Attack {
        name: "group-churn",
        about: "a legacy and then a native peer let 100 actors join and leave a group, up to 4000 times within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(churn(arena)),
    },
];

/// What a peer comes to that joins more than it may.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    LeftOut,
    Closed,
}

const SCOPE: &str = "__default_scope__";

fn members(begin: u64, many: u64) -> Vec<Actor> {
    let members = (begin..begin + many).map(|pid| Actor {
        pid: 1_000_000 + pid,
        name: None,
    });
    members.collect()
}

async fn join(arena: Arena, actors: u64, groups: u64, expected: Outcome) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    let (actors, groups) = (arena.count(actors), arena.count(groups));
    let mut peer = Peer::join(&arena, arena.source(0), Tier::Native).await?;
    let at_a_time = actors.min(1000);
    let joins = (0..groups).flat_map(|group| {
        (0..actors).step_by(1000).map(move |begin| PgJoin {
            group: format!("flood {group}"),
            actors: members(begin, at_a_time),
            scope: SCOPE.to_owned(),
        })
    });
    let mut in_time = true;
    for join in joins {
        let limit = arena.left_for(&tally);
        let joined = timeout(limit, peer.writer.send(&[join.into()])).await;
        in_time = joined.is_ok();
        match joined {
            Ok(Ok(())) => tally.attempts += at_a_time,
            _ => break,
        }
    }
    let closed = peer
        .heard
        .closed_within(arena.left() + Duration::from_secs(1))
        .await;
    tally.refused += u64::from(closed);
    if expected == Outcome::LeftOut {
        tally.check("the session goes on", !closed, peer.heard.goodbye());
    } else if in_time && !arena.options.small {
        tally.check("the peer is closed", closed, peer.heard.goodbye());
    }
    tally.note(match peer.heard.goodbye() {
        goodbye if goodbye.is_empty() => "the victim takes no more than it can handle".to_owned(),
        goodbye => format!("closed: {goodbye}"),
    });
    Ok(tally)
}

async fn churn(arena: Arena) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    for (number, tier) in TIERS.into_iter().enumerate() {
        let mut peer = Peer::join(&arena, arena.source(number as u64), tier).await?;
        let (group, scope) = ("flood".to_owned(), SCOPE.to_owned());
        let actors = members(0, 100);
        let leave = PgLeave {
            group: group.clone(),
            actors: actors.clone(),
            scope: scope.clone(),
        };
        let join = PgJoin {
            group,
            actors,
            scope,
        };
        let both = frames(&[join.into(), leave.into()]);
        let half = arena.part(2 - number as u32);
        let mut churned = Tally::default();
        for _ in 0..arena.count(2000) {
            // Time that is over is no failure.
            match timeout(half.left_for(&churned), peer.writer.bytes(&both)).await {
                Ok(sent) => sent?,
                Err(_) => break,
            }
            churned.attempts += 1;
        }
        tally.attempts += churned.attempts;
        tally.check(
            "the session goes on",
            !peer.heard.is_closed(),
            peer.heard.goodbye(),
        );
    }
    Ok(tally)
}
