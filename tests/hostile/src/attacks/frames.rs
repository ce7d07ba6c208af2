//! Frames of lengths that nobody should send.

use std::{net::Ipv4Addr, time::Duration};

use tokio::time::timeout;

use crate::{
    Problem,
    attack::{
        Arena, Attack, Tally, USUAL,
        crowd::crowd,
        peer::{Claim, Deaf, Peer, TIERS, Tier},
        raw::{PATIENCE, Raw, frame},
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "frame-oversized",
        about: "strangers from 200 addresses announce frames of 4 KiB and a byte up to u64::MAX, up to 1000 within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(oversized(arena)),
    },
    Attack {
        name: "frame-zero",
        about: "8 strangers send empty frames without end, up to 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(zero(arena)),
    },
    Attack {
        name: "frame-oversized-inside",
        about: "peers that are in, legacy and native, announce frames above 16 MiB up to u64::MAX, up to 200 within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(oversized_inside(arena)),
    },
    Attack {
        name: "frame-zero-inside",
        about: "2 peers that are in send empty frames without end, up to 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(zero_inside(arena)),
    },
];

/// What a stranger may announce at most, and what a peer.
const STRANGER: u64 = shiome_wire::MAX_UNAUTHENTICATED_FRAME_LEN;
const PEER: u64 = shiome_wire::MAX_FRAME_LEN;

/// Lengths above `limit`, up to the greatest.
fn lengths(limit: u64) -> [u64; 8] {
    let mib = 1024 * 1024;
    [
        limit + 1,
        17 * mib,
        u64::from(u32::MAX),
        u64::from(u32::MAX) + 1,
        1 << 40,
        i64::MAX as u64,
        u64::MAX - 7,
        u64::MAX,
    ]
}

async fn oversized(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, arena.count(200), |arena, number| async move {
        let from = arena.source(number);
        let mut tally = Tally::default();
        for length in lengths(STRANGER)
            .into_iter()
            .cycle()
            .skip(number as usize)
            .take(5)
        {
            if arena.is_over(&tally) {
                break;
            }
            tally.attempts += 1;
            tally.refused += u64::from(announce(&arena, from, length).await?);
        }
        let all = tally.attempts == tally.refused;
        tally.check("each is closed", all, tally.refused);
        Ok(tally)
    })
    .await
}

/// What is not closed by then waits for the rest of the frame, until the deadline of 5 s.
const LOOK: Duration = Duration::from_millis(4500);

/// Whether the victim closes on such a frame.
async fn announce(arena: &Arena, from: Ipv4Addr, length: u64) -> Result<bool, Problem> {
    let Ok(mut raw) = Raw::tcp(from, &arena.options.tcp).await else {
        return Ok(true);
    };
    let sent = raw.writer.bytes(&frame(length, &[0; 64])).await;
    Ok(sent.is_err() || raw.reader.closed_within(LOOK).await)
}

async fn oversized_inside(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 8, |arena, number| async move {
        let mut tally = Tally::default();
        for (turn, length) in lengths(PEER).into_iter().cycle().take(24).enumerate() {
            if arena.is_over(&tally) {
                break;
            }
            let claim = Claim::fresh(TIERS[turn % 2]);
            let mut peer = Deaf::join(&arena, arena.source(number), &claim).await?;
            tally.attempts += 1;
            let sent = peer.writer.bytes(&frame(length, &[0; 64])).await;
            let closed = sent.is_err() || peer.reader.closed_within(PATIENCE / 5).await;
            tally.refused += u64::from(closed);
        }
        let all = tally.attempts == tally.refused;
        tally.check("each is closed", all, tally.refused);
        Ok(tally)
    })
    .await
}

/// Empty frames sent at a time.
const BATCH: usize = 8 * 1024;

async fn zero(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 8, |arena, number| async move {
        let mut tally = Tally::default();
        let batch = vec![0; 8 * BATCH];
        while !arena.is_over(&tally) {
            let Ok(mut raw) = Raw::tcp(arena.source(number), &arena.options.tcp).await else {
                tally.attempts += BATCH as u64;
                tally.refused += BATCH as u64;
                continue;
            };
            loop {
                tally.attempts += BATCH as u64;
                match timeout(arena.left(), raw.writer.bytes(&batch)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => {
                        tally.refused += BATCH as u64;
                        break;
                    }
                    Err(_) => break,
                }
            }
            tokio::time::sleep(REST).await;
        }
        Ok(tally)
    })
    .await
}

/// Before the next connection.
const REST: Duration = Duration::from_millis(20);

async fn zero_inside(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 2, |arena, number| async move {
        let mut tally = Tally::default();
        let tier = if number == 0 {
            Tier::Legacy
        } else {
            Tier::Native
        };
        let mut peer = Peer::join(&arena, arena.source(number), tier).await?;
        let batch = vec![0; 8 * BATCH];
        while let Ok(Ok(())) = timeout(arena.left_for(&tally), peer.writer.bytes(&batch)).await {
            tally.attempts += BATCH as u64;
        }
        tally.note("peers that are in may: a published node skips them too");
        Ok(tally)
    })
    .await
}
