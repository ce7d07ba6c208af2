//! Process groups across nodes.

use super::super::duo::Verdict;
use crate::peers::{stage::early_name, way::Way};

/// Members that were there when the two met.
pub(super) fn before(way: &mut Way<'_>) -> Verdict {
    for group in ["- early", "wide early"] {
        way.from.ask(&format!("wait-members {group} 1 30000"))?;
        let members = way.from.ask(&format!("members {group}"))?;
        let local = members.split(' ').filter(|m| m.starts_with("local:"));
        if local.count() != 1 {
            return Err(format!("{group}: {members}, not one of each node"));
        }
    }
    // A scope is part of what a group is.
    way.from.expect("members other early", "")?;
    way.from.expect("members wide inbox", "")?;
    Ok(None)
}

pub(super) fn default_scope(way: &mut Way<'_>) -> Verdict {
    join_and_leave(way, "-")
}

pub(super) fn custom_scope(way: &mut Way<'_>) -> Verdict {
    join_and_leave(way, "own-scope")
}

fn join_and_leave(way: &mut Way<'_>, scope: &str) -> Verdict {
    // An actor that was there before joins late; one that came later joins at once.
    let early = early_name(way.to);
    let late = way.to.ask("spawn -")?;
    for (actor, count) in [(&early, 1), (&late, 2)] {
        way.to.ask(&format!("join {scope} club {actor}"))?;
        way.from
            .ask(&format!("wait-members {scope} club {count} 30000"))?;
    }
    way.to.ask("clear")?;
    way.from.ask(&format!("cast {scope} club welcome"))?;
    way.to.expect("wait-received 1 30000", "1 welcome")?;
    for (actor, count) in [(&early, 1), (&late, 0)] {
        way.to.ask(&format!("leave {scope} club {actor}"))?;
        way.from
            .ask(&format!("wait-members {scope} club {count} 30000"))?;
    }
    // Who has left a group is in the others still, and can come back.
    way.from.ask("wait-members - early 1 30000")?;
    way.to.ask(&format!("join {scope} club {late}"))?;
    way.from
        .ask(&format!("wait-members {scope} club 1 30000"))?;
    way.to.ask(&format!("stop-actor {late}"))?;
    way.from
        .ask(&format!("wait-members {scope} club 0 30000"))?;
    Ok(None)
}

pub(super) fn several(way: &mut Way<'_>) -> Verdict {
    let mut pids = Vec::new();
    for _ in 0..10 {
        let pid = way.to.ask("spawn -")?;
        way.to.ask(&format!("join many crowd {pid}"))?;
        pids.push(pid);
    }
    way.from.ask("wait-members many crowd 10 30000")?;
    let members = way.from.ask("members many crowd")?;
    for pid in &pids {
        if !members.split(' ').any(|m| m.ends_with(&format!(".{pid}"))) {
            return Err(format!("{members} lacks {pid}"));
        }
        way.to.ask(&format!("stop-actor {pid}"))?;
    }
    way.from.ask("wait-members many crowd 0 30000")?;
    Ok(None)
}
