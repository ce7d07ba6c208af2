use std::collections::HashSet;

use shiome::{Events, Member, NodeEvent, NodeId, Unsent, membership::DownReason};
use tracing::warn;

use super::say;
use crate::{ask::clean, error::chain};

/// Prints the sessions and members that come and go, until the node is gone.
pub(super) async fn report(mut events: Events) {
    let mut ready = HashSet::<NodeId>::new();
    while let Some(event) = events.next().await {
        if let Some(line) = line(event, &mut ready) {
            // What a peer calls itself does not make lines of its own.
            say(clean(&line));
        }
    }
}

/// An event in words, if it is one to tell; `ready` are the sessions that were told.
fn line(event: NodeEvent, ready: &mut HashSet<NodeId>) -> Option<String> {
    let line = match event {
        NodeEvent::Ready(session) if ready.insert(session.node_id) => {
            format!("ready {} at {}", session.name, session.peer_addr)
        }
        NodeEvent::NodeDown { session, reason } if ready.remove(&session.node_id) => {
            format!("lost {}: {reason}", session.name)
        }
        NodeEvent::Unsent { session, unsent } => {
            format!("unsent {}: {}", session.name, count(unsent))
        }
        NodeEvent::Reconnecting {
            address,
            attempt,
            pause,
            error,
        } => {
            let (ms, why) = (pause.as_millis(), chain(&*error));
            format!("reconnecting {address} in {ms} ms, dial {attempt}: {why}")
        }
        NodeEvent::GaveUp {
            address,
            attempts,
            error,
        } => {
            let why = chain(&*error);
            format!("gave up {address} after {attempts} dials: {why}")
        }
        NodeEvent::MemberUp(Member { address, .. }) => format!("up {address}"),
        NodeEvent::MemberDown { member, reason } => {
            format!("down {} {}", member.address, word(reason))
        }
        NodeEvent::Missed(count) => {
            warn!(count, "events were missed");
            return None;
        }
        _ => return None,
    };
    Some(line)
}

fn count(unsent: Unsent) -> String {
    let Unsent {
        casts,
        calls,
        replies,
        bytes,
        ..
    } = unsent;
    format!("{casts} casts, {calls} calls, {replies} replies, {bytes} bytes")
}

fn word(reason: DownReason) -> &'static str {
    match reason {
        DownReason::Failed => "failed",
        DownReason::Left => "left",
        DownReason::Replaced => "replaced",
        _ => "gone",
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc, time::Duration};

    use shiome::ConnectError;

    use super::*;

    fn line_of(event: NodeEvent) -> String {
        line(event, &mut HashSet::new()).unwrap()
    }

    #[test]
    fn dials_are_told_with_their_causes() {
        let error = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = Arc::new(ConnectError::from(error));
        let again = NodeEvent::Reconnecting {
            address: "h:1".to_owned(),
            attempt: 3,
            pause: Duration::from_millis(120),
            error: Arc::clone(&error),
        };
        let why = chain(&*error);
        assert!(why.contains("refused"), "{why}");
        let expected = format!("reconnecting h:1 in 120 ms, dial 3: {why}");
        assert_eq!(line_of(again), expected);
        let gave_up = NodeEvent::GaveUp {
            address: "h:1".to_owned(),
            attempts: 3,
            error,
        };
        let expected = format!("gave up h:1 after 3 dials: {why}");
        assert_eq!(line_of(gave_up), expected);
    }

    #[test]
    fn what_was_not_sent_is_counted() {
        let mut unsent = Unsent::default();
        unsent.casts = 7;
        unsent.bytes = 99;
        assert_eq!(count(unsent), "7 casts, 0 calls, 0 replies, 99 bytes");
    }
}
