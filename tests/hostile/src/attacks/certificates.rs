//! Certificates that do not do.

use std::sync::Arc;

use shiome_transport::tls::Credentials;
use tokio::time::timeout;

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, Door, Tally, USUAL,
        crowd::crowd,
        peer::{Claim, TIERS, shake_hands},
        raw::{PATIENCE, Raw},
    },
    certificates, good,
    links::{HOST, credentials},
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "certificate-other-name",
        about: "peers that know the cookie, with a certificate of the cluster for another name, call themselves as good \
                nodes do, up to 400 times from 100 addresses within 4 s",
        bounds: BOUNDS,
        run: |arena| Box::pin(attack(arena, Some(certificates::OTHER_NAME))),
    },
    Attack {
        name: "certificate-expired",
        about: "the same with an expired certificate",
        bounds: BOUNDS,
        run: |arena| Box::pin(attack(arena, Some(certificates::EXPIRED))),
    },
    Attack {
        name: "certificate-self-signed",
        about: "the same with a certificate that nobody but its owner has signed",
        bounds: BOUNDS,
        run: |arena| Box::pin(attack(arena, Some(certificates::SELF_SIGNED))),
    },
    Attack {
        name: "certificate-other-authority",
        about: "the same with a certificate of another authority",
        bounds: BOUNDS,
        run: |arena| Box::pin(attack(arena, Some(certificates::OTHER_AUTHORITY))),
    },
    Attack {
        name: "certificate-none",
        about: "the same without a certificate",
        bounds: BOUNDS,
        run: |arena| Box::pin(attack(arena, None)),
    },
];

const BOUNDS: Bounds = Bounds {
    door: Door::Tls,
    ..USUAL
};

const SOURCES: u64 = 100;
const AT_A_TIME: u64 = 8;
const EACH: u64 = 50;

async fn attack(arena: Arena, identity: Option<&'static str>) -> Result<Tally, Problem> {
    let shown = credentials(&arena.options.dir, identity)?;
    let mut tally = crowd(&arena, AT_A_TIME, move |arena, number| {
        let shown = Arc::clone(&shown);
        async move {
            let mut tally = Tally::default();
            for turn in 0..arena.count(EACH) {
                if arena.is_over(&tally) {
                    break;
                }
                tally.attempts += 1;
                let source = (turn * AT_A_TIME + number) % SOURCES;
                let entered = timeout(PATIENCE, enter(&arena, source, turn, &shown)).await?;
                tally.refused += u64::from(entered.is_err());
            }
            Ok(tally)
        }
    })
    .await?;
    let in_ = tally.attempts - tally.refused;
    tally.check("none gets in", in_ == 0, in_);
    // The same way is open to who has a right to it.
    let right = credentials(&arena.options.dir, Some(certificates::OTHER_NAME))?;
    let raw = Raw::tls(arena.source(240), &arena.options.tls, &right).await?;
    let mut claim = Claim::fresh(TIERS[0]);
    claim.name = format!("someone-else@{HOST}");
    let entered = shake_hands(raw, &claim, arena.source(240)).await;
    tally.check("who has a right gets in", entered.is_ok(), entered.is_ok());
    Ok(tally)
}

async fn enter(
    arena: &Arena,
    source: u64,
    turn: u64,
    shown: &Arc<Credentials>,
) -> Result<(), Problem> {
    let from = arena.source(source);
    let raw = Raw::tls(from, &arena.options.tls, shown).await?;
    let mut claim = Claim::fresh(TIERS[(turn % 2) as usize]);
    let names = [good::GOOD, certificates::NEWCOMER, certificates::VICTIM];
    claim.name = format!("{}@{HOST}", names[(turn % 3) as usize]);
    shake_hands(raw, &claim, from).await.map(drop)
}
