//! Credit that was not given, and credit beyond all measure.

use std::time::Duration;

use shiome_wire::{
    control,
    meta::NetworkMessage,
    native::{Credit, Fragment},
};
use tokio::time::{sleep, timeout};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Tally, USUAL,
        crowd::crowd,
        peer::{Peer, Tier},
        raw::PATIENCE,
        spray::spray,
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "credit-exceeded",
        about: "8 native peers at a time send 3 MiB where they have credit for 2, up to 200 within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(exceed(arena)),
    },
    Attack {
        name: "credit-absurd",
        about: "a native peer grants u64::MAX, 1 and nothing, up to 3 million times within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(absurd(arena)),
    },
];

async fn exceed(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 8, |arena, number| async move {
        let mut tally = Tally::default();
        for _ in 0..arena.count(25) {
            if arena.is_over(&tally) {
                break;
            }
            let mut peer = Peer::join(&arena, arena.source(number), Tier::Native).await?;
            let fragment = Fragment {
                id: 1,
                offset: 0,
                total: 32 << 20,
                data: vec![7; 3 << 20].into(),
            };
            tally.attempts += 1;
            let sent = peer.writer.send(&[fragment.into()]).await;
            let closed = peer.heard.closed_within(PATIENCE).await;
            tally.refused += u64::from(sent.is_err() || closed);
            let goodbye = peer.heard.goodbye();
            tally.check("the peer is told why", goodbye.contains("granted"), goodbye);
        }
        let all = tally.attempts == tally.refused;
        tally.check("each is closed", all, tally.refused);
        Ok(tally)
    })
    .await
}

async fn absurd(arena: Arena) -> Result<Tally, Problem> {
    let mut peer = Peer::join(&arena, arena.source(0), Tier::Native).await?;
    let grants = [u64::MAX, 1, 0].map(|bytes| NetworkMessage::from(Credit { bytes }));
    let mut tally = spray(&arena, &mut peer.writer, &grants, arena.count(3_000_000)).await;
    let before = peer.heard.messages();
    let ping = control::Ping {
        timestamp: Some(prost_types::Timestamp::default()),
    };
    let sent = peer.writer.send(&[ping.into()]).await.is_ok();
    let answered = timeout(PATIENCE, async {
        while peer.heard.messages() == before && !peer.heard.is_closed() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .is_ok();
    let goes_on = sent && answered && !peer.heard.is_closed();
    tally.check("the session goes on", goes_on, peer.heard.goodbye());
    Ok(tally)
}
