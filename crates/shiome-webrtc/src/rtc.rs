//! Direct connections of one peer.

mod entry;
mod service;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shiome_bus::{BusError, Delivery, Peer, PeerId, Subscription};
use tokio::sync::{broadcast, mpsc};

use self::service::{Order, Service};
use crate::{
    Path, RtcEvent, RtcEvents, RtcOptions,
    event::EVENTS,
    net::{Net, System},
    signal::{Body, Purpose, Signal},
};

/// Orders and signals that wait. Of more, signals are refused; who sent them tries again.
const ORDERS: usize = 1024;

/// Direct connections of one peer: it makes them, and lets others make them.
///
/// ```no_run
/// # async fn example(bus: shiome_bus::Bus) -> Result<(), Box<dyn std::error::Error>> {
/// use shiome_webrtc::{IceServer, Rtc, RtcOptions};
///
/// // `alice` is on a relay, where `bob` is, too.
/// let alice = bus.peer("alice")?;
/// let options = RtcOptions::default()
///     .ice_server(IceServer::stun("stun:stun.example.org")?)
///     .admit(|peer| peer.as_str().starts_with("friend-"));
/// let rtc = Rtc::start(&alice, options)?;
/// let mut events = rtc.events();
/// rtc.connect("bob")?;
/// while let Some(event) = events.next().await {
///     println!("{}: {:?}", event.peer, event.path);
/// }
/// # Ok(())
/// # }
/// ```
///
/// What the peer sends goes over the other link until the channel is open, then over that, and over the other again when it is lost: in
/// order, and once. A lost channel is made anew, after a while that grows from 2 to 60 s, by who called [`connect`](Self::connect).
///
/// All ends with the last clone, or with the peer, whichever is first.
#[derive(Clone)]
pub struct Rtc {
    shared: Arc<Shared>,
}

/// What the handles share.
struct Shared {
    orders: mpsc::Sender<Order>,
    ways: Arc<Ways>,
    local: PeerId,
    _signals: Subscription,
}

/// How each peer is reached, and who is told.
pub(crate) struct Ways {
    paths: Mutex<HashMap<PeerId, Path>>,
    events: broadcast::Sender<RtcEvent>,
}

impl Ways {
    fn paths(&self) -> MutexGuard<'_, HashMap<PeerId, Path>> {
        // The map is whole after any panic.
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, peer: &PeerId, path: Path) {
        self.paths().insert(peer.clone(), path.clone());
        let peer = peer.clone();
        // Nobody needs to listen.
        let _ = self.events.send(RtcEvent { peer, path });
    }

    pub(crate) fn forget(&self, peer: &PeerId) {
        self.paths().remove(peer);
    }

    fn knows(&self, peer: &PeerId) -> bool {
        self.paths().contains_key(peer)
    }
}

impl Rtc {
    /// Begins to listen to what others signal to `peer`. From within a tokio runtime.
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
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BusError::NoRuntime)?;
        let (orders, receiver) = mpsc::channel(ORDERS);
        let ways = Arc::new(Ways {
            paths: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
        });
        let options = Arc::new(options);
        let gate = Gate {
            orders: orders.downgrade(),
            ways: Arc::clone(&ways),
            options: Arc::clone(&options),
        };
        let signals = peer.on("sys.rtc.>", move |delivery| gate.take(delivery))?;
        let service = Service::new(peer, options, net, Arc::clone(&ways), receiver);
        runtime.spawn(service.run());
        Ok(Self {
            shared: Arc::new(Shared {
                orders,
                ways,
                local: peer.id().clone(),
                _signals: signals,
            }),
        })
    }

    /// Makes a direct connection, and another when it is lost. Says nothing about whether it can be made: that is an
    /// [event](Self::events).
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`] when it is no name, [`BusError::NameTaken`] when it is our own, [`BusError::QueueFull`] when too much is
    /// to be done, and [`BusError::Closed`] when all has ended.
    pub fn connect<T>(&self, peer: T) -> Result<(), BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        let peer: PeerId = peer.try_into()?;
        if peer == self.shared.local {
            return Err(BusError::NameTaken(peer));
        }
        self.order(Order::Connect(peer.clone()), &peer)
    }

    /// Closes the direct connection, if there is one, and makes no other. What is sent to the peer goes over the other link.
    ///
    /// # Errors
    ///
    /// As those of [`connect`](Self::connect).
    pub fn disconnect<T>(&self, peer: T) -> Result<(), BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        let peer: PeerId = peer.try_into()?;
        self.order(Order::Disconnect(peer.clone()), &peer)
    }

    fn order(&self, order: Order, peer: &PeerId) -> Result<(), BusError> {
        let sent = self.shared.orders.try_send(order);
        sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => BusError::QueueFull(peer.clone()),
            mpsc::error::TrySendError::Closed(_) => BusError::Closed(self.shared.local.clone()),
        })
    }

    /// What changes from now on.
    #[must_use]
    pub fn events(&self) -> RtcEvents {
        RtcEvents(self.shared.ways.events.subscribe())
    }

    /// How a peer is reached; `None` when there is no connection to it, and none was asked for.
    #[must_use]
    pub fn path(&self, peer: &PeerId) -> Option<Path> {
        self.shared.ways.paths().get(peer).cloned()
    }

    /// Peers with a connection, or an attempt at one, and how they are reached.
    #[must_use]
    pub fn paths(&self) -> Vec<(PeerId, Path)> {
        let paths = self.shared.ways.paths();
        let paths = paths.iter();
        paths.map(|(id, path)| (id.clone(), path.clone())).collect()
    }
}

impl fmt::Debug for Rtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rtc").field(&self.shared.local).finish()
    }
}

/// Takes in what others signal.
struct Gate {
    orders: mpsc::WeakSender<Order>,
    ways: Arc<Ways>,
    options: Arc<RtcOptions>,
}

impl Gate {
    /// An error is told to who offers.
    fn take(&self, delivery: &Delivery) -> Result<(), String> {
        let from = delivery.from();
        if !self.ways.knows(from) && !(self.options.admits)(from) {
            tracing::debug!(%from, "signal of a stranger");
            return Err("not allowed".to_owned());
        }
        let signal = Signal::read(Purpose::Envelopes, delivery.intent())
            .map_err(|error| error.to_string())?;
        if signal.body == Body::Switch {
            return Ok(());
        }
        let Some(orders) = self.orders.upgrade() else {
            return Err("closed".to_owned());
        };
        let order = Order::Signal(from.clone(), signal);
        orders.try_send(order).map_err(|_| "busy".to_owned())
    }
}
