use std::{
    fmt,
    net::SocketAddr,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_core::Stream;
use shiome_gossip::NodeId;
use shiome_swim::{DownReason, Event, Swim};
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use crate::member::MemberInfo;

/// What happens in the cluster, as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MembershipEvent {
    /// A seed answered: this node is in.
    Joined {
        /// The member that answered.
        via: NodeId,
        /// Its address.
        addr: SocketAddr,
    },
    /// A member is there: it is new, or back.
    MemberUp(MemberInfo),
    /// A member did not answer and is given some time to object. Most suspects turn out to be well; do not act on it.
    MemberSuspected(MemberInfo),
    /// A suspect objected in time.
    MemberRecovered(MemberInfo),
    /// The address, role or slots of a member that is up are others now.
    MemberChanged(MemberInfo),
    /// A member is gone. Follows on each [`MemberUp`](Self::MemberUp) at most once.
    MemberDown {
        /// Its id.
        id: NodeId,
        /// Where it listened.
        addr: SocketAddr,
        /// How it went.
        reason: DownReason,
    },
    /// This node took a new incarnation: it was said to be gone, or somewhere else, or its role or slots changed. With a
    /// state directory it is kept for the next start.
    Incarnation {
        /// The new incarnation.
        incarnation: u64,
    },
    /// Somebody uses this node's id at another address: it had that address before, or somebody else has the same id
    /// and one of the two has to change.
    Conflict {
        /// The other's address.
        addr: SocketAddr,
    },
    /// A replica asks for votes.
    VoteRequest {
        /// The replica.
        candidate: NodeId,
        /// The epoch that it wants to lead.
        epoch: u64,
        /// How far it has replicated.
        offset: u64,
    },
    /// A primary gives its vote.
    VoteGranted {
        /// The voter.
        from: NodeId,
        /// Whom it votes for.
        candidate: NodeId,
        /// The epoch.
        epoch: u64,
    },
    /// This node has left, and the others were told. The last event.
    Departed,
    /// The listener was too slow and missed so many events: ask for [the members](crate::Membership::members).
    Missed(u64),
}

impl MembershipEvent {
    /// With what the engine knows of the member. `None` for events that are not known here, and for a change of a
    /// member that is gone already, whose end is the next that is told of it.
    pub(crate) fn new(event: Event, engine: &Swim) -> Option<Self> {
        let member = |id| engine.member(&id).map(MemberInfo::from);
        Some(match event {
            Event::Joined { via, addr } => Self::Joined { via, addr },
            Event::MemberUp { id, .. } => Self::MemberUp(member(id)?),
            Event::MemberSuspected { id } => Self::MemberSuspected(member(id)?),
            Event::MemberRecovered { id } => Self::MemberRecovered(member(id)?),
            Event::MemberChanged { id } => Self::MemberChanged(member(id)?),
            Event::MemberDown { id, addr, reason } => Self::MemberDown { id, addr, reason },
            Event::Incarnation { incarnation } => Self::Incarnation { incarnation },
            Event::Conflict { addr } => Self::Conflict { addr },
            Event::VoteRequest {
                candidate,
                epoch,
                offset,
            } => Self::VoteRequest {
                candidate,
                epoch,
                offset,
            },
            Event::VoteGranted {
                from,
                candidate,
                epoch,
            } => Self::VoteGranted {
                from,
                candidate,
                epoch,
            },
            Event::Departed => Self::Departed,
            _ => return None,
        })
    }
}

/// Stream of [`MembershipEvent`]s. It ends when the node does.
pub struct Events(BroadcastStream<MembershipEvent>);

impl Events {
    /// The next event; `None` when the node has stopped. Cancel-safe.
    pub async fn next(&mut self) -> Option<MembershipEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = MembershipEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<MembershipEvent>> {
        Pin::new(&mut self.0).poll_next(cx).map(|event| {
            event.map(|event| match event {
                Ok(event) => event,
                Err(BroadcastStreamRecvError::Lagged(missed)) => MembershipEvent::Missed(missed),
            })
        })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// Events that wait for a slow listener. It misses the oldest above that, and is told so.
const EVENT_CAPACITY: usize = 1024;

/// Passes events on to all who listen.
#[derive(Debug)]
pub(crate) struct Broadcast(Mutex<Channel>);

#[derive(Debug)]
struct Channel {
    /// `None` after the end.
    sender: Option<broadcast::Sender<MembershipEvent>>,
    /// For the first who listens: there may be events before anybody can ask.
    first: Option<broadcast::Receiver<MembershipEvent>>,
}

impl Broadcast {
    pub(crate) fn new() -> Self {
        let (sender, first) = broadcast::channel(EVENT_CAPACITY);
        Self(Mutex::new(Channel {
            sender: Some(sender),
            first: Some(first),
        }))
    }

    pub(crate) fn subscribe(&self) -> Events {
        let mut channel = self.lock();
        let receiver = match (channel.first.take(), &channel.sender) {
            (Some(first), _) => first,
            (None, Some(sender)) => sender.subscribe(),
            // Its sender is gone at once, so that the stream is at its end.
            (None, None) => broadcast::channel(1).1,
        };
        Events(BroadcastStream::new(receiver))
    }

    pub(crate) fn send(&self, event: MembershipEvent) {
        // Outside the lock, since it wakes the listeners.
        let sender = self.lock().sender.clone();
        if let Some(sender) = sender {
            // An error says that nobody listens.
            let _ = sender.send(event);
        }
    }

    /// Ends all streams, when they have told what was sent.
    pub(crate) fn close(&self) {
        self.lock().sender = None;
    }

    fn lock(&self) -> MutexGuard<'_, Channel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuted(incarnation: u64) -> MembershipEvent {
        MembershipEvent::Incarnation { incarnation }
    }

    #[tokio::test]
    async fn the_first_listener_hears_what_was_before() {
        let broadcast = Broadcast::new();
        broadcast.send(refuted(1));
        let (mut first, mut second) = (broadcast.subscribe(), broadcast.subscribe());
        broadcast.send(refuted(2));
        broadcast.close();
        assert_eq!(first.next().await, Some(refuted(1)));
        for events in [&mut first, &mut second] {
            assert_eq!(events.next().await, Some(refuted(2)));
            assert_eq!(events.next().await, None);
        }
        assert_eq!(broadcast.subscribe().next().await, None);
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_how_much_it_missed() {
        let broadcast = Broadcast::new();
        for incarnation in 0..EVENT_CAPACITY as u64 + 3 {
            broadcast.send(refuted(incarnation));
        }
        let mut events = broadcast.subscribe();
        assert_eq!(events.next().await, Some(MembershipEvent::Missed(3)));
        assert_eq!(events.next().await, Some(refuted(3)));
    }
}
