//! A peer: what sends, and what is sent to.

mod listen;
mod options;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

pub use self::options::{MAX_CONCURRENCY, PeerOptions, Receipt, Route, SendOptions};
use crate::{
    BlockingPeer, Bus, BusError, Delivery, Incarnation, Intent, LinkKind, Name, PeerId, PeerStats,
    bus::{Core, Here},
    dispatch::{self, PING},
    node::Node,
};

/// A handle on a peer. Clones are of the same peer; with the last one the peer ends at once, without working off what it has: to let
/// it do that, [`close`](Self::close) it. A handler that is a future ends then where it waits.
///
/// There is no broadcast, by design: receivers that send on what they get would do so without end. A group is sent to
/// through a [`Mesh`](crate::Mesh), whose members are known and each of which gets every message once.
///
/// What is sent to one peer with one priority arrives in the order of sending, at most once.
#[derive(Clone)]
pub struct Peer {
    handle: Arc<Handle>,
}

/// What the handles on one peer share; its end is the peer's.
pub(crate) struct Handle {
    node: Arc<Node>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.node.end();
    }
}

/// A handle that does not keep its peer.
#[derive(Debug, Clone)]
pub struct WeakPeer(std::sync::Weak<Handle>);

impl WeakPeer {
    /// A handle that keeps it, if it is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Peer> {
        let handle = self.0.upgrade()?;
        Some(Peer { handle })
    }
}

impl Peer {
    pub(crate) fn start(
        core: &Arc<Core>,
        id: PeerId,
        options: &PeerOptions,
    ) -> Result<Self, BusError> {
        let runtime = core.runtime()?;
        let node = Node::new(core, id, options, runtime);
        let handle = Arc::new(Handle {
            node: Arc::clone(&node),
        });
        node.set_handle(&handle);
        core.enter(&node, options.replace)?;
        dispatch::start(&node, options)?;
        Ok(Self { handle })
    }

    /// A handle on a peer that has one.
    pub(crate) fn of(node: &Node) -> Result<Self, BusError> {
        let handle = node.handle().filter(|_| !node.is_ended());
        let handle = handle.ok_or_else(|| node.closed())?;
        Ok(Self { handle })
    }

    /// Changes whenever somebody may have become reachable, or no longer be.
    pub(crate) fn names_changed(&self) -> watch::Receiver<()> {
        self.node().core.names_changed.subscribe()
    }

    /// All others, with their lives.
    pub(crate) fn present(&self) -> BTreeMap<PeerId, Here> {
        let mut present = self.node().core.present();
        present.remove(self.id());
        present
    }

    /// The peer of that name, if it is on the bus or told of.
    pub(crate) fn here(&self, id: &PeerId) -> Option<Here> {
        self.node().core.here(id)
    }

    /// Whether that life of a peer is over, as far as is known.
    pub(crate) fn is_over(&self, id: &PeerId, life: Incarnation) -> bool {
        self.node().core.is_over(id, life)
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.handle.node
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &PeerId {
        &self.node().id
    }

    /// Which life of its name it is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.node().incarnation
    }

    /// The bus that it is on.
    #[must_use]
    pub fn bus(&self) -> Bus {
        Bus::of(&self.node().core)
    }

    /// A handle that does not keep it: for handlers that need their peer elsewhere than in a [`Delivery`].
    #[must_use]
    pub fn downgrade(&self) -> WeakPeer {
        WeakPeer(Arc::downgrade(&self.handle))
    }

    /// The same peer for threads that run no tasks.
    #[must_use]
    pub fn blocking(&self) -> BlockingPeer {
        BlockingPeer::new(self)
    }

    /// What kinds of links its bus has.
    #[must_use]
    pub fn link_kinds(&self) -> Vec<LinkKind> {
        self.node().core.link_kinds()
    }

    /// Sends an intent, waiting for room at the receiver if there is none, up to the
    /// [time](crate::BusOptions::send_timeout) that the bus allows.
    ///
    /// It is accepted then: the mailbox of the receiver has it, or the queue of the link to it.
    ///
    /// Cancel-safe: a future that is dropped before it resolves has sent nothing. A handler that sends to peers that
    /// send to it may wait for itself through them when all their mailboxes are full; it then gets `QueueFull` after that time, and one
    /// that sends to its own full peer gets it at once.
    ///
    /// # Errors
    ///
    /// [`BusError::NodeNotFound`], [`BusError::NotConnected`], [`BusError::QueueFull`], [`BusError::PayloadTooLarge`],
    /// [`BusError::InvalidName`], [`BusError::TooManyHops`], [`BusError::Refused`], [`BusError::Closed`], or what the link says.
    /// Nothing was sent then.
    pub async fn send<T>(&self, to: T, intent: Intent) -> Result<Receipt, BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        let to = to.try_into()?;
        self.node().send(to, intent).await
    }

    /// Sends an intent if there is room now.
    ///
    /// # Errors
    ///
    /// As those of [`send`](Self::send); nothing was sent then.
    pub fn try_send<T>(&self, to: T, intent: Intent) -> Result<Receipt, BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        self.node().try_send(to.try_into()?, intent)
    }

    /// Sends an intent as told, and waits as long as its level wants.
    ///
    /// Cancel-safe up to [`Level::Accepted`](crate::Level::Accepted), as [`send`](Self::send); with a higher level, the envelope may have been
    /// sent when the future is dropped, and only the wait ends.
    ///
    /// # Errors
    ///
    /// As those of [`send`](Self::send). Of higher levels also what became of the envelope: [`BusError::NoHandler`],
    /// [`BusError::HandlerFailed`], [`BusError::Serialization`] of a typed handler; and [`BusError::Timeout`],
    /// [`BusError::NotConnected`], [`BusError::Closed`] or [`BusError::Network`] when that is not known: nobody can say any longer.
    pub async fn send_with<T>(
        &self,
        to: T,
        intent: Intent,
        options: SendOptions,
    ) -> Result<Receipt, BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        let to = to.try_into()?;
        self.node().send_with(to, intent, &options).await
    }

    /// Sends a text under a name.
    ///
    /// # Errors
    ///
    /// As those of [`send`](Self::send).
    pub async fn send_text<T, N>(
        &self,
        to: T,
        name: N,
        text: impl Into<String>,
    ) -> Result<Receipt, BusError>
    where
        T: TryInto<PeerId>,
        N: TryInto<Name>,
        BusError: From<T::Error> + From<N::Error>,
    {
        let (to, intent) = (to.try_into()?, Intent::new(name, text.into())?);
        self.node().send(to, intent).await
    }

    /// Asks, and waits for the answer up to the [time](crate::BusOptions::request_timeout) that the bus allows.
    ///
    /// A future that is dropped waits no longer; the question may have been sent.
    ///
    /// # Errors
    ///
    /// As those of [`send_with`](Self::send_with). After [`BusError::Timeout`] and [`BusError::NotConnected`] the question may have
    /// been handled, or may still be: only repeat what may be done twice.
    pub async fn request<T>(&self, to: T, intent: Intent) -> Result<Delivery, BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        self.request_with(to, intent, SendOptions::default()).await
    }

    /// Asks as told; the level is always [`Level::Answered`](crate::Level::Answered).
    ///
    /// # Errors
    ///
    /// As those of [`request`](Self::request).
    pub async fn request_with<T>(
        &self,
        to: T,
        intent: Intent,
        options: SendOptions,
    ) -> Result<Delivery, BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        let to = to.try_into()?;
        self.node().request(to, intent, &options).await
    }

    /// Answers a delivery to this peer, waiting for room on the link if need be. The answer goes to who
    /// [asked](Self::request), past handlers, and not behind what was sent before. An answer that nobody waits for is dropped there.
    ///
    /// # Errors
    ///
    /// As those of [`send`](Self::send). A peer that is closing still answers.
    pub async fn respond(&self, to: &Delivery, intent: Intent) -> Result<Receipt, BusError> {
        self.node().respond(to, intent).await
    }

    /// Answers a delivery if there is room now.
    ///
    /// # Errors
    ///
    /// As those of [`respond`](Self::respond).
    pub fn try_respond(&self, to: &Delivery, intent: Intent) -> Result<Receipt, BusError> {
        self.node().try_respond(to, intent)
    }

    /// Asks whether a peer takes envelopes out of its mailbox, and says how long that took. Peers answer by themselves, ahead of
    /// what waits for their handlers, and after the handler that runs.
    ///
    /// # Errors
    ///
    /// As those of [`request`](Self::request).
    pub async fn ping<T>(&self, to: T, timeout: Duration) -> Result<Duration, BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        let to = to.try_into()?;
        let begin = Instant::now();
        let options = SendOptions::default().timeout(timeout).urgent();
        let ping = Intent::of(PING, ().into());
        self.node().request(to, ping, &options).await?;
        Ok(begin.elapsed())
    }

    /// Whether a peer is on the bus, or a link that is up told of it or brought something of it.
    pub fn reachable<T: TryInto<PeerId>>(&self, id: T) -> bool {
        id.try_into().is_ok_and(|id| self.node().core.reaches(&id))
    }

    /// Waits until a peer is [reachable](Self::reachable). Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`]; [`BusError::NodeNotFound`] when it is not after `timeout`.
    pub async fn wait_for<T>(&self, id: T, timeout: Duration) -> Result<(), BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        let id = id.try_into()?;
        let core = &self.node().core;
        let mut changed = core.names_changed.subscribe();
        let reached = changed.wait_for(|_| core.reaches(&id));
        match tokio::time::timeout(timeout, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(BusError::NodeNotFound(id)),
        }
    }

    /// All others that are on the bus or told of by links that are up, in order.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerId> {
        let mut peers = self.node().core.reached();
        peers.retain(|id| id != self.id());
        peers
    }

    /// What it has done, and what waits for it.
    #[must_use]
    pub fn stats(&self) -> PeerStats {
        self.node().stats()
    }

    /// Whether it is closed, or about to be.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.node().check_open().is_err()
    }

    /// Ends the peer: it sends and takes nothing more, works off what it has, waits until the links of the bus have sent what they
    /// have, leaves the bus, and drops its handlers. Whatever is left after `deadline` is dropped, and those who wait for it are told.
    ///
    /// Idempotent: who calls it later waits for the same end. In a handler of the same peer it returns at once, and the peer ends when
    /// its handlers have. A future that is dropped has begun to close; the peer goes on ending.
    ///
    /// # Errors
    ///
    /// [`BusError::Timeout`] when something was left, also on a link over which this peer had sent; [`BusError::NotConnected`] when
    /// such a link broke, so that it is not known whether all arrived.
    pub async fn close(&self, deadline: Duration) -> Result<(), BusError> {
        self.node().close(deadline).await
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.node(), f)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.node(), f)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.node, f)
    }
}
