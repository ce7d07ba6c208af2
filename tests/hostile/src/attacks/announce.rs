//! Actors that a peer says it has.

use std::time::Duration;

use shiome_wire::control::{Actor, Spawn, Terminate};
use tokio::time::timeout;

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, Tally, USUAL,
        peer::{Peer, TIERS},
        raw::frames,
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "announce-million",
        about: "a legacy and then a native peer announce a million actors each, 100000 a message",
        bounds: Bounds {
            // Twice 262144 entries of some hundred bytes, for the second begins when the first may not be gone, the
            // stand-ins of 64 each, and a message on its way.
            peak_mib: 128,
            ..USUAL
        },
        run: |arena| Box::pin(announce(arena, 10, 100_000, 0)),
    },
    Attack {
        name: "announce-names",
        about: "a legacy and then a native peer announce 40000 actors with names of 4 KiB each, 4000 a message",
        bounds: Bounds {
            // Twice 64 MiB of names, what holds them, and a message on its way twice, as bytes and as names.
            peak_mib: 256,
            ..USUAL
        },
        run: |arena| Box::pin(announce(arena, 10, 4000, 4096)),
    },
    Attack {
        name: "announce-churn",
        about: "a legacy and a native peer, one after the other, let up to 200000 actors begin and end, 100 a message",
        bounds: USUAL,
        run: |arena| Box::pin(churn(arena)),
    },
];

async fn announce(arena: Arena, messages: u64, each: u64, name: usize) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    let each = arena.count(each);
    for (number, tier) in TIERS.into_iter().enumerate() {
        let mut peer = Peer::join(&arena, arena.source(number as u64), tier).await?;
        for message in 0..messages {
            let actors = (0..each).map(|at| {
                let pid = 1_000_000 + message * each + at;
                let name = (name > 0).then(|| format!("{pid:0name$}"));
                Actor { pid, name }
            });
            let spawn = Spawn {
                actors: actors.collect(),
            };
            tally.attempts += each;
            if peer.writer.send(&[spawn.into()]).await.is_err() {
                break;
            }
        }
        let closed = peer.heard.closed_within(Duration::from_secs(3)).await;
        tally.refused += u64::from(closed);
        if !arena.options.small {
            tally.check("the peer is closed", closed, peer.heard.goodbye());
        }
    }
    tally.note("refused: the peers that were closed for it");
    Ok(tally)
}

async fn churn(arena: Arena) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    for (number, tier) in TIERS.into_iter().enumerate() {
        let mut peer = Peer::join(&arena, arena.source(number as u64), tier).await?;
        let half = arena.part(2 - number as u32);
        let mut churned = Tally::default();
        for turn in 0..arena.count(1000) {
            let pids: Vec<_> = (0..100).map(|at| 1_000_000 + turn * 100 + at).collect();
            let actors = pids.iter().map(|&pid| Actor { pid, name: None });
            let spawn = Spawn {
                actors: actors.collect(),
            };
            let messages = frames(&[spawn.into(), Terminate { ids: pids }.into()]);
            // Time that is over is no failure.
            match timeout(half.left_for(&churned), peer.writer.bytes(&messages)).await {
                Ok(sent) => sent?,
                Err(_) => break,
            }
            churned.attempts += 100;
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
