//! What `shiome watch` shows.

use shiome::inspect::{SessionView, Snapshot};
use shiome_inspect::{FeedSnapshot, NumberedEvent};

use crate::ask::table::{Table, age, bytes, clean, micros, number, or_dash};

/// Events that are shown.
const EVENTS: usize = 8;

/// Lines of lists, where there is no terminal to say how many fit.
const LINES: usize = 60;

/// Columns and lines that there is room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) lines: usize,
}

impl Size {
    /// Of the terminal, if there is one; otherwise as much as most files have.
    pub(super) fn of_stdout() -> Self {
        let wide = Self {
            columns: 200,
            lines: LINES,
        };
        #[cfg(unix)]
        if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout())
            && size.ws_col > 0
            && size.ws_row > 0
        {
            return Self {
                columns: size.ws_col.into(),
                lines: size.ws_row.into(),
            };
        }
        wide
    }
}

/// A node in words; with what was seen `before`, also how much passes a second.
pub(super) fn draw(
    seen: &FeedSnapshot,
    before: Option<&FeedSnapshot>,
    events: &[NumberedEvent],
    size: Size,
) -> String {
    let mut lines = head(seen);
    let mut parts = vec![
        members(&seen.node),
        sessions(&seen.node, before.map(|before| &before.node)),
        happened(events, seen.node.at_ms),
    ];
    parts.retain(|part| !part.is_empty());
    // Each part has as much of the screen as the others leave it.
    let mut room = size.lines.saturating_sub(lines.len());
    while let Some(part) = (!parts.is_empty()).then(|| parts.remove(0)) {
        let others: usize = parts.iter().map(|other| other.len().min(6) + 1).sum();
        let share = room.saturating_sub(others + 1);
        let part = cut(part, share);
        room = room.saturating_sub(part.len() + 1);
        lines.push(String::new());
        lines.extend(part);
    }
    let lines = lines.iter().take(size.lines);
    let lines = lines.map(|line| line.chars().take(size.columns).collect::<String>());
    lines.collect::<Vec<_>>().join("\n")
}

/// No more lines than that, the last of which says that there are more.
fn cut(mut lines: Vec<String>, most: usize) -> Vec<String> {
    if lines.len() > most && most > 0 {
        let left = lines.len() - (most - 1);
        lines.truncate(most - 1);
        lines.push(format!("... {left} more"));
    }
    lines
}

fn head(seen: &FeedSnapshot) -> Vec<String> {
    let node = &seen.node.node;
    let ready = match (node.stopping, seen.ready) {
        (true, _) => "stopping",
        (false, false) => "not ready",
        (false, true) => "ready",
    };
    let mut lines = vec![
        format!(
            "{}  {ready}  up {}  shiome {}  process {}",
            clean(&node.name),
            age(node.uptime_ms),
            clean(&node.version),
            node.process
        ),
        format!(
            "sessions {}/{}  actors {}  refused connections {}  refused requests {}  denied {}",
            node.sessions,
            node.max_sessions,
            node.actors,
            node.admission.refused_full
                + node.admission.refused_source
                + node.admission.refused_penalty,
            seen.refused.values().sum::<u64>(),
            node.denied
        ),
    ];
    if let Some(gossip) = &seen.node.gossip {
        let count = |name: &str| gossip.counts.get(name).copied().unwrap_or(0) as f64;
        lines.push(format!(
            "gossip {}  members {}  suspects {}  health {}  backlog {}  probes {} ({} failed)  sent {}  received {}",
            clean(&gossip.cluster),
            gossip.members + 1,
            gossip.suspects,
            gossip.local_health,
            gossip.backlog,
            number(count("probes")),
            number(count("probes_failed")),
            bytes(count("sent_bytes") as u64),
            bytes(count("received_bytes") as u64),
        ));
    }
    lines
}

fn members(seen: &Snapshot) -> Vec<String> {
    if seen.members.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&["MEMBER", "NAME", "STATE", "LINK"]);
    // Who is not well stands on top.
    let mut members: Vec<_> = seen.members.iter().collect();
    members.sort_by_key(|member| member.state == "alive");
    for member in members {
        let own = member.own.then(|| "own".to_owned());
        table.row([
            member.address.clone(),
            or_dash(member.name.clone()),
            member.state.clone(),
            or_dash(own.or_else(|| member.node_id.map(|id| id.to_string()))),
        ]);
    }
    table.lines()
}

fn sessions(seen: &Snapshot, before: Option<&Snapshot>) -> Vec<String> {
    let mut table = Table::new(&[
        "LINK", "PEER", "STATE", "TIER", "SECURITY", "RTT", "IN/S", "OUT/S", "QUEUED", "CREDIT",
        "CALLS", "P99", "DROPS",
    ]);
    if seen.sessions.is_empty() {
        return vec!["no sessions".to_owned()];
    }
    let secs = before.map(|before| seen.at_ms.saturating_sub(before.at_ms) as f64 / 1e3);
    for session in &seen.sessions {
        let earlier = before.and_then(|before| {
            let mut sessions = before.sessions.iter();
            sessions.find(|other| other.node_id == session.node_id)
        });
        let rate = |count: fn(&SessionView) -> u64| {
            let grown = count(session).saturating_sub(count(earlier?));
            let secs = secs.filter(|secs| *secs > 0.0)?;
            Some(bytes((grown as f64 / secs) as u64))
        };
        let stuck = match (session.stalled, session.full) {
            (true, _) => " stalled",
            (false, true) => " full",
            (false, false) => "",
        };
        table.row([
            session.node_id.to_string(),
            or_dash(Some(&session.peer).filter(|peer| !peer.is_empty())),
            session.state.clone(),
            session.tier.clone(),
            session.security.clone(),
            or_dash(session.round_trip_mean_us.map(micros)),
            or_dash(rate(|session| session.bytes_in)),
            or_dash(rate(|session| session.bytes_out)),
            format!("{}{stuck}", bytes(session.queued_bytes)),
            or_dash(session.credit_bytes.map(bytes)),
            format!("{}/{}", session.calls_out, session.calls_in),
            or_dash(session.latency.p99_us.map(micros)),
            session.drops.values().sum::<u64>().to_string(),
        ]);
    }
    table.lines()
}

/// The last events, the latest first.
fn happened(events: &[NumberedEvent], now_ms: u64) -> Vec<String> {
    if events.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&["AGO", "EVENT", "NODE", "WHY"]);
    for happened in events.iter().rev().take(EVENTS) {
        let event = &happened.event;
        table.row([
            age(now_ms.saturating_sub(event.at_ms)),
            event.kind.clone(),
            or_dash(event.node.as_ref().or(event.address.as_ref())),
            event.detail.clone().unwrap_or_default(),
        ]);
    }
    table.lines()
}

#[cfg(test)]
mod tests {
    use shiome::inspect::{MemberView, SessionView};

    use super::*;

    fn seen(members: usize, bytes_in: u64, at_ms: u64) -> FeedSnapshot {
        let json = serde_json::json!({
            "at_ms": at_ms,
            "node": {"name": "a@h\u{1b}[2J", "uptime_ms": 61_000, "sessions": 1, "max_sessions": 9},
            "ready": true,
        });
        let mut seen: FeedSnapshot = serde_json::from_value(json).unwrap();
        for n in 0..members {
            let state = if n == members - 1 { "suspect" } else { "alive" };
            let member = serde_json::json!({"address": format!("10.0.0.1:{n}"), "state": state});
            seen.node
                .members
                .push(serde_json::from_value::<MemberView>(member).unwrap());
        }
        let session =
            serde_json::json!({"node_id": 3, "peer": "b@h", "bytes_in": bytes_in, "stalled": true});
        seen.node
            .sessions
            .push(serde_json::from_value::<SessionView>(session).unwrap());
        seen
    }

    #[test]
    fn rates_are_of_what_has_passed_between_two_looks() {
        let size = Size {
            columns: 300,
            lines: 50,
        };
        let first = seen(0, 1000, 1_000);
        assert!(!draw(&first, None, &[], size).contains("1 KiB"));
        let text = draw(&seen(0, 1000 + 2048, 3_000), Some(&first), &[], size);
        assert!(text.contains("1 KiB"), "{text}");
        assert!(
            text.contains("stalled") && text.contains("up 1m01s"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn many_members_leave_room_for_sessions_and_the_sick_are_on_top() {
        let size = Size {
            columns: 80,
            lines: 24,
        };
        let text = draw(&seen(500, 0, 0), None, &[], size);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() <= size.lines, "{text}");
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() <= size.columns)
        );
        assert!(lines[4].contains("suspect"), "{text}");
        assert!(text.contains(" more") && text.contains("b@h"), "{text}");
    }
}
