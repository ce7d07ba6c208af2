//! What each side hears of the other's actors.

use super::super::duo::{Duo, Verdict};
use crate::peers::{
    stage::{ANNOUNCED, early_name},
    way::{Children, Way},
};

/// 0 in an actor's id means this node, so no peer may have it.
pub(super) fn node_ids(duo: &mut Duo) -> Verdict {
    let ids = duo.ours.ask("node-ids - early")?;
    if ids.parse::<u64>().map_or(0, |id| id) == 0 {
        return Err(format!("node ids of the peer's actors here: {ids:?}"));
    }
    let there = duo.peer.ask("node-ids - early")?;
    Ok(Some(format!("here {ids}, at the peer {there}")))
}

pub(super) fn announced(way: &mut Way<'_>) -> Verdict {
    let children = way.children()?;
    if children.count != ANNOUNCED {
        return Err(format!("{} actors, not {ANNOUNCED}", children.count));
    }
    // A shim that has the name of its actor takes the name from a local actor when it ends.
    if way.sender_is_shiome() && children.named > 0 {
        return Err(format!("{} shims have a name", children.named));
    }
    let name = early_name(way.to);
    way.from.expect(&format!("where-is {name}"), "none")?;
    if !way
        .to
        .ask(&format!("where-is {name}"))?
        .starts_with("local:")
    {
        return Err(format!("{name} is not known at home"));
    }
    Ok(None)
}

pub(super) fn come_and_go(way: &mut Way<'_>) -> Verdict {
    let before = way.children()?.count;
    let unnamed = way.to.ask("spawn -")?;
    let named = way.to.ask("spawn newcomer")?;
    way.to.ask("local-named second-hermit")?;
    await_children(way, before + 2)?;
    let children = way.children()?;
    if !children.has(&unnamed) || !children.has(&named) {
        return Err(format!("{children:?} lacks {unnamed} or {named}"));
    }
    way.from.expect("where-is newcomer", "none")?;
    for actor in [&unnamed, "newcomer", "second-hermit"] {
        way.to.ask(&format!("stop-actor {actor}"))?;
    }
    await_children(way, before)?;
    Ok(None)
}

fn await_children(way: &mut Way<'_>, count: usize) -> Result<(), String> {
    let peer = format!("{}|{count}|", way.to.name);
    let there = |answer: &str| answer.split(' ').any(|session| session.starts_with(&peer));
    way.from.await_answer("children", there, &peer).map(|_| ())
}

pub(super) fn termination(way: &mut Way<'_>) -> Verdict {
    let pid = way.reference("mortal")?;
    // A published node puts it into the group before it runs.
    way.from
        .expect("wait-ref-status mortal Running 30000", "Running")?;
    way.to.ask(&format!("stop-actor {pid}"))?;
    way.from.ask("wait-ref-status mortal Stopped 30000")?;
    way.from.ask("wait-members - mortal 0 30000")?;
    // Its status is told before its supervisor lets go of it.
    let peer = &way.to.name;
    let gone = |answer: &str| Children::parse(answer, peer).is_some_and(|all| !all.has(&pid));
    way.from
        .await_answer("children", gone, &format!("without {pid}"))?;
    // Nobody else went with it.
    way.talk()?;
    Ok(None)
}
