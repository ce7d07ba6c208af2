//! More connections than anybody could use.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    time::{Instant, sleep},
};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, GivenUp, Tally, USUAL,
        crowd::crowd,
        raw::{Raw, connect, vanish},
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "flood-close",
        about: "up to 20000 connections from 4 addresses, each closed at once, within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(knock(arena, Leave::Close)),
    },
    Attack {
        name: "flood-half-open",
        about: "up to 20000 connections from 4 addresses that are never spoken on and vanish by a reset, within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(knock(arena, Leave::Reset)),
    },
    Attack {
        name: "flood-hold",
        about: "7 addresses hold as many connections as they get, 64 each, up to 20000 tries within 6 s",
        bounds: Bounds {
            millis: 6000,
            ..USUAL
        },
        run: |arena| Box::pin(hold(arena, 7, 64)),
    },
    Attack {
        name: "flood-hold-many",
        about: "48 addresses hold as many connections as they get, 16 each, up to 20000 tries within 6 s; \
                together they may take every place for strangers, and newcomers wait",
        bounds: Bounds {
            millis: 6000,
            given_up: GivenUp::Newcomer,
            ..USUAL
        },
        run: |arena| Box::pin(hold(arena, 48, 16)),
    },
];

/// How a connection is left.
#[derive(Debug, Clone, Copy)]
enum Leave {
    Close,
    Reset,
}

const KNOCKS: u64 = 20_000;

async fn knock(arena: Arena, leave: Leave) -> Result<Tally, Problem> {
    let tasks = 4;
    crowd(&arena, tasks, move |arena, number| {
        knock_from(arena.clone(), arena.source(number), leave, KNOCKS / tasks)
    })
    .await
}

async fn knock_from(
    arena: Arena,
    from: Ipv4Addr,
    leave: Leave,
    many: u64,
) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    for number in 0..arena.count(many) {
        if arena.is_over(&tally) {
            break;
        }
        tally.attempts += 1;
        let Ok(mut stream) = connect(from, &arena.options.tcp).await else {
            tally.refused += 1;
            continue;
        };
        match leave {
            Leave::Close => {}
            Leave::Reset => {
                // Every other one has begun to speak.
                if number % 2 == 0 {
                    let _ = stream.write_all(&[0; 3]).await;
                }
                vanish(stream)?;
            }
        }
    }
    Ok(tally)
}

/// Tries to hold `each` connections from each of `sources` addresses.
async fn hold(arena: Arena, sources: u64, each: u64) -> Result<Tally, Problem> {
    let many = arena.count(sources * each);
    let most = KNOCKS / many;
    crowd(&arena, many, move |arena, number| {
        hold_from(arena.clone(), arena.source(number % sources), most)
    })
    .await
}

async fn hold_from(arena: Arena, from: Ipv4Addr, most: u64) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    while tally.attempts < most && !arena.is_over(&tally) {
        tally.attempts += 1;
        let begun = Instant::now();
        let closed = match Raw::tcp(from, &arena.options.tcp).await {
            Ok(mut raw) => raw.reader.closed_within(arena.left()).await,
            Err(_) => true,
        };
        tally.refused += u64::from(closed && begun.elapsed() < AT_THE_DOOR);
        sleep(REST).await;
    }
    sleep(arena.left()).await;
    Ok(tally)
}

/// What is closed before that was not let in.
const AT_THE_DOOR: Duration = Duration::from_secs(1);

/// Before the next try.
const REST: Duration = Duration::from_millis(20);
