//! The task that begins and ends sessions.

mod signals;

use std::{
    collections::HashMap,
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use shiome_bus::{Bus, BusError, LinkOptions, Peer, PeerId, WeakPeer, wire::CloseReason};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Ways,
    entry::{Entry, Marks, Offered, Running},
};
use crate::{
    Failure, Path, RtcOptions,
    connection::Config,
    link::RtcLink,
    net::Net,
    session::{Command, Context, Report, Session, Start, divert_all},
    signal::{Purpose, SessionId, Signal},
};

/// What waits for one session. What comes faster than a session takes it is lost, as it may be: it is all said again.
const COMMANDS: usize = 256;

/// How long the link to a peer is kept when its last session is over: answers to what went over it may be under way elsewhere.
const KEPT: Duration = Duration::from_secs(30);

/// Time for sessions to say goodbye when all ends.
const GOODBYE: Duration = Duration::from_secs(5);

/// Refusals that are being said. More are not.
const MAX_REFUSALS: usize = 64;

/// What the service is told.
#[derive(Debug)]
pub(super) enum Order {
    Connect(PeerId),
    Disconnect(PeerId),
    Signal(PeerId, Signal),
}

/// How a session ended.
struct Over {
    remote: PeerId,
    id: SessionId,
    failure: Failure,
}

/// Begins and ends sessions.
pub(super) struct Service {
    local: PeerId,
    bus: Bus,
    peer: WeakPeer,
    context: Context,
    ways: Arc<Ways>,
    orders: mpsc::Receiver<Order>,
    entries: HashMap<PeerId, Entry>,
    sessions: JoinSet<Over>,
    refusals: JoinSet<()>,
}

impl Service {
    pub(super) fn new(
        peer: &Peer,
        options: Arc<RtcOptions>,
        net: Arc<dyn Net>,
        ways: Arc<Ways>,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        let config = Config::new(Purpose::Envelopes, peer.incarnation(), &options);
        Self {
            local: peer.id().clone(),
            bus: peer.bus(),
            peer: peer.downgrade(),
            context: Context {
                peer: peer.downgrade(),
                options,
                net,
                config,
            },
            ways,
            orders,
            entries: HashMap::new(),
            sessions: JoinSet::new(),
            refusals: JoinSet::new(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let due = self.entries.values().filter_map(Entry::due).min();
            let far = Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.handle_order(order),
                    None => break,
                },
                Some(over) = self.sessions.join_next() => {
                    if let Ok(over) = over {
                        self.handle_over(over);
                    }
                }
                () = sleep_until(due.unwrap_or(far)) => self.handle_timeout(),
            }
            if self.peer.upgrade().is_none_or(|peer| peer.is_closed()) {
                break;
            }
        }
        self.end().await;
    }

    /// All sessions say goodbye, and all links end.
    async fn end(mut self) {
        for entry in self.entries.values_mut() {
            // Without its sender a session ends.
            entry.running = None;
        }
        let sessions = &mut self.sessions;
        let goodbye = async { while sessions.join_next().await.is_some() {} };
        // What does not end in time is cut off with the set.
        let _ = timeout(GOODBYE, goodbye).await;
        for (remote, entry) in self.entries.drain() {
            entry.link.end("closed");
            self.bus.detach(entry.link_id);
            self.ways.forget(&remote);
        }
    }

    fn handle_order(&mut self, order: Order) {
        match order {
            Order::Connect(remote) => self.connect(&remote),
            Order::Disconnect(remote) => {
                if let Some(entry) = self.entries.get_mut(&remote) {
                    (entry.wanted, entry.retry_at, entry.offered) = (false, None, None);
                    if let Some(running) = &mut entry.running {
                        running.close(CloseReason::Closed);
                    }
                    self.tidy(&remote);
                }
            }
            Order::Signal(remote, signal) => self.handle_signal(&remote, signal),
        }
    }

    fn connect(&mut self, remote: &PeerId) {
        if !self.has_entry(remote) {
            return;
        }
        let Some(entry) = self.entries.get_mut(remote) else {
            return;
        };
        entry.wanted = true;
        entry.retry_at = None;
        if entry.running.is_none() {
            self.begin(remote, SessionId::random(), Start::Offer);
        }
    }

    /// Whether there is an entry, made now if need be.
    fn has_entry(&mut self, remote: &PeerId) -> bool {
        if self.entries.contains_key(remote) {
            return true;
        }
        let entry = if self.has_room() {
            self.attach(remote)
        } else {
            Err(Failure::Limit)
        };
        match entry {
            Ok(entry) => {
                self.entries.insert(remote.clone(), entry);
                true
            }
            Err(failure) => {
                self.ways.set(remote, Path::Relayed(failure));
                self.ways.forget(remote);
                false
            }
        }
    }

    fn attach(&self, remote: &PeerId) -> Result<Entry, Failure> {
        if self.bus.has(remote) {
            let error = BusError::NameTaken(remote.clone());
            return Err(Failure::Signalling(error));
        }
        let options = &self.context.options;
        let link = Arc::new(RtcLink::new(self.local.clone(), remote.clone(), options));
        let way = LinkOptions::default().direct().owner(self.local.clone());
        let attached = self.bus.attach(link.clone(), way);
        let link_id = attached.map_err(Failure::Signalling)?;
        Ok(Entry::new(link, link_id))
    }

    fn begin(&mut self, remote: &PeerId, id: SessionId, start: Start) {
        let Some(entry) = self.entries.get_mut(remote) else {
            return;
        };
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let marks = Arc::new(Marks::default());
        entry.running = Some(Running {
            id: id.clone(),
            commands,
            offers: matches!(start, Start::Offer),
            life: self.bus.incarnation_of(remote),
            marks: Arc::clone(&marks),
        });
        entry.forget_at = None;
        self.ways.set(remote, Path::Connecting);
        let (ways, to) = (Arc::clone(&self.ways), remote.clone());
        let reporter = Box::new(move |report| match report {
            Report::Answered => marks.answered.store(true, Ordering::Relaxed),
            Report::Path(path) => {
                marks.reached.fetch_or(path.is_direct(), Ordering::Relaxed);
                ways.set(&to, path);
            }
        });
        let run = Session::run(
            self.context.clone(),
            remote.clone(),
            id.clone(),
            start,
            Arc::clone(&entry.link),
            receiver,
            reporter,
        );
        let (remote, link) = (remote.clone(), Arc::clone(&entry.link));
        let ways = Arc::clone(&self.ways);
        self.sessions.spawn(async move {
            // A task of its own: one that panics, on what a peer has sent, ends alone.
            let mut session = JoinSet::new();
            session.spawn(run);
            let failure = match session.join_next().await {
                Some(Ok(failure)) => failure,
                _ => {
                    let failure = Failure::from(io::Error::other("the connection broke"));
                    ways.set(&remote, Path::Relayed(failure.clone()));
                    divert_all(&link).await;
                    link.give_up();
                    failure
                }
            };
            Over {
                remote,
                id,
                failure,
            }
        });
    }

    fn handle_over(&mut self, over: Over) {
        let Over {
            remote,
            id,
            failure,
        } = over;
        let Some(entry) = self.entries.get_mut(&remote) else {
            return;
        };
        let Some(running) = entry.running.take_if(|running| running.id == id) else {
            return;
        };
        if running.marks.reached.load(Ordering::Relaxed) {
            entry.reached();
        }
        if let Some(offered) = entry.offered.take() {
            let Offered { id, offer, early } = offered;
            self.begin(&remote, id, Start::Answer(Box::new(offer)));
            let running = self.entries.get(&remote).and_then(|e| e.running.as_ref());
            if let Some(running) = running {
                for body in early {
                    let _ = running.commands.try_send(Command::Signal(body));
                }
            }
            return;
        }
        if entry.wanted {
            match failure.may_retry() {
                true => entry.retry_later(),
                false => entry.wanted = false,
            }
        }
        self.tidy(&remote);
    }

    /// A peer that nothing is to be done about is forgotten, after a while.
    fn tidy(&mut self, remote: &PeerId) {
        if let Some(entry) = self.entries.get_mut(remote)
            && entry.is_idle()
        {
            entry.forget_at = Some(entry.forget_at.unwrap_or_else(|| Instant::now() + KEPT));
        }
    }

    /// Forgets a peer. Its link goes with it.
    fn forget(&mut self, remote: &PeerId) {
        if let Some(entry) = self.entries.remove(remote) {
            entry.link.end("closed");
            self.bus.detach(entry.link_id);
            self.ways.forget(remote);
        }
    }

    fn handle_timeout(&mut self) {
        let now = Instant::now();
        let due = self.entries.iter();
        let due = due.filter(|(_, entry)| entry.due().is_some_and(|at| at <= now));
        let due: Vec<_> = due.map(|(remote, _)| remote.clone()).collect();
        for remote in due {
            let Some(entry) = self.entries.get_mut(&remote) else {
                continue;
            };
            if entry.is_idle() {
                self.forget(&remote);
                continue;
            }
            (entry.retry_at, entry.forget_at) = (None, None);
            // Without another way there is nobody to signal to.
            match entry.link.detour() {
                Ok(_) if entry.running.is_none() => {
                    self.begin(&remote, SessionId::random(), Start::Offer);
                }
                Ok(_) => {}
                // That says nothing of the peer.
                Err(_) => entry.look_again(),
            }
        }
    }

    /// Makes room by forgetting a peer that is only kept.
    fn has_room(&mut self) -> bool {
        if self.entries.len() < self.context.options.max_connections {
            return true;
        }
        let idle = self.entries.iter().find(|(_, entry)| entry.is_idle());
        let idle = idle.map(|(remote, _)| remote.clone());
        idle.inspect(|remote| self.forget(remote)).is_some()
    }
}
