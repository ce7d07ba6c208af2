//! Calls whose answers nobody wants.

use std::time::Duration;

use shiome_wire::{meta::NetworkMessage, node::Call};
use tokio::time::sleep;

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, Tally, USUAL,
        crowd::crowd,
        peer::{Claim, Deaf, TIERS, Tier},
        spray::spray,
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "call-deaf",
        about: "a legacy and a native peer call with 1 KiB and do not read the answers, up to a million calls within 4 s",
        bounds: Bounds {
            // Two peers: each an outbox of 64 MiB, as much in replies that wait, and 65536 calls.
            peak_mib: 448,
            ..USUAL
        },
        run: |arena| Box::pin(deaf(arena, 1024, 500_000)),
    },
    Attack {
        name: "call-deaf-large",
        about: "a legacy and a native peer call with 48 KiB and do not read the answers, up to 100000 calls within 4 s",
        bounds: Bounds {
            // As above, and the calls in the mailbox of the actor, as far as it is slower than the link.
            peak_mib: 640,
            ..USUAL
        },
        run: |arena| Box::pin(deaf(arena, 48 * 1024, 50_000)),
    },
    Attack {
        name: "call-starved",
        about: "a native peer calls with 100 KiB, reads, and never grants credit for the answers, up to 20000 calls within \
                4 s",
        bounds: Bounds {
            // An outbox and what waits for it, 64 MiB each.
            peak_mib: 192,
            ..USUAL
        },
        run: |arena| Box::pin(starved(arena)),
    },
    Attack {
        name: "call-unanswered",
        about: "a legacy and a native peer make calls that the actor keeps, up to 400000 within 4 s; 65536 a peer are open",
        bounds: Bounds {
            peak_mib: 256,
            ..USUAL
        },
        run: |arena| Box::pin(unanswered(arena)),
    },
];

async fn deaf(arena: Arena, len: usize, most: u64) -> Result<Tally, Problem> {
    crowd(&arena, 2, move |arena, number| async move {
        let claim = Claim::fresh(TIERS[number as usize]);
        let mut peer = Deaf::join(&arena, arena.source(number), &claim).await?;
        peer.ready().await?;
        let calls = [echo(peer.target, len)];
        let tally = spray(&arena, &mut peer.writer, &calls, arena.count(most)).await;
        sleep(arena.left()).await;
        Ok(tally)
    })
    .await
}

async fn starved(arena: Arena) -> Result<Tally, Problem> {
    let mut claim = Claim::fresh(Tier::Native);
    claim.window = shiome::session::MIN_WINDOW;
    let mut peer = Deaf::join(&arena, arena.source(0), &claim).await?;
    peer.ready().await?;
    let mut peer = peer.listen();
    let calls = [echo(peer.target, 100 * 1024)];
    let tally = spray(&arena, &mut peer.writer, &calls, arena.count(20_000)).await;
    sleep(arena.left()).await;
    Ok(tally)
}

async fn unanswered(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 2, |arena, number| async move {
        let claim = Claim::fresh(TIERS[number as usize]);
        let mut peer = Deaf::join(&arena, arena.source(number), &claim).await?;
        peer.ready().await?;
        let mut peer = peer.listen();
        let keep = Call {
            to: peer.target,
            variant: "Keep".to_owned(),
            ..Call::default()
        };
        let most = arena.count(200_000);
        let mut tally = spray(&arena, &mut peer.writer, &[keep.into()], most).await;
        sleep(arena.left().min(Duration::from_secs(1))).await;
        tally.refused = peer.heard.messages();
        tally.note("refused: told so, which a legacy peer is not");
        Ok(tally)
    })
    .await
}

fn echo(to: u64, len: usize) -> NetworkMessage {
    let mut what = (len as u64).to_be_bytes().to_vec();
    what.resize(8 + len, 7);
    Call {
        to,
        what: what.into(),
        tag: 1,
        timeout_ms: Some(60_000),
        variant: "Echo".to_owned(),
        metadata: None,
    }
    .into()
}
