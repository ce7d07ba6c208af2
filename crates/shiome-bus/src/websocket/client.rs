//! A link to a server or relay.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use shiome_transport::Links;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use self::shared::{Shared, State};
use super::{
    attached::Attached, bell::Bell, dial::Target, options::ClientOptions, pump::now,
    session::Session,
};
use crate::{
    BoxFuture, BusError, Envelope, Inbound, Incarnation, Link, LinkKind, LinkState, LinkStats,
    PeerId, wire::Secret,
};

mod end;
mod run;
mod shared;

/// A link to a server, or through a relay to all of its peers, over WebSocket.
///
/// It belongs to one peer of the bus, and dials once that peer is there; it says goodbye when the peer goes. Other
/// peers of the bus can send over it, and be reached, if the server lets it be a gateway. When the link breaks it dials
/// again, see [`Reconnect`](super::Reconnect), and what was accepted and not acknowledged is sent again. It ends when it
/// is closed, when the server does not let it in, or when it gives up; [`Link::state`] says why.
pub struct WebSocketClient {
    shared: Arc<Shared>,
}

impl WebSocketClient {
    /// A link of the peer `id` to the server at `url`, such as `wss://example.org:443/bus`. `links` has the scheme below: `tcp`,
    /// which is always there, or `tls`. It does nothing before it is [attached](crate::Bus::attach).
    ///
    /// # Errors
    ///
    /// [`BusError::Network`] when `url` is no such address.
    pub fn new(
        url: &str,
        id: &PeerId,
        links: Links,
        options: ClientOptions,
    ) -> Result<Self, BusError> {
        let target = Target::new(&links, url).map_err(BusError::network)?;
        let state = State {
            session: Session::new(options.queue),
            bell: Bell::default(),
            local: BTreeMap::new(),
            local_changed: false,
            gateway: false,
            peers: BTreeMap::new(),
            reclaim: options.reclaim.clone(),
            max_message: None,
            ask: false,
            closing: false,
            close_by: None,
            stop: false,
            ended: None,
            round_trip: None,
            sent: 0,
            received: 0,
            errors: 0,
            lost: 0,
        };
        let shared = Shared {
            id: id.clone(),
            target,
            links,
            options,
            state: Mutex::new(state),
            room: Notify::new(),
            attached: OnceLock::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// What shows that the id is this program's: with it a later run has the id at once. `None` before the link was up.
    #[must_use]
    pub fn reclaim(&self) -> Option<Secret> {
        self.shared.state().reclaim.clone()
    }

    /// Waits until the link is up. Cancel-safe.
    ///
    /// # Errors
    ///
    /// Why it will not be: [`BusError::NameTaken`], [`BusError::Unauthorized`], [`BusError::Network`] when it gave up, and
    /// [`BusError::Closed`].
    pub async fn connected(&self) -> Result<(), BusError> {
        let mut state = Link::state(self);
        let up = |state: &LinkState| matches!(state, LinkState::Up | LinkState::Closed(_));
        match state.wait_for(up).await.as_deref() {
            Ok(LinkState::Up) => Ok(()),
            _ => Err(self.shared.why()),
        }
    }

    /// How long the last heartbeat took, there and back.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.shared.state().round_trip
    }
}

impl Drop for WebSocketClient {
    fn drop(&mut self) {
        self.shared.change(|state| state.stop = true);
    }
}

impl Link for WebSocketClient {
    fn kind(&self) -> LinkKind {
        LinkKind::WEBSOCKET
    }

    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BusError::NoRuntime)?;
        let attached = Arc::new(Attached::new(inbound));
        let started = self.shared.attached.set(Arc::clone(&attached));
        started.map_err(|_| BusError::Closed(self.shared.id.clone()))?;
        runtime.spawn(run::run(Arc::clone(&self.shared), attached));
        Ok(())
    }

    fn try_send(&self, envelope: &Envelope) -> Result<(), BusError> {
        self.shared.push(envelope)
    }

    fn send<'a>(&'a self, envelope: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async move {
            loop {
                let room = self.shared.room.notified();
                match self.shared.push(envelope) {
                    Err(BusError::QueueFull(_)) => room.await,
                    sent => return sent,
                }
            }
        })
    }

    fn room(&self) -> Option<BoxFuture<'_, ()>> {
        Some(Box::pin(self.shared.room.notified()))
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>> {
        let (taken, lost) = self.shared.change(|state| {
            state.ask = true;
            (state.session.taken(), state.lost)
        });
        Box::pin(self.shared.flushed(taken, lost))
    }

    fn close(&self, deadline: Duration) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async move {
            let by = now().checked_add(deadline);
            let (taken, lost) = self.shared.change(|state| {
                state.closing = true;
                state.close_by = by;
                state.ask = true;
                (state.session.taken(), state.lost)
            });
            let settled = timeout(deadline, self.shared.settled(taken)).await;
            self.shared.change(|state| state.stop = true);
            self.ended().await;
            let peer = self.shared.id.clone();
            match settled {
                _ if self.shared.state().lost == lost => Ok(()),
                Ok(()) => Err(BusError::NotConnected(peer)),
                Err(_) => Err(BusError::Timeout {
                    peer,
                    after: deadline,
                }),
            }
        })
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        match self.shared.attached.get() {
            Some(attached) => attached.state.subscribe(),
            None => watch::channel(LinkState::Connecting).1,
        }
    }

    fn peers(&self) -> Vec<PeerId> {
        self.shared.state().peers.keys().cloned().collect()
    }

    fn stats(&self) -> LinkStats {
        let state = self.shared.state();
        LinkStats {
            messages_sent: state.sent,
            messages_received: state.received,
            errors: state.errors,
            is_ready: state.max_message.is_some() && !state.closing,
            queued: state.session.queued(),
            ..LinkStats::new(LinkKind::WEBSOCKET)
        }
    }

    fn local_peer(&self, peer: &PeerId, incarnation: Incarnation, present: bool) {
        self.shared.change(|state| {
            let known = state.local.get(peer).copied();
            match present {
                _ if known.is_some_and(|known| known > incarnation) => return,
                true => state.local.insert(peer.clone(), incarnation),
                false => state.local.remove(peer),
            };
            state.local_changed = true;
        });
    }
}

impl WebSocketClient {
    /// Waits until the task has ended.
    async fn ended(&self) {
        let mut state = Link::state(self);
        // Without a sender there is no task.
        let _ = state
            .wait_for(|state| matches!(state, LinkState::Closed(_)))
            .await;
    }
}

impl fmt::Debug for WebSocketClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketClient")
            .field("id", &self.shared.id)
            .field("target", &self.shared.target)
            .finish_non_exhaustive()
    }
}
