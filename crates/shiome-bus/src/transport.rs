//! What carries envelopes between this bus and others.
//!
//! A [`Link`] is one connection, to one authenticated other end, which may stand for itself or, as a gateway, for more peers
//! behind it. A transport that serves many connections attaches a link for each.
//!
//! 1. [`Bus::attach`](crate::Bus::attach) gives the link an [`Inbound`] by [`Link::start`], once.
//! 2. The link authenticates the other end and calls [`Inbound::up`]; from then on envelopes go both ways.
//! 3. It tells who is at the other end by [`Inbound::peer_up`] and [`Inbound::peer_down`]; the bus tells it who is at this end
//!    by [`Link::local_peer`].
//! 4. When it breaks it calls [`Inbound::down`], and [`Inbound::up`] again if it comes back; [`Inbound::closed`] is its last word.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{BusError, Envelope, Incarnation, LinkKind, PeerId};

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries envelopes to one other end.
///
/// No method blocks. Envelopes of one [`Priority`](crate::Priority) from one sender to one receiver arrive in order, at most once;
/// a lost link may lose what it had accepted. Queues are bounded.
pub trait Link: fmt::Debug + Send + Sync + 'static {
    /// What it is made of.
    fn kind(&self) -> LinkKind;

    /// Begins to run; what arrives goes to `inbound`. Called once, from within a tokio runtime.
    ///
    /// # Errors
    ///
    /// When it cannot begin; it is not attached then.
    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError>;

    /// Takes an envelope into its queue, if there is room now. Called under a lock that keeps what the sender sends in order: nothing is
    /// to be sent for the same peer from within. What the link finds out, as that it is down or closed, its [`Inbound`] may be told.
    ///
    /// # Errors
    ///
    /// [`BusError::QueueFull`], [`BusError::NotConnected`], [`BusError::PayloadTooLarge`], [`BusError::Closed`]; nothing was
    /// taken. [`BusError::Unauthorized`] when the other end would not take `from` of this link.
    fn try_send(&self, envelope: &Envelope) -> Result<(), BusError>;

    /// Takes an envelope into its queue, as soon as there is room. Cancel-safe: a dropped future has taken nothing.
    ///
    /// # Errors
    ///
    /// As those of [`try_send`](Self::try_send), but [`BusError::QueueFull`].
    fn send<'a>(&'a self, envelope: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>>;

    /// Ends when more room may have been made than there was when this was called, or the link broke. `None`, as here: who waits in
    /// [`send`](Self::send) is served in the order of coming, so that nobody has to wait elsewhere. With it the bus has its peers
    /// wait in that order and numbers what they send when there is room for it, so that all arrives in the order of the numbers.
    fn room(&self) -> Option<BoxFuture<'_, ()>> {
        None
    }

    /// Waits until all that was taken before has left the process, or reached the other end where the link can tell. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`BusError::NotConnected`] when the link broke and some of it did not.
    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>>;

    /// Takes nothing more, sends what it has, says goodbye and ends; after `deadline` it ends at once. Idempotent.
    ///
    /// # Errors
    ///
    /// [`BusError::Timeout`] when something was left unsent at the deadline, and [`BusError::NotConnected`] when it was given up
    /// before.
    fn close(&self, deadline: Duration) -> BoxFuture<'_, Result<(), BusError>>;

    /// How it is, now and after each change.
    fn state(&self) -> watch::Receiver<LinkState>;

    /// Those at the other end that it told of.
    fn peers(&self) -> Vec<PeerId>;

    /// What it has done so far.
    fn stats(&self) -> LinkStats;

    /// A peer of this bus came (`true`), went, or was there when the link was attached. The same may be told twice; what is told of
    /// an earlier incarnation says nothing about a later one. Not to be called back from.
    fn local_peer(&self, peer: &PeerId, incarnation: Incarnation, present: bool);

    /// Where it keeps what [`local_peer`](Self::local_peer) tells, if it shares that with other links, as those to the clients of one
    /// server do: a [bridge](crate::BusOptions::bridge) tells it there once, not each of the links. Default: none.
    fn audience(&self) -> Option<Arc<dyn Audience>> {
        None
    }
}

/// What several links of one kind know together of the peers of this bus.
pub trait Audience: Send + Sync + 'static {
    /// As [`Link::local_peer`], for all the links that share it. Also called while there is none.
    fn hear(self: Arc<Self>, peer: &PeerId, incarnation: Incarnation, present: bool);
}

/// Where a link puts what it gets. Of the bus; a transport's own tests may have another.
pub trait Inbound: fmt::Debug + Send + Sync {
    /// The link is up, and its other end is `remote`.
    fn up(&self, remote: Remote);

    /// The link is down: what waits for an answer over it fails, and nothing is sent over it until it is up again.
    fn down(&self);

    /// The link is down, and what was put into it goes over a [detour](Self::detour): what waits for an answer goes on waiting, and
    /// whom it told of it tells of no longer.
    fn diverted(&self) {
        self.down();
    }

    /// The link that would take envelopes to `to` if this one was not there.
    ///
    /// # Errors
    ///
    /// [`BusError::NotConnected`] when those that there are are down, [`BusError::NodeNotFound`] when there is none.
    fn detour(&self, to: &PeerId) -> Result<Arc<dyn Link>, BusError> {
        Err(BusError::NodeNotFound(to.clone()))
    }

    /// The link has ended.
    fn closed(&self);

    /// A peer is at the other end.
    ///
    /// # Errors
    ///
    /// [`BusError::NameTaken`] when this bus has a peer of that id, or knows a later incarnation elsewhere.
    /// [`BusError::Unauthorized`] when the other end is no gateway and the peer not itself.
    fn peer_up(&self, peer: &PeerId, incarnation: Incarnation) -> Result<(), BusError>;

    /// That life of a peer is at the other end no longer. Without effect when another one was told of since.
    fn peer_down(&self, peer: &PeerId, incarnation: Incarnation);

    /// The link tells no longer whether that life of a peer is at the other end, where it may be nevertheless: nothing that waits for it
    /// fails, and what is sent to it goes this way until the link is down.
    fn peer_untold(&self, _peer: &PeerId, _incarnation: Incarnation) {}

    /// Whether the link tells of all who are at the other end, as it does unless this says otherwise. Else who was gone may be there
    /// again without a word of it.
    fn tells_of_all(&self, _all: bool) {}

    /// An envelope arrived. Resolves when the bus has taken or dropped it: a link that waits for that before it reads on slows
    /// the other end down to what peers here can take. To be called in the order of arrival, one at a time.
    fn deliver(&self, envelope: Envelope) -> BoxFuture<'_, ()>;

    /// Envelopes arrived together. As if each were [delivered](Self::deliver), one after the other, at less cost.
    fn deliver_all(&self, envelopes: Vec<Envelope>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            for envelope in envelopes {
                self.deliver(envelope).await;
            }
        })
    }

    /// An envelope that the link had taken will not be sent, or may not have arrived: a dead letter. Links say so of each that they
    /// give up. Unless the bus says otherwise, nobody is told.
    fn lost(&self, envelope: &Envelope, error: BusError) {
        let _ = (envelope, error);
    }

    /// Something arrived that is no envelope; counted as a drop.
    fn malformed(&self, error: &BusError);

    /// An envelope arrived that the link itself refused, as one that its other end does not speak for; counted as a drop.
    fn refused(&self, envelope: &Envelope, error: &BusError) {
        let _ = (envelope, error);
    }
}

/// The other end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// Who it has proven to be.
    pub id: PeerId,
    /// Whether we let it speak for others, as a relay or a node with many peers does.
    pub gateway: bool,
    /// Whether a gateway speaks only for those that its link [told of](Inbound::peer_up).
    pub told_only: bool,
}

impl Remote {
    /// An end that speaks for itself.
    #[must_use]
    pub fn peer(id: PeerId) -> Self {
        Self {
            id,
            gateway: false,
            told_only: false,
        }
    }

    /// An end that speaks for others, too, whoever they are: what it passes on is taken as it comes.
    #[must_use]
    pub fn gateway(id: PeerId) -> Self {
        Self {
            gateway: true,
            ..Self::peer(id)
        }
    }

    /// An end with peers of its own, all of which its link tells of: what comes from anybody else is forged.
    #[must_use]
    pub fn node(id: PeerId) -> Self {
        Self {
            told_only: true,
            ..Self::gateway(id)
        }
    }
}

/// How a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// It is being made, or made again.
    Connecting,
    /// It carries envelopes.
    Up,
    /// It takes nothing more, and sends what it has.
    Closing,
    /// It has ended, and why.
    Closed(Arc<str>),
}

/// What a link has done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// What it is made of.
    pub transport_type: LinkKind,
    /// Envelopes that it sent.
    pub messages_sent: u64,
    /// Envelopes that arrived.
    pub messages_received: u64,
    /// Envelopes that it could not send, or that were no envelopes.
    pub errors: u64,
    /// Whether it is up.
    pub is_ready: bool,
    /// Envelopes that wait to be sent.
    pub queued: usize,
}

impl LinkStats {
    /// Those of a link that has done nothing yet.
    #[must_use]
    pub const fn new(transport_type: LinkKind) -> Self {
        Self {
            transport_type,
            messages_sent: 0,
            messages_received: 0,
            errors: 0,
            is_ready: false,
            queued: 0,
        }
    }
}
