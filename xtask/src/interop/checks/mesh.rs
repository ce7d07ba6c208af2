//! Nodes that learn of each other from a third one.

use super::super::duo::{Dialler, Lab, Verdict};
use crate::peers::{node::Node, programs::Kind};

pub(super) fn ours_peer_ours(lab: &Lab<'_>) -> Verdict {
    mesh(lab, [Kind::Shiome, lab.peer, Kind::Shiome])
}

pub(super) fn peer_ours_peer(lab: &Lab<'_>) -> Verdict {
    mesh(lab, [lab.peer, Kind::Shiome, lab.peer])
}

pub(super) fn ours_ours_peer(lab: &Lab<'_>) -> Verdict {
    mesh(lab, [Kind::Shiome, Kind::Shiome, lab.peer])
}

pub(super) fn ours_peer_peer(lab: &Lab<'_>) -> Verdict {
    mesh(lab, [Kind::Shiome, lab.peer, lab.peer])
}

/// Two nodes that are connected to a third connect to each other.
fn mesh(lab: &Lab<'_>, [left, hub, right]: [Kind; 3]) -> Verdict {
    let mut left = member(lab, left, "left")?;
    let mut hub = member(lab, hub, "hub")?;
    let mut right = member(lab, right, "right")?;
    link(lab, &mut hub, &mut left)?;
    link(lab, &mut hub, &mut right)?;
    left.ask("wait-session right 30000")?;
    right.ask("wait-session left 30000")?;
    for node in [&mut left, &mut hub, &mut right] {
        node.ask("wait-members - all 2 30000")?;
        let sessions = node.ask("sessions")?;
        if sessions.split(' ').count() != 2 {
            return Err(format!("{} has the sessions {sessions}", node.name));
        }
    }
    talk(&mut left, &mut right, "right")?;
    talk(&mut right, &mut left, "left")?;
    // Each knows an actor from its own node alone: none was passed on.
    hub.ask("wait-members - left 1 1000")?;
    hub.ask("wait-members - right 1 1000")?;
    Ok(None)
}

pub(super) fn talk(from: &mut Node, to: &mut Node, group: &str) -> Result<(), String> {
    from.ask(&format!("cast - {group} hello"))?;
    to.expect("wait-received 1 30000", "1 hello")?;
    from.expect(&format!("call - {group} hello 30000"), "hello")
}

pub(super) fn member(lab: &Lab<'_>, kind: Kind, name: &str) -> Result<Node, String> {
    let mut node = lab.node(kind, name, &["--transitive"])?;
    let actor = node.ask("spawn -")?;
    node.ask(&format!("join - {name} {actor}"))?;
    node.ask(&format!("join - all {actor}"))?;
    Ok(node)
}

/// Connects two; of different kinds, ours or the peer dials, as it is the turn.
fn link(lab: &Lab<'_>, hub: &mut Node, end: &mut Node) -> Result<(), String> {
    let end_dials = if hub.kind == end.kind {
        lab.dialler == Dialler::Ours
    } else {
        (lab.dialler == Dialler::Ours) == (end.kind == Kind::Shiome)
    };
    let (from, to) = if end_dials { (end, hub) } else { (hub, end) };
    from.ask(&format!("connect {}", to.address()))?;
    from.ask(&format!("wait-session {} 30000", to.name))?;
    to.ask(&format!("wait-session {} 30000", from.name))?;
    Ok(())
}
