//! Messages to actors, to those there are and to those there are not.

use std::time::Duration;

use shiome_wire::{meta::NetworkMessage, native, node::Cast};
use tokio::time::{sleep, timeout};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, Tally, USUAL,
        crowd::crowd,
        peer::{Peer, TIERS, Tier},
        raw::PATIENCE,
        spray::spray,
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "cast-unknown",
        about: "a legacy and a native peer cast to actors that there are not, up to 4 million within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(unknown(arena)),
    },
    Attack {
        name: "cast-actor",
        about: "a legacy and a native peer cast 1 KiB to an actor, up to 500000 within 4 s; what a \
                legacy peer has in the mailbox of an actor has no limit but what is sent",
        bounds: Bounds {
            // All that is sent, and a third more for its place in the mailbox.
            peak_mib: 650,
            ..USUAL
        },
        run: |arena| Box::pin(actor(arena)),
    },
    Attack {
        name: "stop-monitor",
        about: "a native peer stops and monitors actors that there are not, and takes monitors back that there are not, up \
                to 2 million within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(stops(arena)),
    },
];

async fn unknown(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 2, |arena, number| async move {
        let mut peer = Peer::join(&arena, arena.source(number), TIERS[number as usize]).await?;
        let casts: Vec<NetworkMessage> = (0..100).map(|at| cast(u64::MAX - at, 16)).collect();
        Ok(spray(&arena, &mut peer.writer, &casts, arena.count(2_000_000)).await)
    })
    .await
}

async fn actor(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 2, |arena, number| async move {
        let mut peer = Peer::join(&arena, arena.source(number), TIERS[number as usize]).await?;
        let casts = [cast(peer.target, 1024)];
        let tally = spray(&arena, &mut peer.writer, &casts, arena.count(250_000)).await;
        // The actor is to come to the end of its mailbox before it is looked at.
        sleep(Duration::from_millis(100)).await;
        Ok(tally)
    })
    .await
}

fn cast(to: u64, len: usize) -> NetworkMessage {
    let mut what = (len as u64).to_be_bytes().to_vec();
    what.resize(8 + len, 7);
    Cast {
        to,
        what: what.into(),
        variant: "Hear".to_owned(),
        metadata: None,
    }
    .into()
}

async fn stops(arena: Arena) -> Result<Tally, Problem> {
    let mut peer = Peer::join(&arena, arena.source(0), Tier::Native).await?;
    let mut messages: Vec<NetworkMessage> = Vec::new();
    for pid in 1_000_000..1_000_100 {
        let stop = native::Stop {
            pid,
            reason: None,
            kill: true,
        };
        messages.push(stop.into());
        messages.push(native::Monitor { pid }.into());
        messages.push(native::Demonitor { pid }.into());
    }
    let mut tally = spray(&arena, &mut peer.writer, &messages, arena.count(2_000_000)).await;
    let answers = timeout(PATIENCE, async {
        while peer.heard.exits() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    });
    let answered = answers.await.is_ok();
    tally.check(
        "monitors of nobody are answered",
        answered,
        peer.heard.exits(),
    );
    Ok(tally)
}
