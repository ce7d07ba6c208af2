use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use ractor::{ActorCell, ActorRef};
#[cfg(feature = "membership")]
use shiome_membership::DownReason;
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

#[cfg(feature = "membership")]
use crate::Member;
use crate::{
    ConnectError, NodeDown, NodeId, Unsent,
    node::{NodeEventSubscription, NodeServerSessionInformation, NodeSessionMessage},
};

/// An authenticated session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Full name of the peer, `name@host`.
    pub name: String,
    /// Where the peer is dialled, as it says: `host:port`, or an address with a scheme.
    pub connection_string: String,
    /// Number of the connection, also in the ids of the peer's actors.
    pub node_id: NodeId,
    /// Whether the peer dialled.
    pub is_server: bool,
    /// The peer's socket address or label.
    pub peer_addr: String,
    session: ActorCell,
}

impl SessionInfo {
    /// Closes the session.
    pub fn disconnect(&self) {
        self.session.stop(None);
    }

    pub(crate) fn session(&self) -> &ActorCell {
        &self.session
    }

    /// The session's actor.
    pub fn actor(&self) -> ActorRef<NodeSessionMessage> {
        self.session.clone().into()
    }
}

impl From<NodeServerSessionInformation> for SessionInfo {
    fn from(information: NodeServerSessionInformation) -> Self {
        let name = information.peer_name.unwrap_or_default();
        Self {
            name: name.name,
            connection_string: name.connection_string,
            node_id: information.node_id,
            is_server: information.is_server,
            peer_addr: information.peer_addr,
            session: information.actor.get_cell(),
        }
    }
}

/// What happens to a session, to an address that the node keeps connected to, or to a member of the cluster.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A connection is open. Nothing is proven yet, and the names are empty.
    Opened(SessionInfo),
    /// Both nodes know the cookie.
    Authenticated(SessionInfo),
    /// Both nodes have told each other their actors and groups.
    Ready(SessionInfo),
    /// The session has ended, authenticated or not.
    Disconnected(SessionInfo),
    /// The link to an authenticated peer is gone, and why. Once a session.
    NodeDown {
        /// The session.
        session: SessionInfo,
        /// Why.
        reason: NodeDown,
    },
    /// Messages to the peer were not sent: dropped because its link had [overflowed](crate::Overflow), still waiting when
    /// it ended, or, sent to an `ActorRef`, for another reason of [`CastError`](crate::CastError). Told at once, then once
    /// a second.
    Unsent {
        /// The session.
        session: SessionInfo,
        /// How many, since the last time.
        unsent: Unsent,
    },
    /// Actors of the peer joined groups and were left out, since there are
    /// [as many as may be](crate::Builder::max_grouped_actors). They are no members here; by name they can be reached as any
    /// other. Told at once, then when there are twice as many.
    MembersLeftOut {
        /// The session.
        session: SessionInfo,
        /// How many joined and were left out since the session began, each as often as it joined.
        count: u64,
    },
    /// A member is there: it is new, or back. There is a session with it as soon as it is dialled, or has dialled.
    #[cfg(feature = "membership")]
    MemberUp(Member),
    /// A member is gone. A session with it ends now, if it has not.
    #[cfg(feature = "membership")]
    MemberDown {
        /// The member.
        member: Member,
        /// How it went.
        reason: DownReason,
    },
    /// An address that the node [keeps connected to](crate::Node::keep_connected) has no session, and is dialled again
    /// after a pause.
    Reconnecting {
        /// The address, as it was given.
        address: String,
        /// Number of the dial to come, since the last session that lasted; from 1.
        attempt: u32,
        /// Time until then.
        pause: Duration,
        /// Why the last dial failed, or that its session was lost. If it [is permanent](ConnectError::is_permanent),
        /// somebody has to do something.
        error: Arc<ConnectError>,
    },
    /// An address that the node kept connected to is not dialled any more, as [`Reconnect`](crate::Reconnect) says.
    /// Told once.
    GaveUp {
        /// The address, as it was given.
        address: String,
        /// Dials since the last session that lasted.
        attempts: u32,
        /// Why the last one failed.
        error: Arc<ConnectError>,
    },
    /// The listener was too slow and missed so many events.
    Missed(u64),
}

/// Stream of [`NodeEvent`]s. It ends when the node does, and all its sessions have.
pub struct Events(BroadcastStream<NodeEvent>);

impl Events {
    pub(crate) fn new(events: broadcast::Receiver<NodeEvent>) -> Self {
        Self(BroadcastStream::new(events))
    }

    /// The next event; `None` when the node has stopped. Cancel-safe.
    pub async fn next(&mut self) -> Option<NodeEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = NodeEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<NodeEvent>> {
        Pin::new(&mut self.0).poll_next(cx).map(|event| {
            event.map(|event| match event {
                Ok(event) => event,
                Err(BroadcastStreamRecvError::Lagged(missed)) => NodeEvent::Missed(missed),
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

/// Tells events of the node, its server and its sessions.
#[derive(Debug, Clone)]
pub(crate) struct Broadcast(broadcast::Sender<NodeEvent>);

impl Broadcast {
    /// With the first listener.
    pub(crate) fn new() -> (Self, broadcast::Receiver<NodeEvent>) {
        let (sender, first) = broadcast::channel(EVENT_CAPACITY);
        (Self(sender), first)
    }

    /// Tells what happened, but the end of a session, of which the server tells.
    pub(crate) fn send(&self, event: NodeEvent) {
        // An error says that nobody listens.
        let _ = self.0.send(event);
    }

    pub(crate) fn downgrade(&self) -> WeakBroadcast {
        WeakBroadcast(self.0.downgrade())
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<NodeEvent> {
        self.0.subscribe()
    }
}

/// A [`Broadcast`] in the hands of who may outlive the node, and keeps no stream of events from ending.
#[derive(Debug, Clone)]
pub(crate) struct WeakBroadcast(broadcast::WeakSender<NodeEvent>);

impl WeakBroadcast {
    /// One that nobody hears, when the node has ended.
    pub(crate) fn upgrade(&self) -> Broadcast {
        let strong = self.0.upgrade().map(Broadcast);
        strong.unwrap_or_else(|| Broadcast::new().0)
    }
}

impl NodeEventSubscription for Broadcast {
    // What comes before the end the session tells itself: told here it could come after the end, or not at all.

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        let _ = self.0.send(NodeEvent::Disconnected(session.into()));
    }
}
