//! Pieces of messages that do not fit together, or never end.

use shiome_wire::{meta::NetworkMessage, native::Fragment};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, Tally, USUAL,
        crowd::crowd,
        peer::{Peer, Tier},
        raw::PATIENCE,
        spray::spray,
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "fragment-wrong",
        about: "native peers send pieces that are empty, overlap, leave gaps, go beyond the end, have no or an absurd \
                length, or begin 33 messages, up to 400 peers within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(wrong(arena)),
    },
    Attack {
        name: "fragment-unfinished",
        about: "a native peer begins 32 messages of 4 MiB and sends all of each but the last byte; 128 MiB may wait for a \
                minute",
        bounds: Bounds {
            peak_mib: 192,
            ..USUAL
        },
        run: |arena| Box::pin(unfinished(arena)),
    },
];

/// What is wrong in itself, or after the one before.
fn wrongs() -> [Vec<Fragment>; 9] {
    let whole = fragment(1, 0, 100, 10);
    [
        vec![fragment(1, 0, 100, 0)],
        vec![fragment(1, 0, 0, 10)],
        vec![fragment(1, 0, u64::MAX, 10)],
        vec![fragment(1, 0, 65 << 20, 10)],
        vec![whole.clone(), whole.clone()],
        vec![whole.clone(), fragment(1, 5, 0, 10)],
        vec![whole.clone(), fragment(1, 20, 0, 10)],
        vec![whole, fragment(1, 10, 0, 1000)],
        (0..33).map(|id| fragment(id, 0, 100, 10)).collect(),
    ]
}

fn fragment(id: u64, offset: u64, total: u64, len: usize) -> Fragment {
    Fragment {
        id,
        offset,
        total,
        data: vec![7; len].into(),
    }
}

async fn wrong(arena: Arena) -> Result<Tally, Problem> {
    let each = arena.count(50).max(9);
    crowd(&arena, 8, move |arena, number| async move {
        let mut tally = Tally::default();
        for fragments in wrongs().iter().cycle().take(each as usize) {
            if arena.is_over(&tally) {
                break;
            }
            let mut peer = Peer::join(&arena, arena.source(number), Tier::Native).await?;
            let messages: Vec<NetworkMessage> = fragments.iter().cloned().map(Into::into).collect();
            tally.attempts += 1;
            let sent = peer.writer.send(&messages).await;
            let closed = peer.heard.closed_within(PATIENCE).await;
            tally.refused += u64::from(sent.is_err() || closed);
            let goodbye = peer.heard.goodbye();
            let told = goodbye.contains("fragment");
            tally.check("the peer is told why", told, goodbye);
        }
        let all = tally.attempts == tally.refused;
        tally.check("each is closed", all, tally.refused);
        Ok(tally)
    })
    .await
}

async fn unfinished(arena: Arena) -> Result<Tally, Problem> {
    let mut peer = Peer::join(&arena, arena.source(0), Tier::Native).await?;
    let (messages, total, piece) = (32, 4u64 << 20, 32 * 1024);
    let mut fragments: Vec<NetworkMessage> = Vec::new();
    let mut tally = Tally::default();
    for offset in (0..total).step_by(piece) {
        if arena.is_over(&tally) {
            break;
        }
        for id in 0..messages {
            let len = piece - usize::from(offset + piece as u64 == total);
            let total = if offset == 0 { total } else { 0 };
            fragments.push(fragment(id, offset, total, len).into());
        }
        let many = fragments.len() as u64;
        tally.attempts += spray(
            &arena,
            &mut peer.writer,
            &std::mem::take(&mut fragments),
            many,
        )
        .await
        .attempts;
    }
    tally.check(
        "the session goes on",
        !peer.heard.is_closed(),
        peer.heard.goodbye(),
    );
    tokio::time::sleep(arena.left()).await;
    Ok(tally)
}
