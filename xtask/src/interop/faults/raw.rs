//! E16 to E19: clients that do not keep to the protocol.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    Scene,
    figure::{BOTH, Figure, Goal, Reading},
};
use crate::peers::{node::Node, programs::Kind, wire::Client};

/// What the prefix of [`huge`] announces: 1 TiB.
const HUGE_LEN: u64 = 1 << 40;

/// Bytes of [`silence`] before authentication, within the limit for frames.
const GARBAGE_LEN: usize = 15 * 1024 * 1024;

/// Pids of [`crowd`].
const PIDS: u64 = 20_000;
const FULL_PIDS: u64 = 200_000;

/// Time for a node to do what it is going to do.
const PATIENCE: Duration = Duration::from_secs(3);
const LONG_PATIENCE: Duration = Duration::from_secs(60);

/// How long a silent client is looked at.
const SILENCE: Duration = Duration::from_secs(15);
const FULL_SILENCE: Duration = Duration::from_secs(45);

const KIB_PER_MIB: f64 = 1024.0;

pub(super) const HUGE: &[Figure] =
    &[
        Figure::new("node runs on after a prefix of 1 TiB", "nodes", Goal::All)
            .missed_by(&[Kind::V0_15]),
    ];

pub(super) fn huge(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let mut node = scene.stage.node(scene.subject, "node", &[])?;
    let mut client = Client::dial(&node.address())?;
    client.throw(&HUGE_LEN.to_be_bytes(), PATIENCE);
    let closed = client.closed_after(PATIENCE).is_some();
    let reading = Reading::of(usize::from(answers(&mut node)), 1);
    let told = if closed { "closed" } else { "left open" };
    Ok(vec![reading.note(format!("the connection was {told}"))])
}

pub(super) const PONGS: &[Figure] =
    &[
        Figure::new("sessions that bear an odd Pong", "sessions", Goal::All)
            .missed_by(&[Kind::V0_15]),
    ];

pub(super) fn pongs(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let node = scene.stage.node(scene.subject, "node", &[])?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|e| e.to_string())?.as_secs();
    let odd = [None, Some(now)];
    let mut alive = 0;
    for (number, seconds) in odd.into_iter().enumerate() {
        let mut client = Client::join(&node.address(), &format!("odd{number}"))?;
        client.pong(seconds)?;
        alive += usize::from(client.pings(PATIENCE)?);
    }
    Ok(vec![Reading::of(alive, odd.len())])
}

pub(super) const CROWD: &[Figure] = &[Figure::new(
    "memory for many announced actors",
    "MiB",
    Goal::AtMost(64.0),
)];

pub(super) fn crowd(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let pids = if scene.options.full { FULL_PIDS } else { PIDS };
    let node = scene.stage.node(scene.subject, "node", &[])?;
    let mut client = Client::join(&node.address(), "crowd")?;
    let before = node.memory()?.resident;
    let len = client.announce(1..pids + 1)?;
    // Messages are handled in order: who answers has dealt with it.
    let taken = client.pings(LONG_PATIENCE)?;
    let grown = node.memory()?.peak.saturating_sub(before);
    let told = if taken { "taken" } else { "refused" };
    Ok(vec![
        Reading::is(grown as f64 / KIB_PER_MIB).note(format!("{pids} in {len} bytes, {told}")),
    ])
}

pub(super) const SILENCE_FIGURES: &[Figure] = &[
    Figure::new("silent client closed after", "s", Goal::AtMost(10.0)).missed_by(BOTH),
    Figure::new(
        "memory for 15 MiB before authentication",
        "MiB",
        Goal::AtMost(2.0),
    ),
];

pub(super) fn silence(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let patience = if scene.options.full {
        FULL_SILENCE
    } else {
        SILENCE
    };
    let node = scene.stage.node(scene.subject, "node", &[])?;
    let mut silent = Client::dial(&node.address())?;
    let after = silent.closed_after(patience);
    let closed = Reading::found(after.map(|after| after.as_secs_f64()));
    let closed = match after {
        Some(_) => closed,
        None => closed.note(format!("open after {} s", patience.as_secs())),
    };

    let before = node.memory()?.resident;
    let mut client = Client::dial(&node.address())?;
    client.throw(&(GARBAGE_LEN as u64).to_be_bytes(), PATIENCE);
    // One byte less than a frame, which stays in memory so.
    let taken = client.throw(&vec![0xff; GARBAGE_LEN - 1], PATIENCE);
    let closed_early = client.closed_after(PATIENCE).is_some();
    let grown = node.memory()?.peak.saturating_sub(before) as f64 / KIB_PER_MIB;
    let told = if closed_early { "closed" } else { "left open" };
    let garbage = Reading::is(grown).note(format!("{taken} bytes went out, {told}"));
    Ok(vec![closed, garbage])
}

/// Whether the process is there and serves.
fn answers(node: &mut Node) -> bool {
    node.is_running() && node.try_ask("sessions").is_ok_and(|answer| answer.is_ok())
}
