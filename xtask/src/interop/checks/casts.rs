//! Casts of all forms.

use std::time::Duration;

use super::super::duo::{Duo, Verdict};
use crate::peers::{programs::Kind, way::Way};

/// Casts of the order check: enough to fill several reads, few enough to take no time.
const NUMBERED: usize = 5_000;

/// Above the 16 MiB that a frame may have.
const TOO_LONG: usize = 17 * 1024 * 1024;

const BIG_LEN: usize = 1024 * 1024;

pub(super) fn text(way: &mut Way<'_>) -> Verdict {
    one(way, "cast - inbox 潮目", "潮目")
}

pub(super) fn prost(way: &mut Way<'_>) -> Verdict {
    one(
        way,
        "cast-note - inbox 潮目",
        "note:18446744073709551615:潮目",
    )
}

pub(super) fn plain(way: &mut Way<'_>) -> Verdict {
    one(way, "cast-plain - plain 潮目", "plain:潮目")
}

/// Metadata that one of our nodes could take for a trace context, if it did not know better.
const LIKE_A_CONTEXT: &str = "hex:f57368696f6d6501003730302d346266393266333537376233346461366133\
    63653932396430653065343733362d303066303637616130626139303262372d30310000";

/// What a program puts beside its messages arrives as it is, and harms nobody who has no use for it.
pub(super) fn metadata(way: &mut Way<'_>) -> Verdict {
    let pid = way.to.ask("spawn-margin -")?;
    way.to.ask(&format!("join - margin {pid}"))?;
    way.from.ask("wait-members - margin 1 30000")?;
    let mut expected = String::new();
    for metadata in ["none", "hex:00ff", "hex:", LIKE_A_CONTEXT] {
        way.from
            .expect(&format!("call-margin - margin {metadata} 30000"), metadata)?;
        way.from
            .expect(&format!("call-noted - inbox {metadata} 30000"), "x")?;
        way.from.ask(&format!("cast-margin - margin {metadata}"))?;
        expected = format!("{expected} margin:{metadata}");
    }
    way.to
        .expect("wait-received 4 30000", &format!("4{expected}"))?;
    way.to.ask(&format!("stop-actor {pid}"))?;
    Ok(None)
}

pub(super) fn big(way: &mut Way<'_>) -> Verdict {
    let digest = way.from.ask(&format!("big - inbox {BIG_LEN}"))?;
    let length = format!("bytes:{BIG_LEN}:");
    if !digest.starts_with(&length) {
        return Err(format!("{digest} does not begin with {length}"));
    }
    way.to
        .expect("wait-received 1 30000", &format!("1 {digest}"))?;
    Ok(None)
}

/// A message that no frame takes costs its sender the message, not the session with all that is in it; between nodes of
/// ours it arrives in pieces.
pub(super) fn too_long(duo: &mut Duo) -> Verdict {
    let way = &mut duo.way(true);
    let digest = way.from.ask(&format!("big - inbox {TOO_LONG}"))?;
    way.from.expect("call - inbox x 30000", "x")?;
    if way.is_native() {
        way.to
            .expect("wait-received 1 30000", &format!("1 {digest}"))?;
    } else {
        way.to.expect("received", "0")?;
    }
    let ended = |e: &str| e.starts_with("disconnected");
    if way.from.events().any(ended) {
        return Err("the session has ended".to_owned());
    }
    Ok(None)
}

/// One cast that arrives once.
fn one(way: &mut Way<'_>, command: &str, arrives_as: &str) -> Verdict {
    way.from.ask(command)?;
    way.to
        .expect("wait-received 1 30000", &format!("1 {arrives_as}"))?;
    // A call after it has overtaken nothing: whatever there was to come has come.
    way.from.expect("call - inbox x 30000", "x")?;
    way.to.expect("received", &format!("1 {arrives_as}"))?;
    Ok(None)
}

pub(super) fn order(way: &mut Way<'_>) -> Verdict {
    way.allow(Duration::from_secs(30));
    way.from.ask(&format!("casts - inbox {NUMBERED}"))?;
    let summary = format!("{NUMBERED} out-of-order=0 last={}", NUMBERED - 1);
    way.to
        .expect(&format!("wait-numbered {NUMBERED} 10000"), &summary)?;
    way.from.expect("call - inbox x 30000", "x")?;
    way.to.expect("numbered", &summary)?;
    Ok(None)
}

pub(super) fn unknown(way: &mut Way<'_>) -> Verdict {
    way.reference("strict")?;
    way.from.ask("cast-unknown @strict x")?;
    after_undecodable(way, "strict")
}

/// An actor outlives a message that it cannot decode, unless `ractor` 0.15 runs it.
pub(super) fn after_undecodable(way: &mut Way<'_>, name: &str) -> Verdict {
    let verdict = if way.to.kind == Kind::V0_15 {
        way.from
            .ask(&format!("wait-ref-status {name} Stopped 30000"))?;
        Some("ends the actor, as ractor 0.15 does".to_owned())
    } else {
        way.from
            .expect(&format!("call-ref {name} alive 30000"), "alive")?;
        None
    };
    way.to.expect("received", "0")?;
    way.talk()?;
    Ok(verdict)
}
