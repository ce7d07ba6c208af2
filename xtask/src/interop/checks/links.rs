//! Sessions: how they begin, end and begin again.

use std::time::{Duration, Instant};

use super::super::duo::{Dialler, Duo, Lab, Verdict};
use crate::peers::{
    node::{Node, PATIENCE},
    programs::Kind,
    stage::{CHECK_TIME, populate},
};

pub(super) fn join(lab: &Lab<'_>) -> Verdict {
    let mut duo = lab.strangers("ours", "peer")?;
    duo.connect()?;
    let peer = duo.peer.name.clone();
    for event in [
        "opened ?",
        &format!("authenticated {peer}"),
        &format!("ready {peer}"),
    ] {
        // Takes what came before it, so the order counts.
        duo.ours.await_event(event)?;
    }
    let dialled = duo.dialled_by_ours();
    let (ours, peer) = (session_with(&duo.ours), session_with(&duo.peer));
    duo.ours
        .expect("sessions", &format!("{peer}|{}", !dialled))?;
    duo.peer.expect("sessions", &format!("{ours}|{dialled}"))?;
    duo.talk()?;
    Ok(None)
}

/// How a session with `node` is listed, up to who dialled.
fn session_with(node: &Node) -> String {
    format!("{}|{}", node.name, node.address())
}

pub(super) fn wrong_cookie(lab: &Lab<'_>) -> Verdict {
    refused(lab, "stranger")
}

/// A node without the cookie that calls itself as a connected one does not harm that one's session.
pub(super) fn impostor(lab: &Lab<'_>) -> Verdict {
    refused(lab, "peer")
}

fn refused(lab: &Lab<'_>, name: &str) -> Verdict {
    let mut duo = lab.duo()?;
    let mut stranger = lab.node(lab.peer, name, &["--cookie", "another-cookie"])?;
    let actor = stranger.ask("spawn -")?;
    stranger.ask(&format!("join - early {actor}"))?;
    duo.begin()?;
    if duo.dialled_by_ours() {
        duo.ours.ask(&format!("connect {}", stranger.address()))?;
    } else {
        stranger.ask(&format!("connect {}", duo.ours.address()))?;
    }
    duo.ours.await_event("opened")?;
    // Nothing but the end may come after the opening.
    duo.ours.ask("sessions")?;
    duo.ours.await_event("disconnected")?;
    let names = ["authenticated", "ready", "disconnected"];
    let unwanted = |e: &&str| names.iter().any(|n| e.starts_with(n));
    if let Some(event) = duo.ours.events().find(unwanted) {
        return Err(format!("event {event}"));
    }
    stranger.expect("sessions", "")?;
    stranger.expect("members - inbox", "")?;
    duo.ours.ask("wait-members - early 1 1000")?;
    let listed = duo.ours.ask("sessions")?;
    if !listed.starts_with(&session_with(&duo.peer)) || listed.contains(' ') {
        return Err(format!("sessions: {listed}"));
    }
    duo.talk()?;
    Ok(None)
}

pub(super) fn we_disconnect(lab: &Lab<'_>) -> Verdict {
    disconnect(lab, true)
}

pub(super) fn peer_disconnects(lab: &Lab<'_>) -> Verdict {
    disconnect(lab, false)
}

fn disconnect(lab: &Lab<'_>, by_ours: bool) -> Verdict {
    let mut duo = lab.duo()?;
    duo.way(true).reference("old")?;
    for _ in 0..2 {
        let way = duo.way(by_ours);
        way.from
            .expect(&format!("disconnect {}", way.to.name), "1")?;
        gone(&mut duo)?;
        duo.ours.await_event("disconnected peer@")?;
        duo.ours.expect("ref-status old", "Stopped")?;
        duo.connect()?;
        duo.talk()?;
        // A new session is not the old one.
        duo.ours.expect("ref-status old", "Stopped")?;
    }
    Ok(None)
}

/// Both sides have lost the session and all that came with it.
fn gone(duo: &mut Duo) -> Result<(), String> {
    let (ours, peer) = (duo.ours.name.clone(), duo.peer.name.clone());
    for (node, other) in [(&mut duo.ours, peer), (&mut duo.peer, ours)] {
        lost(node, &other)?;
    }
    Ok(())
}

fn lost(node: &mut Node, other: &str) -> Result<(), String> {
    node.ask(&format!("wait-no-session {other} 30000"))?;
    for group in ["- early", "wide early", "- inbox", "- plain"] {
        node.ask(&format!("wait-members {group} 0 30000"))?;
    }
    Ok(())
}

pub(super) fn peer_killed(lab: &Lab<'_>) -> Verdict {
    let mut duo = lab.duo()?;
    let way = &mut duo.way(true);
    way.reference("victim")?;
    way.from.ask("call-start open call-never @victim x -")?;
    way.to.ask("held 1 30000")?;
    way.to.kill();
    way.from.await_event("disconnected peer@")?;
    lost(way.from, &way.to.name)?;
    way.from.ask("wait-ref-status victim Stopped 30000")?;
    match way.from.try_ask("call-result open 30000")? {
        Err(reason) if reason == "sender-error" => {}
        other => return Err(format!("the open call: {other:?}")),
    }
    let peer = lab.again(lab.peer, "peer", duo.peer.port())?;
    duo.peer = peer;
    back_again(duo)
}

pub(super) fn ours_killed(lab: &Lab<'_>) -> Verdict {
    let mut duo = lab.duo()?;
    duo.ours.kill();
    lost(&mut duo.peer, &duo.ours.name)?;
    // It can be told after the groups are empty, and connections are counted by what is told.
    duo.peer.await_event("disconnected")?;
    let ours = lab.again(Kind::Shiome, "ours", duo.ours.port())?;
    duo.ours = ours;
    back_again(duo)
}

/// The one that was killed is back under its name and port.
fn back_again(mut duo: Duo) -> Verdict {
    let fresh = if duo.ours.open_connections() == 0 && duo.peer.open_connections() == 0 {
        [&mut duo.ours, &mut duo.peer]
    } else {
        return Err("a connection is left".to_owned());
    };
    for node in fresh {
        // The survivor has its actors still.
        if node.ask("members - inbox")?.is_empty() {
            populate(node)?;
        }
    }
    duo.connect()?;
    duo.talk()?;
    Ok(None)
}

/// The same side dials once more.
pub(super) fn again(lab: &Lab<'_>) -> Verdict {
    second_dial(lab, lab.dialler == Dialler::Ours)
}

/// The side that was dialled dials.
pub(super) fn back(lab: &Lab<'_>) -> Verdict {
    second_dial(lab, lab.dialler == Dialler::Peer)
}

fn second_dial(lab: &Lab<'_>, by_ours: bool) -> Verdict {
    let mut duo = lab.duo()?;
    for _ in 0..3 {
        let way = duo.way(by_ours);
        way.from.ask(&format!("connect {}", way.to.address()))?;
        settle(&mut duo)?;
    }
    Ok(None)
}

pub(super) fn ours_sorts_first(lab: &Lab<'_>) -> Verdict {
    simultaneous(lab, lab.strangers("a", "z")?)
}

pub(super) fn ours_sorts_last(lab: &Lab<'_>) -> Verdict {
    simultaneous(lab, lab.strangers("z", "a")?)
}

/// Both dial at the same time, again and again.
fn simultaneous(lab: &Lab<'_>, mut duo: Duo) -> Verdict {
    let mut collisions = 0;
    for round in 1..=lab.rounds {
        duo.ours.allow(CHECK_TIME);
        duo.peer.allow(CHECK_TIME);
        let before = duo.ours.opened_connections();
        meet(&mut duo).map_err(|problem| format!("round {round}: {problem}"))?;
        // The faster one may have been there already.
        collisions += usize::from(duo.ours.opened_connections() - before > 1);
    }
    Ok(Some(format!(
        "{} rounds, {collisions} with two connections",
        lab.rounds
    )))
}

fn meet(duo: &mut Duo) -> Result<(), String> {
    // Whose command goes first has a small lead.
    let first_is_ours = duo.dialled_by_ours();
    let way = duo.way(first_is_ours);
    let (here, there) = (way.from.address(), way.to.address());
    way.from.send(&format!("connect {there}"))?;
    way.to.send(&format!("connect {here}"))?;
    for node in [way.from, way.to] {
        let answer = node.answer()?;
        answer.map_err(|reason| format!("connect: {reason}"))?;
    }
    settle(duo)?;
    let peer = duo.peer.name.clone();
    duo.ours.expect(&format!("disconnect {peer}"), "1")?;
    gone(duo)
}

/// Waits until there is exactly one connection on both sides and it is the same, and uses it.
fn settle(duo: &mut Duo) -> Result<(), String> {
    await_settled(duo, "not one session each")?;
    duo.await_ready()?;
    duo.talk()?;
    // A connection that its dialler has closed already may be seen by the listener only now: it has to go as well.
    await_settled(duo, "settled, but then")
}

fn await_settled(duo: &mut Duo, problem: &str) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !is_settled(duo)? {
        if Instant::now() >= deadline {
            return Err(format!("{problem}: {}", state(duo)?));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn is_settled(duo: &mut Duo) -> Result<bool, String> {
    let (ours, peer) = (duo.ours.ask("sessions")?, duo.peer.ask("sessions")?);
    let one_each = ours.starts_with(&session_with(&duo.peer))
        && peer.starts_with(&session_with(&duo.ours))
        && !ours.contains(' ')
        && !peer.contains(' ');
    let same = ours.ends_with("|true") != peer.ends_with("|true");
    let nothing_else = duo.ours.open_connections() == 1 && duo.peer.open_connections() == 1;
    Ok(one_each && same && nothing_else)
}

fn state(duo: &mut Duo) -> Result<String, String> {
    let (ours, peer) = (duo.ours.ask("sessions")?, duo.peer.ask("sessions")?);
    Ok(format!(
        "ours has {} connections, sessions {ours:?}; the peer has {}, {peer:?}",
        duo.ours.open_connections(),
        duo.peer.open_connections()
    ))
}
