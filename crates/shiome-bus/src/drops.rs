//! Dead letters: what was not delivered, and why.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::broadcast;

use crate::MessageId;
use crate::{Envelope, Name, PeerId, envelope::now_ms};

/// Dropped envelopes that are remembered: some screens of them.
pub const DROP_RING_LEN: usize = 256;

/// Dropped envelopes that a stream holds for one who does not read.
const STREAM_CAPACITY: usize = 256;

/// Why an envelope was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// Nobody of that name is known.
    NodeNotFound,
    /// The peer has no handler for it.
    NoHandler,
    /// The mailbox or the link had no room.
    QueueFull,
    /// The peer was closed before it got to it.
    Closed,
    /// The link is down.
    NotConnected,
    /// It was there before.
    Duplicate,
    /// It was sent on too often.
    TooManyHops,
    /// It came over a link whose other end may not speak for its sender.
    Forged,
    /// It came over a link, and its sender is a peer of this bus.
    Echo,
    /// Its payload is over the limit.
    PayloadTooLarge,
    /// It was no envelope.
    Malformed,
    /// It answers something that nobody waits for any longer.
    LateReply,
    /// An interceptor refused it.
    Refused,
    /// The link failed otherwise.
    Network,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 14] = [
        Self::NodeNotFound,
        Self::NoHandler,
        Self::QueueFull,
        Self::Closed,
        Self::NotConnected,
        Self::Duplicate,
        Self::TooManyHops,
        Self::Forged,
        Self::Echo,
        Self::PayloadTooLarge,
        Self::Malformed,
        Self::LateReply,
        Self::Refused,
        Self::Network,
    ];

    /// Its name in logs and figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NodeNotFound => "node_not_found",
            Self::NoHandler => "no_handler",
            Self::QueueFull => "queue_full",
            Self::Closed => "closed",
            Self::NotConnected => "not_connected",
            Self::Duplicate => "duplicate",
            Self::TooManyHops => "too_many_hops",
            Self::Forged => "forged",
            Self::Echo => "echo",
            Self::PayloadTooLarge => "payload_too_large",
            Self::Malformed => "malformed",
            Self::LateReply => "late_reply",
            Self::Refused => "refused",
            Self::Network => "network",
        }
    }
}

/// What is remembered of a dropped envelope; not its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// Why it was dropped.
    pub reason: DropReason,
    /// Its id.
    pub id: MessageId,
    /// Who sent it.
    pub from: PeerId,
    /// For whom it was.
    pub to: PeerId,
    /// Name of its intent.
    pub intent: Name,
    /// When it was dropped: milliseconds since 1970.
    pub at_ms: u64,
}

/// What a [`DropStream`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropEvent {
    /// An envelope was dropped.
    Dropped(Dropped),
    /// So many more were dropped than were read; the next are the latest.
    Lagged(u64),
}

/// Dropped envelopes, as they are dropped.
#[derive(Debug)]
pub struct DropStream(broadcast::Receiver<Dropped>);

impl DropStream {
    /// The next event, or `None` when the bus is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<DropEvent> {
        match self.0.recv().await {
            Ok(dropped) => Some(DropEvent::Dropped(dropped)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(DropEvent::Lagged(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Where dropped envelopes are told of.
#[derive(Debug)]
pub(crate) struct Drops {
    counts: [AtomicU64; DropReason::ALL.len()],
    ring: Mutex<VecDeque<Dropped>>,
    stream: broadcast::Sender<Dropped>,
}

impl Default for Drops {
    fn default() -> Self {
        Self {
            counts: Default::default(),
            ring: Mutex::default(),
            stream: broadcast::Sender::new(STREAM_CAPACITY),
        }
    }
}

impl Drops {
    /// Counts an envelope, and tells of it unless it is one of the bus' own, which would hide those of users.
    pub(crate) fn trace(&self, envelope: &Envelope, reason: DropReason) {
        self.count(reason);
        let intent = envelope.intent.name();
        if intent.is_system() {
            return;
        }
        let dropped = Dropped {
            reason,
            id: envelope.id,
            from: envelope.from.clone(),
            to: envelope.to.clone(),
            intent: intent.clone(),
            at_ms: now_ms(),
        };
        tracing::debug!(reason = reason.as_str(), from = %dropped.from, to = %dropped.to, %intent, "envelope dropped");
        // Whether anybody listens is nothing to us.
        let _ = self.stream.send(dropped.clone());
        let mut ring = self.ring();
        if ring.len() == DROP_RING_LEN {
            ring.pop_front();
        }
        ring.push_back(dropped);
    }

    /// Counts what is told to the caller anyway, or has no envelope.
    pub(crate) fn count(&self, reason: DropReason) {
        self.counts[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counted(&self, reason: DropReason) -> u64 {
        self.counts[reason as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn recent(&self) -> Vec<Dropped> {
        self.ring().iter().cloned().collect()
    }

    pub(crate) fn stream(&self) -> DropStream {
        DropStream(self.stream.subscribe())
    }

    fn ring(&self) -> MutexGuard<'_, VecDeque<Dropped>> {
        // The ring is whole after any panic.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Incarnation, Intent};

    fn envelope(name: &str, seq: u64) -> Envelope {
        let id = MessageId {
            incarnation: Incarnation::next(),
            seq,
        };
        let peer = |id| PeerId::new(id).unwrap();
        let intent = Intent::of(Name::any(name).unwrap(), ().into());
        Envelope::new(id, peer("a"), peer("b"), intent)
    }

    #[test]
    fn reasons_have_places_and_names_of_their_own() {
        for (place, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
        let mut names = DropReason::ALL.map(DropReason::as_str).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DropReason::ALL.len());
    }

    #[test]
    fn the_latest_are_remembered() {
        let drops = Drops::default();
        for seq in 0..DROP_RING_LEN as u64 + 10 {
            drops.trace(&envelope("x", seq), DropReason::NoHandler);
        }
        drops.trace(&envelope("sys.ping", 0), DropReason::Closed);
        let recent = drops.recent();
        assert_eq!(recent.len(), DROP_RING_LEN);
        assert_eq!((recent[0].id.seq, &*recent[0].from.to_string()), (10, "a"));
        assert_eq!(
            drops.counted(DropReason::NoHandler),
            DROP_RING_LEN as u64 + 10
        );
        assert_eq!(drops.counted(DropReason::Closed), 1);
    }

    #[tokio::test]
    async fn who_reads_too_slowly_is_told_how_many_were_missed() {
        let drops = Drops::default();
        let mut stream = drops.stream();
        for seq in 0..STREAM_CAPACITY as u64 + 5 {
            drops.trace(&envelope("x", seq), DropReason::Duplicate);
        }
        assert_eq!(stream.next().await, Some(DropEvent::Lagged(5)));
        let Some(DropEvent::Dropped(dropped)) = stream.next().await else {
            panic!("nothing after the gap");
        };
        assert_eq!((dropped.id.seq, dropped.reason), (5, DropReason::Duplicate));
        drop(drops);
        for _ in 1..STREAM_CAPACITY {
            assert!(stream.next().await.is_some());
        }
        assert_eq!(stream.next().await, None);
    }
}
