//! memberlist 0.8.5, which has no engine without a runtime: its tasks run on a tokio runtime of one thread whose clock is
//! paused and jumps from timer to timer.
//!
//! What that means for its figures:
//! - Its randomness has no seed, so plays cannot be repeated and have no fingerprint.
//! - tokio's timers tick in milliseconds, so latencies are rounded up to them.
//! - It looks at the real clock to see how long a member has been dead. To it all died just now, so it goes on gossiping
//!   to the dead and does not forget them.
//! - Its timers that repeat begin at a time of the real clock, so that one which is made anew after each tick, as that
//!   of push/pull is, would tick without a pause. It is switched off, and its owner here does the same from outside.
//! - It takes longer to declare a member dead than its settings (4, 6) should, which the suspicion timeouts of 8 to 48 s
//!   for 100 nodes allow for, and for which no reason in this adapter is known. Compare it with care.
//! - Its clusters really join and are given time to settle, since their tables cannot be filled.

mod cluster;
mod connection;
mod hub;
mod transport;

use std::time::Duration;

use memberlist_core::Options;
use shiome_sim::{
    Contender,
    metrics::Score,
    scenarios::{Game, crash, join, steady},
};
use tokio::{runtime::Builder, time::Instant};

use cluster::Cluster;

/// memberlist as configured for a LAN.
#[derive(Debug)]
pub(crate) struct Memberlist;

/// The largest cluster: above it, a play takes too long.
const MAX_SIZE: u32 = 256;

/// `Options::lan`, with the times of probes as its documentation says: 0.8.5 has them the wrong way round.
fn options() -> Options {
    Options::lan()
        .with_probe_interval(Duration::from_secs(1))
        .with_probe_timeout(Duration::from_millis(500))
        .with_push_pull_interval(Duration::ZERO)
}

impl Contender for Memberlist {
    fn name(&self) -> &str {
        "memberlist"
    }

    fn declines(&self, game: &Game) -> Option<String> {
        match game {
            _ if game.size() > MAX_SIZE => Some(format!(
                "not simulated above {MAX_SIZE} nodes: takes too long"
            )),
            Game::Crash(_) | Game::Steady(_) | Game::Join(_) => None,
            _ => Some("not played: its tasks cannot be stopped and started".to_owned()),
        }
    }

    fn most_seeds(&self, _: &Game) -> usize {
        3
    }

    fn play(&self, game: &Game, seed: u64) -> Score {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without sockets needs nothing from the system");
        runtime.block_on(async {
            match game {
                Game::Crash(game) => play_crash(game, seed).await,
                Game::Steady(game) => play_steady(game, seed).await,
                Game::Join(game) => play_join(game, seed).await,
                _ => Score::default(),
            }
        })
    }
}

const PATIENCE: Duration = Duration::from_secs(300);
/// Time in which rumours of the joins die down.
const SETTLING: Duration = Duration::from_secs(20);

async fn play_crash(game: &crash::Crash, seed: u64) -> Score {
    let mut cluster = Cluster::settled(game.size, game.conditions, seed).await;
    let victim = cluster.random(game.size);
    let begin = Instant::now();
    cluster.crash(victim).await;
    let all = cluster
        .wait(PATIENCE, |hub| hub.known_by(victim) == 0)
        .await;
    let first = cluster.hub.first_down(victim);
    let mut score = Score::default();
    let seconds = |at: Option<Instant>| at.map_or(f64::INFINITY, |at| (at - begin).as_secs_f64());
    score.set(&crash::FIRST_KNOWS, seconds(first));
    score.set(&crash::ALL_KNOW, seconds(all));
    score.set(&crash::COMPLETE, f64::from(u8::from(all.is_some())));
    score
}

async fn play_steady(game: &steady::Steady, seed: u64) -> Score {
    /// It is much slower to simulate than others.
    const LONGEST: Duration = Duration::from_secs(120);
    let cluster = Cluster::settled(game.size, game.conditions, seed).await;
    let span = Duration::from_nanos(game.span).min(LONGEST);
    let before = cluster.hub.traffic();
    let wrong = cluster.hub.false_positives();
    tokio::time::sleep(span).await;
    let after = cluster.hub.traffic();
    let per_node = span.as_secs_f64() * f64::from(game.size);
    let mut score = Score::default();
    let bytes = (after.bytes - before.bytes) as f64;
    score.set(&steady::BYTES, bytes / per_node);
    let datagrams = (after.datagrams - before.datagrams) as f64;
    score.set(&steady::DATAGRAMS, datagrams / per_node);
    let wrong = (cluster.hub.false_positives() - wrong) as f64;
    let hours = span.as_secs_f64() / 3_600.0;
    score.set(&steady::FALSE_POSITIVES, wrong / hours);
    score
}

async fn play_join(game: &join::Join, seed: u64) -> Score {
    let mut cluster = Cluster::new(game.size, game.conditions, seed);
    let begin = Instant::now();
    cluster.join_all(Duration::from_millis(100)).await;
    let end = cluster.wait(PATIENCE / 2, |hub| hub.is_complete()).await;
    let mut score = Score::default();
    let time = end.map_or(f64::INFINITY, |end| (end - begin).as_secs_f64());
    score.set(&join::ALL_KNOW_ALL, time);
    score.set(&join::COMPLETE, f64::from(u8::from(end.is_some())));
    score.set(&join::SIZES, cluster.hub.most_sizes() as f64);
    let bytes = cluster.hub.traffic().bytes as f64;
    score.set(&join::BYTES, bytes / f64::from(game.size));
    score
}
