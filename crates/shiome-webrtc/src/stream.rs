//! Links of a cluster over data channels: each a connection of its own, signalled over the bus.

mod flow;
mod half;
mod scheme;
mod session;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use shiome_bus::{BusError, Delivery, Peer, PeerId, Subscription, WeakPeer};
use shiome_transport::{Link, Links, Policy, Scheme, Security};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use self::session::{Opened, StreamSession};
use crate::{
    Failure, RtcOptions,
    connection::Config,
    net::{Net, System},
    session::{Context, LAST_WORDS, Start},
    signal::{Body, Purpose, SessionId, Signal},
};

/// Name of the scheme, under which [`RtcLinks::scheme`] goes into the links of a node.
pub const SCHEME: &str = "rtc";

/// Signals that wait for one connection. What comes faster than it takes them is lost; a connection has less than a hundred.
const SIGNALS: usize = 128;

/// Connections that wait to be accepted. More are refused.
const BACKLOG: usize = 64;

/// Links of a cluster over WebRTC: nodes behind NAT join each other directly when their peers on the bus reach each other over
/// any other link.
///
/// The address of a node is `rtc:` and the name of its peer. Each link is a connection of its own, with a stream of bytes in both
/// directions; the handshake of the cluster goes on top.
///
/// Links are encrypted. That the other end is who it says is as certain as the link that signals; the handshake of nodes of
/// shiome is bound to the channel, so that whoever signals cannot stand between two of them. That of `ractor_cluster` is not.
///
/// ```no_run
/// # async fn example(bus: shiome_bus::Bus) -> Result<(), Box<dyn std::error::Error>> {
/// use shiome_webrtc::{IceServer, RtcLinks, RtcOptions};
///
/// // `alice` is on a relay, where `bob` is, too.
/// let alice = bus.peer("alice")?;
/// let options = RtcOptions::default()
///     .ice_server(IceServer::stun("stun:stun.example.org")?)
///     .admit(|peer| peer.as_str() == "bob");
/// let rtc = RtcLinks::start(&alice, options)?;
/// // For a node: it dials `rtc:bob`, and listens at `rtc:alice`.
/// let links = rtc.links();
/// # Ok(())
/// # }
/// ```
///
/// With the last clone, schemes included, ends what is heard of others: open links live on, but find no new way when theirs is
/// lost.
#[derive(Clone)]
pub struct RtcLinks {
    shared: Arc<Shared>,
}

struct Shared {
    state: Arc<State>,
    _signals: Subscription,
}

/// What the handles, and what is heard of others, have in common.
struct State {
    peer: WeakPeer,
    local: PeerId,
    context: Context,
    runtime: Handle,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    signals: HashMap<(PeerId, SessionId), mpsc::Sender<Body>>,
    listener: Option<mpsc::Sender<Arrival>>,
}

/// A peer that wants a link.
struct Arrival {
    from: PeerId,
    opened: oneshot::Receiver<Result<Link, Failure>>,
}

impl RtcLinks {
    /// Begins to listen to what others signal to `peer`. From within a tokio runtime; one for each peer.
    ///
    /// Of the options, those of messages and queues do not matter.
    ///
    /// # Errors
    ///
    /// [`BusError::Closed`] when the peer is closed, [`BusError::NoRuntime`] outside of a runtime.
    pub fn start(peer: &Peer, options: RtcOptions) -> Result<Self, BusError> {
        Self::start_on(peer, options, Arc::new(System))
    }

    pub(crate) fn start_on(
        peer: &Peer,
        options: RtcOptions,
        net: Arc<dyn Net>,
    ) -> Result<Self, BusError> {
        let runtime = Handle::try_current().map_err(|_| BusError::NoRuntime)?;
        let state = Arc::new(State {
            peer: peer.downgrade(),
            local: peer.id().clone(),
            context: Context {
                peer: peer.downgrade(),
                config: Config::new(Purpose::Bytes, peer.incarnation(), &options),
                options: Arc::new(options),
                net,
            },
            runtime,
            tables: Mutex::default(),
        });
        let heard = Arc::downgrade(&state);
        let signals = peer.on("sys.stream.>", move |delivery| take(&heard, delivery))?;
        Ok(Self {
            shared: Arc::new(Shared {
                state,
                _signals: signals,
            }),
        })
    }

    /// The links of a node that has no others: encrypted all, and a dial takes as long as a channel may take to open.
    #[must_use]
    pub fn links(&self) -> Links {
        let patience = self.patience();
        Links::new(Policy::Encrypted)
            .with_scheme(SCHEME, self.scheme())
            .with_dial_timeout(patience)
    }

    /// The scheme, for [`Links::with_scheme`](shiome_transport::Links::with_scheme) under [`SCHEME`], where a node has other links, too.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        Scheme::new(Security::Tls)
            .with_connector(self.clone())
            .with_bind(self.clone())
            .with_establish_timeout(self.patience())
    }

    /// As long as a channel may take to open, and to say why it does not.
    fn patience(&self) -> Duration {
        self.shared.state.context.options.connect_timeout + LAST_WORDS
    }

    /// Links that are open or being opened, by both ends.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.state.tables().signals.len()
    }

    /// Whether there is no link.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl State {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // The tables are whole after any panic.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a connection. What it comes to is told once.
    fn begin(
        self: &Arc<Self>,
        remote: PeerId,
        id: SessionId,
        start: Start,
    ) -> Result<oneshot::Receiver<Result<Link, Failure>>, Failure> {
        let (sender, signals) = mpsc::channel(SIGNALS);
        let key = (remote, id);
        {
            let mut tables = self.tables();
            if tables.signals.len() >= self.context.options.max_connections {
                return Err(Failure::Limit);
            }
            tables.signals.insert(key.clone(), sender);
        }
        let (told, opened) = oneshot::channel();
        let opens = Opened::new(told, &self.local, &key.0);
        let context = self.context.clone();
        let listed = Listed {
            state: Arc::downgrade(self),
            key,
        };
        self.runtime.spawn(async move {
            let (remote, id) = listed.key.clone();
            StreamSession::run(context, remote, id, start, signals, opens).await;
            drop(listed);
        });
        Ok(opened)
    }

    fn handle_offer(self: &Arc<Self>, from: &PeerId, signal: Signal) -> Result<(), String> {
        if !(self.context.options.admits)(from) {
            tracing::debug!(%from, "signal of a stranger");
            return Err("not allowed".to_owned());
        }
        let listener = self.tables().listener.clone();
        let listener = listener.filter(|listener| !listener.is_closed());
        let listener = listener.ok_or("nobody listens")?;
        let place = listener.try_reserve().map_err(|_| "busy")?;
        let Body::Offer(offer) = signal.body else {
            return Ok(());
        };
        let start = Start::Answer(Box::new(offer));
        let opened = self.begin(from.clone(), signal.session, start);
        let opened = opened.map_err(|failure| failure.to_string())?;
        place.send(Arrival {
            from: from.clone(),
            opened,
        });
        Ok(())
    }
}

/// Takes in what others signal. An error is told to who offers.
fn take(state: &Weak<State>, delivery: &Delivery) -> Result<(), String> {
    let state = state.upgrade().ok_or("closed")?;
    let from = delivery.from();
    let signal = Signal::read(Purpose::Bytes, delivery.intent());
    let signal = signal.map_err(|error| error.to_string())?;
    let key = (from.clone(), signal.session.clone());
    let known = state.tables().signals.get(&key).cloned();
    match known {
        Some(signals) => signals.try_send(signal.body).map_err(|_| "busy".to_owned()),
        None if matches!(signal.body, Body::Offer(_)) => state.handle_offer(from, signal),
        // Of a connection that is over.
        None => Ok(()),
    }
}

/// Takes a connection out of the tables when it is over.
struct Listed {
    state: Weak<State>,
    key: (PeerId, SessionId),
}

impl Drop for Listed {
    fn drop(&mut self) {
        if let Some(state) = self.state.upgrade() {
            state.tables().signals.remove(&self.key);
        }
    }
}

impl fmt::Debug for RtcLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RtcLinks")
            .field(&self.shared.state.local)
            .finish()
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arrival").field(&self.from).finish()
    }
}
