//! Questions, each of which has an answer.

use prost_types::Timestamp;
use shiome_wire::{
    auth::NameMessage,
    control::{Ping, Pong, Ready, Terminate, control_message::Msg},
    meta::NetworkMessage,
};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Tally, USUAL,
        crowd::crowd,
        peer::{Claim, Deaf, Peer, TIERS},
        spray::spray,
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "ping",
        about: "a legacy and a native peer ping and read the answers, up to 4 million within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(ping(arena)),
    },
    Attack {
        name: "ping-deaf",
        about: "a legacy and a native peer ping and do not read the answers, up to 4 million within 4 s",
        bounds: crate::attack::Bounds {
            // What waits to be told a peer is at most 16 MiB by the lengths of the messages, and some times that in queues.
            peak_mib: 128,
            ..USUAL
        },
        run: |arena| Box::pin(ping_deaf(arena)),
    },
    Attack {
        name: "control",
        about: "a legacy and a native peer ask for sessions, answer pings that were not sent, and end what there is not, up \
                to 2 million within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(control(arena)),
    },
];

fn a_ping() -> NetworkMessage {
    let timestamp = Some(Timestamp {
        seconds: i64::MIN,
        nanos: i32::MAX,
    });
    Ping { timestamp }.into()
}

async fn ping(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 2, |arena, number| async move {
        let mut peer = Peer::join(&arena, arena.source(number), TIERS[number as usize]).await?;
        let most = arena.count(2_000_000);
        let mut tally = spray(&arena, &mut peer.writer, &[a_ping()], most).await;
        tally.refused = u64::from(peer.heard.is_closed());
        tally.note("refused: the peers that were closed, because they ask for more than they read");
        Ok(tally)
    })
    .await
}

async fn ping_deaf(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 2, |arena, number| async move {
        let claim = Claim::fresh(TIERS[number as usize]);
        let mut peer = Deaf::join(&arena, arena.source(number), &claim).await?;
        let most = arena.count(2_000_000);
        let mut tally = spray(&arena, &mut peer.writer, &[a_ping()], most).await;
        tally.refused = u64::from(tally.attempts < most && !arena.is_over(&tally));
        tally.note("refused: the peers that were closed for it");
        Ok(tally)
    })
    .await
}

async fn control(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 2, |arena, number| async move {
        let mut peer = Peer::join(&arena, arena.source(number), TIERS[number as usize]).await?;
        let pong = |seconds, nanos| Pong {
            timestamp: Some(Timestamp { seconds, nanos }),
        };
        let messages: [NetworkMessage; 6] = [
            Msg::EnumerateNodeSessions(NameMessage::default()).into(),
            pong(i64::MAX, -1).into(),
            pong(1_700_000_000, 0).into(),
            Pong::default().into(),
            Ready {}.into(),
            Terminate {
                ids: (0..50).collect(),
            }
            .into(),
        ];
        let mut tally = spray(&arena, &mut peer.writer, &messages, arena.count(1_000_000)).await;
        tally.refused = u64::from(peer.heard.is_closed());
        tally.note("refused: the peers that were closed, because they ask for more than they read");
        Ok(tally)
    })
    .await
}
