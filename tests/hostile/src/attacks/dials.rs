//! Nodes that a peer says there are, for the victim to dial.

use shiome_wire::{auth::NameMessage, control::NodeSessions};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Tally, USUAL,
        peer::{Peer, Tier},
        raw::frames,
    },
};

pub(crate) const ATTACKS: &[Attack] = &[Attack {
    name: "dials",
    about: "a legacy peer tells of 10000 nodes at a time, which nobody is behind, and of one address that takes connections \
            and says nothing under 1000 names, up to 40 times within 4 s; 64 are dialled at a time",
    bounds: USUAL,
    run: |arena| Box::pin(dials(arena)),
}];

async fn dials(arena: Arena) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    let mut peer = Peer::join(&arena, arena.source(0), Tier::Legacy).await?;
    let trap = TcpListener::bind((arena.source(1), 0)).await?;
    let port = trap.local_addr()?.port();
    let mut held = Vec::new();
    for turn in 0..arena.count(40) {
        let many = arena.count(10_000);
        let nowhere = (0..many).map(|at| {
            (
                format!("n{turn}.{at}@hostile"),
                arena.source(2 + at % 200),
                1,
            )
        });
        let trapped = (0..arena.count(1000))
            .map(|at| (format!("t{turn}.{at}@hostile"), arena.source(1), port));
        let sessions = nowhere
            .chain(trapped)
            .map(|(name, host, port)| NameMessage {
                name,
                connection_string: format!("{host}:{port}"),
                ..NameMessage::default()
            });
        let list = NodeSessions {
            sessions: sessions.collect(),
        };
        tally.attempts += list.sessions.len() as u64;
        if peer.writer.bytes(&frames(&[list.into()])).await.is_err() || arena.is_over(&tally) {
            break;
        }
        while let Ok(accepted) = timeout(arena.left() / 40, trap.accept()).await {
            held.push(accepted?.0);
        }
    }
    sleep(arena.left()).await;
    tally.check(
        "the session goes on",
        !peer.heard.is_closed(),
        peer.heard.goodbye(),
    );
    tally.check("dials to one address are few", held.len() <= 64, held.len());
    Ok(tally)
}
