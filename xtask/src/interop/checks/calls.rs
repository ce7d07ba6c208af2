//! Calls: their answers, and what stands in for answers that do not come.

use std::time::Duration;

use super::{super::duo::Verdict, casts::after_undecodable};
use crate::peers::{node::Answer, way::Way};

/// Timeout of calls that get no answer.
const TIMEOUT: Duration = Duration::from_millis(400);

/// How late a timeout may be told: the machine has other things to do as well.
const LATENESS: Duration = Duration::from_secs(20);

/// Calls of [`many`] that are open at the same time.
const AT_ONCE: usize = 50;

const U128_MAX: &str = "340282366920938463463374607431768211455";

pub(super) fn port_last(way: &mut Way<'_>) -> Verdict {
    way.from.expect("call - inbox 潮目 30000", "潮目")?;
    Ok(None)
}

pub(super) fn port_first(way: &mut Way<'_>) -> Verdict {
    way.from.expect("call-first - inbox ab 30000", "ababab")?;
    Ok(None)
}

pub(super) fn structured(way: &mut Way<'_>) -> Verdict {
    way.from
        .expect("call-struct - inbox x 30000", "x=18446744073709551615")?;
    Ok(None)
}

pub(super) fn prost(way: &mut Way<'_>) -> Verdict {
    way.from
        .expect("call-prost - inbox x 30000", "note:42:x!")?;
    Ok(None)
}

pub(super) fn values(way: &mut Way<'_>) -> Verdict {
    let expected = format!(
        "true/'潮'/-128/{U128_MAX}/-0.1/()/[-32768,-1,0,32767]/[true,false]/['x','目']/[1.1754944e-38,inf]"
    );
    way.from
        .expect("call-values - inbox x目 30000", &expected)?;
    Ok(None)
}

/// A call without timeout waits as long as the answer takes.
pub(super) fn without_timeout(way: &mut Way<'_>) -> Verdict {
    way.from.expect("call - inbox x -", "x")?;
    way.from.ask("call-start patient call-hold - inbox y -")?;
    way.to.ask("held 1 30000")?;
    pending(way, "patient")?;
    way.to.expect("release", "1")?;
    way.from.expect("call-result patient 30000", "y")?;
    Ok(None)
}

fn pending(way: &mut Way<'_>, call: &str) -> Result<(), String> {
    match way.from.try_ask(&format!("call-result {call} 100"))? {
        Err(reason) if reason == "pending" => Ok(()),
        other => Err(format!("the call has ended before its answer: {other:?}")),
    }
}

pub(super) fn many(way: &mut Way<'_>) -> Verdict {
    for i in 0..AT_ONCE {
        way.from
            .ask(&format!("call-start many-{i} call-hold - inbox {i} 10000"))?;
    }
    way.to.ask(&format!("held {AT_ONCE} 30000"))?;
    // Calls that are answered at once are not held up by them.
    way.from.expect("call - inbox x 30000", "x")?;
    way.to.expect("release", &AT_ONCE.to_string())?;
    for i in (0..AT_ONCE).rev() {
        way.from
            .expect(&format!("call-result many-{i} 30000"), &i.to_string())?;
    }
    Ok(None)
}

pub(super) fn timeout(way: &mut Way<'_>) -> Verdict {
    let (answer, took) = way.timed(&unanswered("call-never - inbox"))?;
    let note = expired(&answer, took)?;
    // The answer comes after all, and troubles nobody.
    way.to.ask("release")?;
    way.talk()?;
    Ok(Some(note))
}

/// The legacy protocol cannot say that a port was dropped, so the caller may wait for its timeout.
pub(super) fn discarded(way: &mut Way<'_>) -> Verdict {
    let (answer, took) = way.timed(&unanswered("call-discard - inbox"))?;
    let note = failed(&answer, took)?;
    way.to.expect("received", "1 x")?;
    way.talk()?;
    Ok(Some(note))
}

pub(super) fn unknown(way: &mut Way<'_>) -> Verdict {
    way.reference("stern")?;
    let (answer, took) = way.timed(&unanswered("call-unknown @stern"))?;
    let note = failed(&answer, took)?;
    let more = after_undecodable(way, "stern")?;
    Ok(Some(
        std::iter::once(note)
            .chain(more)
            .collect::<Vec<_>>()
            .join("; "),
    ))
}

fn unanswered(call: &str) -> String {
    format!("{call} x {}", TIMEOUT.as_millis())
}

/// The call has failed, and not before its timeout.
fn expired(answer: &Answer, took: Duration) -> Result<String, String> {
    if took < TIMEOUT {
        return Err(format!("{answer:?} after {} ms", took.as_millis()));
    }
    failed(answer, took)
}

/// The call has failed, and not later than about its timeout.
fn failed(answer: &Answer, took: Duration) -> Result<String, String> {
    let told = format!("{answer:?} after {} ms", took.as_millis());
    let reason = answer.as_ref().err().map(String::as_str);
    if matches!(reason, Some("timeout" | "sender-error")) && took < TIMEOUT + LATENESS {
        Ok(told)
    } else {
        Err(told)
    }
}

pub(super) fn dead(way: &mut Way<'_>) -> Verdict {
    let pid = way.reference("late")?;
    way.to.ask(&format!("stop-actor {pid}"))?;
    way.from.ask("wait-ref-status late Stopped 30000")?;
    for command in [
        "call-ref late x 60000",
        "call-ref late x -",
        "cast-ref late x",
    ] {
        let (answer, took) = way.timed(command)?;
        let told = format!("{command}: {answer:?} after {} ms", took.as_millis());
        if answer.is_ok() || took > LATENESS {
            return Err(told);
        }
    }
    way.to.expect("received", "0")?;
    Ok(None)
}

/// Nobody waits for an actor that is gone, not even without a timeout.
pub(super) fn dies_meanwhile(way: &mut Way<'_>) -> Verdict {
    let pid = way.reference("dying")?;
    way.from.ask("call-start last call-never @dying x -")?;
    way.to.ask("held 1 30000")?;
    way.to.ask(&format!("stop-actor {pid}"))?;
    let (answer, took) = way.timed("call-result last 30000")?;
    match answer {
        Err(reason) if reason == "sender-error" => {
            Ok(Some(format!("{reason} after {} ms", took.as_millis())))
        }
        other => Err(format!("{other:?} after {} ms", took.as_millis())),
    }
}
