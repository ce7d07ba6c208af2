//! What published nodes are known to get wrong and ours must not, whoever is at the other end.

use std::time::Duration;

use super::super::duo::{Lab, Verdict};
use crate::peers::{stage::ANNOUNCED, way::Way};

/// Actors that answer and stop in the same handler.
pub(in crate::interop) const LAST_WORDS: usize = 40;

const FLOOD: usize = 20_000;

/// What the flood may cost us: an entry in the directory each, and the shims that are made without being asked for.
const FLOOD_MAX_KIB: u64 = 48 * 1024;

/// An answer given just after the actor's end still arrives, in whichever order the two are told.
pub(super) fn reply_after_stop(way: &mut Way<'_>) -> Verdict {
    let pid = way.reference("posthumous")?;
    way.from
        .ask("call-start will call-hold @posthumous x 30000")?;
    way.to.ask("held 1 30000")?;
    way.to.ask(&format!("stop-actor {pid}"))?;
    way.to.expect("release", "1")?;
    way.from.expect("call-result will 30000", "x")?;
    way.from.ask("wait-ref-status posthumous Stopped 30000")?;
    Ok(None)
}

/// Both ends of one call are ours at most; the end that is has to make up for the other.
pub(super) fn reply_and_stop(way: &mut Way<'_>) -> Verdict {
    way.allow(Duration::from_secs(40));
    let (answered, other) = last_words(way)?;
    let told = format!("{answered} of {LAST_WORDS} replies");
    match other {
        None => Ok(Some(told)),
        Some(first) => Err(format!("{told}, the first other answer is {first}")),
    }
}

/// How many of [`LAST_WORDS`] answers arrive, and the first that was another.
pub(in crate::interop) fn last_words(way: &mut Way<'_>) -> Result<(usize, Option<String>), String> {
    let mut failures = Vec::new();
    for _ in 0..LAST_WORDS {
        way.reference("last-words")?;
        match way.from.try_ask("call-and-die @last-words x 5000")? {
            Ok(answer) if answer == "x" => {}
            other => failures.push(format!("{other:?}")),
        }
        way.from.ask("wait-members - last-words 0 30000")?;
    }
    let answered = LAST_WORDS - failures.len();
    Ok((answered, failures.into_iter().next()))
}

/// A local actor keeps its name when a remote one of that name ends.
pub(super) fn name_kept(way: &mut Way<'_>) -> Verdict {
    match keeps_name(way)? {
        Ok(()) => Ok(None),
        Err(found) if way.sender_is_shiome() => Err(format!("where-is twin: {found}")),
        Err(found) => Ok(Some(format!("the published sender lost it: {found}"))),
    }
}

/// Whether the sender finds its actor by name when a remote one of that name has ended, or what it finds.
pub(in crate::interop) fn keeps_name(way: &mut Way<'_>) -> Result<Result<(), String>, String> {
    let here = way.from.ask("spawn twin")?;
    let there = way.to.ask("spawn twin")?;
    way.to.ask("join - twins twin")?;
    way.from.ask("wait-members - twins 1 30000")?;
    way.from.ask("hold-ref - twins twin")?;
    way.to.ask(&format!("stop-actor {there}"))?;
    way.from.ask("wait-ref-status twin Stopped 30000")?;
    way.from.ask("wait-members - twins 0 30000")?;
    let found = way.from.ask("where-is twin")?;
    way.from.ask(&format!("stop-actor {here}"))?;
    let kept = found == format!("local:{here}");
    Ok(if kept { Ok(()) } else { Err(found) })
}

/// `stop()` on one remote reference concerns that reference alone.
pub(super) fn we_stop_reference(lab: &Lab<'_>) -> Verdict {
    let mut duo = lab.duo()?;
    let way = &mut duo.way(true);
    let pid = way.reference("one")?;
    way.reference("other")?;
    way.from.ask("stop-ref one")?;
    way.from.ask("wait-ref-status one Stopped 30000")?;
    way.from.expect("call-ref other x 30000", "x")?;
    way.from.expect("ref-status other", "Running")?;
    if way.is_native() {
        way.to.ask("wait-members - one 0 30000")?;
        way.talk()?;
        way.back().talk()?;
        return still_connected(way);
    }
    // The actor itself runs on: the common protocol has no stop.
    way.back().from.ask(&format!("join - proof {pid}"))?;
    way.talk()?;
    way.back().talk()?;
    still_connected(way)?;
    // And can be referred to anew.
    way.from.ask("wait-members - proof 1 30000")?;
    way.from.expect("call - proof y 30000", "y")?;
    Ok(None)
}

fn still_connected(way: &mut Way<'_>) -> Verdict {
    if way.from.events().any(|e| e.starts_with("disconnected")) {
        return Err("the session has ended".to_owned());
    }
    Ok(None)
}

/// A published node ends the session then. Ours takes that as any end of a session.
pub(super) fn peer_stops_reference(lab: &Lab<'_>) -> Verdict {
    let mut duo = lab.duo()?;
    let way = &mut duo.way(false);
    let pid = way.reference("one")?;
    way.from.ask("stop-ref one")?;
    way.from.ask("wait-ref-status one Stopped 30000")?;
    if !way.sender_is_shiome() {
        let gone = format!("wait-no-session {} 2000", way.to.name);
        if way.from.try_ask(&gone)?.is_ok() {
            way.to.await_event("disconnected")?;
            way.to.ask("wait-members - inbox 0 30000")?;
            duo.ours.ask(&format!("stop-actor {pid}"))?;
            duo.connect()?;
            duo.talk()?;
            return Ok(Some("the published peer ended the session".to_owned()));
        }
    }
    if way.is_native() {
        way.to.ask("wait-members - one 0 30000")?;
    } else {
        way.to.ask(&format!("stop-actor {pid}"))?;
    }
    duo.talk()?;
    Ok(None)
}

/// A peer with many actors costs us little.
pub(super) fn flood(lab: &Lab<'_>) -> Verdict {
    let mut duo = lab.duo()?;
    let way = &mut duo.way(true);
    way.allow(Duration::from_secs(60));
    let before = memory(way)?;
    way.to
        .expect(&format!("flood-spawn {FLOOD}"), &FLOOD.to_string())?;
    // What is told is told in order: who knows of this one knows of all before.
    way.reference("last-of-all")?;
    let after = memory(way)?;
    let told = format!("{before} KiB before, {after} KiB after");
    if after.saturating_sub(before) > FLOOD_MAX_KIB {
        return Err(told);
    }
    way.from.expect("call-ref last-of-all x 30000", "x")?;
    way.talk()?;
    way.back().talk()?;
    way.to.expect("flood-stop", &FLOOD.to_string())?;
    // Those of the start, and the one above.
    let left = format!("{}|{}|", way.to.name, ANNOUNCED + 1);
    let there = |answer: &str| answer.starts_with(&left);
    way.from.await_answer("children", there, &left)?;
    way.talk()?;
    Ok(Some(told))
}

fn memory(way: &mut Way<'_>) -> Result<u64, String> {
    let answer = way.from.ask("memory")?;
    answer.parse().map_err(|_| format!("memory: {answer}"))
}
