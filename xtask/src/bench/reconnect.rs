//! How long it takes until a peer that was killed and started anew can be called again.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    Lab,
    row::{Figure, Row},
};
use crate::peers::{
    figures::{Goal, max, median, told},
    half_open::{self, Return},
    programs::Kind,
    stage::{Stage, await_ready, populate},
};

pub(super) const NAME: &str = "reconnect";

const ROUNDS: usize = 5;

/// What comes later is as good as never.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a program dials that keeps its peer itself, in milliseconds.
const REDIAL_MS: u64 = 1_000;

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Within this the survivor should have found its way back, in seconds.
const MAX_BACK_S: f64 = 5.0;

/// How the survivor gets to its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dial {
    /// As it is told in the beginning: all else is left to the library. Ours is told to keep connected; the published
    /// one, which knows no such word, is told to connect.
    ByLibrary,
    /// Each second, as long as there is no session.
    ByProgram,
}

/// Seconds of each round, `None` for a round that never ended.
type Found = Result<Vec<Option<f64>>, String>;

const DIALS: [Dial; 2] = [Dial::ByLibrary, Dial::ByProgram];

fn back_name(dial: Dial) -> String {
    let how = match dial {
        Dial::ByLibrary => "left to the library",
        Dial::ByProgram => "dialled each second by the program",
    };
    format!("{NAME} | peer killed and back, {how}")
}

fn takeover_names() -> [String; 2] {
    ["in after", "in at first try"]
        .map(|what| format!("{NAME} | back behind a half-open link, {what}"))
}

pub(super) fn rows() -> Vec<String> {
    let back = DIALS.map(back_name);
    back.into_iter().chain(takeover_names()).collect()
}

pub(super) fn run(lab: &Lab<'_>) -> Vec<Row> {
    let wanted = DIALS
        .into_iter()
        .filter(|dial| lab.wants(&back_name(*dial)));
    let mut rows: Vec<_> = wanted.map(|dial| back_row(lab, dial)).collect();
    if takeover_names().iter().any(|name| lab.wants(name)) {
        rows.extend(takeover_rows(lab));
    }
    rows
}

fn back_row(lab: &Lab<'_>, dial: Dial) -> Row {
    let (mut ours, mut published) = (Found::Ok(Vec::new()), Found::Ok(Vec::new()));
    for kind in lab.rounds(ROUNDS).flatten() {
        let found = if kind.is_published() {
            &mut published
        } else {
            &mut ours
        };
        let Ok(rounds) = found else { continue };
        if rounds.contains(&None) {
            // It would be waited for as long again.
            continue;
        }
        match back(&lab.stage(), kind, dial) {
            Ok(after) => rounds.push(after.map(|after| after.as_secs_f64())),
            Err(problem) => *found = Err(problem),
        }
    }
    Row {
        name: back_name(dial),
        unit: "s",
        goal: (dial == Dial::ByLibrary).then_some(Goal::AtMost(MAX_BACK_S)),
        note: format!(
            "median; slowest {} beside {}{}",
            slowest(&ours),
            slowest(&published),
            asked(dial)
        ),
        ours: figure(&ours),
        published: figure(&published),
    }
}

/// What was asked of the two, where that differs.
fn asked(dial: Dial) -> &'static str {
    match dial {
        Dial::ByLibrary => {
            "; ours keeps connected, the published one, which cannot, is dialled once"
        }
        Dial::ByProgram => "",
    }
}

/// Time from the return of the peer until the survivor can call it.
fn back(stage: &Stage<'_>, kind: Kind, dial: Dial) -> Result<Option<Duration>, String> {
    let mut survivor = stage.node(kind, "survivor", &[])?;
    let mut peer = stage.node(kind, "peer", &[])?;
    populate(&mut survivor)?;
    populate(&mut peer)?;
    let address = peer.address();
    survivor.ask(&match dial {
        Dial::ByLibrary if kind.is_published() => format!("connect {address}"),
        Dial::ByLibrary => format!("keep {address}"),
        Dial::ByProgram => format!("redial {address} {REDIAL_MS}"),
    })?;
    await_ready(&mut survivor, &mut peer)?;
    let port = peer.port();
    peer.kill();
    survivor.await_event("disconnected")?;

    let mut peer = stage.again(kind, "peer", &[], port)?;
    let start = Instant::now();
    survivor.allow(2 * PATIENCE);
    populate(&mut peer)?;
    while start.elapsed() < PATIENCE {
        if survivor.try_ask("call - inbox x 500")? == Ok("x".to_owned()) {
            return Ok(Some(start.elapsed()));
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(None)
}

fn figure(found: &Found) -> Figure {
    let complete = found.clone().map(|rounds| {
        let all: Option<Vec<_>> = rounds.into_iter().collect();
        all.unwrap_or_default()
    });
    Figure::of(&complete, median)
}

fn slowest(found: &Found) -> String {
    let Ok(rounds) = found else {
        return "unknown".to_owned();
    };
    if rounds.contains(&None) {
        return format!("never within {} s", PATIENCE.as_secs());
    }
    let all: Vec<_> = rounds.iter().copied().flatten().collect();
    max(&all).map_or_else(
        || "unknown".to_owned(),
        |slowest| format!("{} s", told(slowest)),
    )
}

/// A node whose old connection seems to live still comes back, and dials until it is let in.
fn takeover_rows(lab: &Lab<'_>) -> Vec<Row> {
    let (mut ours, mut published) = (Ok(Vec::new()), Ok(Vec::new()));
    for (number, kind) in lab.rounds(2 * ROUNDS).flatten().enumerate() {
        let found: &mut Result<Vec<Return>, String> = if kind.is_published() {
            &mut published
        } else {
            &mut ours
        };
        let Ok(rounds) = found else { continue };
        // Each name comes to each kind, whoever begins a round.
        let dialler = (kind, ["before", "very-late"][number / 2 % 2]);
        match half_open::restart(&lab.stage(), kind, dialler, usize::MAX, PATIENCE) {
            Ok(back) => rounds.push(back),
            Err(problem) => *found = Err(problem),
        }
    }
    let seconds = |found: &Result<Vec<Return>, String>| -> Found {
        let after = |back: &Return| back.after.map(|after| after.as_secs_f64());
        found
            .clone()
            .map(|rounds| rounds.iter().map(after).collect())
    };
    let first = |found: &Result<Vec<Return>, String>| match found {
        Err(problem) => Figure::NotMeasured(problem.clone()),
        Ok(rounds) => {
            let first = |back: &&Return| back.refused == 0 && back.after.is_some();
            let count = rounds.iter().filter(first).count();
            Figure::Of(count as f64, rounds.len() as f64)
        }
    };
    let [after_name, first_name] = takeover_names();
    let (ours_s, published_s) = (seconds(&ours), seconds(&published));
    vec![
        Row {
            name: after_name,
            unit: "s",
            goal: Some(Goal::AtMost(MAX_BACK_S)),
            note: format!(
                "median, dials each second; slowest {} beside {}",
                slowest(&ours_s),
                slowest(&published_s)
            ),
            ours: figure(&ours_s),
            published: figure(&published_s),
        },
        Row {
            name: first_name,
            unit: "runs",
            goal: Some(Goal::All),
            note: String::new(),
            ours: first(&ours),
            published: first(&published),
        },
    ]
}
