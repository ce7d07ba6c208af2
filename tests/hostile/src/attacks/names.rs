//! Names that are not the attacker's, or not any more.

use shiome_wire::{
    auth::{NameMessage, authentication_message::Msg},
    control,
};
use tokio::time::{sleep, timeout};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, GivenUp, Tally, USUAL,
        crowd::crowd,
        peer::{Claim, Deaf, Peer, TIERS, Tier, shake_hands},
        raw::{PATIENCE, Raw, frames},
    },
    good::GOOD,
    links::HOST,
    victim::VICTIM,
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "name-again",
        about: "peers that are in, legacy and native, give themselves other names, the victim's and the good peer's among \
                them, up to 200000 times within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(again(arena)),
    },
    Attack {
        name: "name-victim",
        about: "peers that know the cookie call themselves as the victim does, or say that they are reached there, up to \
                200 times from 100 addresses within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(as_victim(arena)),
    },
    Attack {
        name: "name-good",
        about: "strangers call themselves as the good peer does, up to 1000 times from 200 addresses within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(as_good(arena)),
    },
    Attack {
        name: "name-good-inside",
        about: "a peer that knows the cookie calls itself as the good peer does, as a later run of it, 8 times within 4 s: \
                without certificates a name is whose run is the latest, and the good peer's session may go",
        bounds: Bounds {
            given_up: GivenUp::Session,
            ..USUAL
        },
        run: |arena| Box::pin(as_good_inside(arena)),
    },
];

/// Names sent at a time.
const BATCH: u64 = 500;

async fn again(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 2, |arena, number| async move {
        let tier = TIERS[number as usize];
        let mut tally = Tally::default();
        let mut peer = Peer::join(&arena, arena.source(number), tier).await?;
        let names = [VICTIM, GOOD, "somebody"].map(|name| {
            Msg::Name(NameMessage {
                name: format!("{name}@{HOST}"),
                connection_string: format!("{HOST}:1"),
                ..NameMessage::default()
            })
            .into()
        });
        let batch = frames(
            &names
                .iter()
                .cycle()
                .take(BATCH as usize)
                .cloned()
                .collect::<Vec<_>>(),
        );
        while tally.attempts < arena.count(100_000) && !arena.is_over(&tally) {
            if peer.writer.bytes(&batch).await.is_err() {
                break;
            }
            tally.attempts += BATCH;
        }
        // Skipped, as published nodes do, and the session goes on.
        let before = peer.heard.messages();
        let ping = control::Ping {
            timestamp: Some(prost_types::Timestamp::default()),
        };
        let answered = peer.writer.send(&[ping.into()]).await.is_ok()
            && timeout(PATIENCE, async {
                while peer.heard.messages() == before && !peer.heard.is_closed() {
                    sleep(LOOK).await;
                }
            })
            .await
            .is_ok();
        tally.check(
            "the session goes on",
            answered && !peer.heard.is_closed(),
            answered,
        );
        Ok(tally)
    })
    .await
}

const LOOK: std::time::Duration = std::time::Duration::from_millis(5);

async fn as_victim(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 4, |arena, number| async move {
        let mut tally = Tally::default();
        for turn in 0..arena.count(50) {
            if arena.is_over(&tally) {
                break;
            }
            let mut claim = Claim::fresh(TIERS[(turn % 2) as usize]);
            claim.name = format!("{VICTIM}@{HOST}");
            let from = arena.source((turn * 4 + number) % 100);
            tally.attempts += 1;
            let raw = Raw::tcp(from, &arena.options.tcp).await;
            let entered = match raw {
                Ok(raw) => shake_hands(raw, &claim, from).await.is_ok(),
                Err(_) => false,
            };
            tally.refused += u64::from(!entered);
        }
        let in_ = tally.attempts - tally.refused;
        tally.check("none gets in", in_ == 0, in_);
        Ok(tally)
    })
    .await
}

async fn as_good(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 8, |arena, number| async move {
        let mut tally = Tally::default();
        for turn in 0..arena.count(125) {
            if arena.is_over(&tally) {
                break;
            }
            let mut claim = Claim::fresh(TIERS[(turn % 2) as usize]);
            claim.name = format!("{GOOD}@{HOST}");
            claim.cookie = "not the cookie".to_owned();
            let from = arena.source((turn * 8 + number) % 200);
            tally.attempts += 1;
            let raw = Raw::tcp(from, &arena.options.tcp).await;
            let entered = match raw {
                Ok(raw) => shake_hands(raw, &claim, from).await.is_ok(),
                Err(_) => false,
            };
            tally.refused += u64::from(!entered);
        }
        let in_ = tally.attempts - tally.refused;
        tally.check("none gets in", in_ == 0, in_);
        Ok(tally)
    })
    .await
}

async fn as_good_inside(arena: Arena) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    for turn in 0..8 {
        if arena.is_over(&tally) {
            break;
        }
        let mut claim = Claim::fresh(Tier::Native);
        claim.name = format!("{GOOD}@{HOST}");
        tally.attempts += 1;
        match Deaf::join(&arena, arena.source(turn), &claim).await {
            Ok(_) => tally.note("it gets in"),
            Err(_) => tally.refused += 1,
        }
        sleep(arena.left() / 8).await;
    }
    Ok(tally)
}
