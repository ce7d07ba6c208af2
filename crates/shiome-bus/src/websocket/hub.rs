//! The clients of a server, and the way from one to another.

use std::{
    collections::hash_map::Entry,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

use super::{
    member::{Member, Order},
    names::{Claim, claim, name_taken},
    options::{Admission, ServerOptions},
    presence::{Present, Told},
    stats::Counters,
};
use crate::{
    Audience, BusError, Envelope, Incarnation, PeerId,
    hash::HashMap,
    wire::{CloseReason, Hello, Presence, Refused, VERSION},
};

pub(crate) use self::routing::Routed;

mod gateway;
mod routing;

/// How long changes of presence are gathered before they are told.
const TELL_DELAY: Duration = Duration::from_millis(10);

/// Bytes of messages that came and wait for their destinations, of all clients together. Above it who has such is not read.
const MAX_PARKED: usize = 64 * 1024 * 1024;

/// What all connections of a server share.
pub(crate) struct Hub {
    pub(crate) id: PeerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) options: ServerOptions,
    pub(crate) attach: Option<Attach>,
    pub(crate) counters: Counters,
    members: RwLock<HashMap<PeerId, Arc<Member>>>,
    present: Mutex<Present>,
    /// That of `present`.
    presence_version: AtomicU64,
    /// Nobody is let in any more.
    closed: AtomicBool,
    /// A task will tell what is new of presence.
    telling: AtomicBool,
    /// Of tasks that are begun by callers without one.
    runtime: Handle,
    seq: AtomicU64,
    /// Bytes of messages that came and wait for their destinations.
    parked: AtomicUsize,
}

/// Attaches the link to a client to the bus of this process.
pub(crate) type Attach = Box<dyn Fn(&Arc<Hub>, &Arc<Member>) -> Result<(), BusError> + Send + Sync>;

/// A client that was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) member: Arc<Member>,
    pub(crate) resumed: bool,
}

impl Hub {
    pub(crate) fn new(
        id: PeerId,
        options: ServerOptions,
        attach: Option<Attach>,
        runtime: Handle,
    ) -> Self {
        Self {
            id,
            incarnation: Incarnation::next(),
            present: Mutex::new(Present::new(options.presence_limit)),
            presence_version: AtomicU64::new(0),
            options,
            attach,
            counters: Counters::default(),
            members: RwLock::default(),
            closed: AtomicBool::new(false),
            telling: AtomicBool::new(false),
            runtime,
            seq: AtomicU64::new(0),
            parked: AtomicUsize::new(0),
        }
    }

    /// Lets a client in, or says why not.
    pub(crate) fn admit(
        self: &Arc<Self>,
        hello: &Hello,
        verdict: Admission,
    ) -> Result<Admitted, Refused> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Refused::new(CloseReason::GoingAway));
        }
        let gateway = match verdict {
            Admission::No => return Err(Refused::new(CloseReason::Unauthorized)),
            Admission::Peer => false,
            Admission::Gateway => true,
        };
        if hello.version < VERSION {
            return Err(Refused::new(CloseReason::UnsupportedVersion));
        }
        if hello.id == self.id {
            return Err(name_taken(&hello.id, None));
        }
        let Some(old) = self.member(&hello.id) else {
            return self.enter(hello, gateway, None);
        };
        if old.id != hello.id {
            // A gateway speaks for it.
            return Err(name_taken(&hello.id, None));
        }
        match claim(hello, &old.holder()) {
            Claim::Resume if !old.state().ended => Ok(Admitted {
                member: old,
                resumed: true,
            }),
            Claim::Resume | Claim::Replace => self.enter(hello, gateway, Some(old)),
            Claim::Probe => {
                old.order(Order::Probe);
                Err(name_taken(&hello.id, Some(self.options.probe * 2)))
            }
            Claim::Stale => Err(Refused::new(CloseReason::Stale)),
        }
    }

    fn enter(
        self: &Arc<Self>,
        hello: &Hello,
        gateway: bool,
        old: Option<Arc<Member>>,
    ) -> Result<Admitted, Refused> {
        let max_message = usize::try_from(hello.max_message).unwrap_or(usize::MAX);
        let member = Arc::new(Member::new(
            hello.id.clone(),
            hello.incarnation,
            gateway,
            self.options.queue,
            max_message,
        ));
        if let Some(old) = old {
            self.remove(&old, CloseReason::Replaced);
        }
        self.seat(&member)?;
        if let Some(attach) = &self.attach
            && let Err(error) = attach(self, &member)
        {
            self.remove(&member, CloseReason::NameTaken);
            return Err(Refused {
                detail: crate::error::cut(&error.to_string()).to_owned(),
                ..name_taken(&hello.id, None)
            });
        }
        self.member_is_here(&member.id, member.incarnation);
        Ok(Admitted {
            member,
            resumed: false,
        })
    }

    fn seat(&self, member: &Arc<Member>) -> Result<(), Refused> {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        if members.len() >= self.options.max_peers {
            let busy = Refused::new(CloseReason::Limit);
            return Err(Refused {
                retry_ms: Some(self.options.grace.as_millis() as u64),
                ..busy
            });
        }
        match members.entry(member.id.clone()) {
            Entry::Vacant(seat) => {
                seat.insert(Arc::clone(member));
                Ok(())
            }
            // Another came in at the same time.
            Entry::Occupied(_) => Err(name_taken(&member.id, Some(self.options.probe))),
        }
    }

    /// Ends a member: it has its id no longer, and what it was not sent is lost.
    pub(crate) fn remove(self: &Arc<Self>, member: &Arc<Member>, reason: CloseReason) {
        let mut state = member.state();
        if state.ended {
            return;
        }
        state.ended = true;
        let spoke_for = std::mem::take(&mut state.speaks_for);
        let lost = state.session.drain();
        state.lost += lost.len() as u64;
        state.errors += lost.len() as u64;
        drop(state);
        member.order(Order::Close(reason));
        member.room.notify_waiters();
        {
            let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
            for id in spoke_for.keys().chain([&member.id]) {
                if members
                    .get(id)
                    .is_some_and(|known| Arc::ptr_eq(known, member))
                {
                    members.remove(id);
                }
            }
        }
        let own = (&member.id, &member.incarnation);
        for (id, incarnation) in spoke_for.iter().chain([own]) {
            self.told(|present| present.remove(id, *incarnation));
        }
        if let Some(attached) = member.attached.get() {
            attached.close(reason);
        }
        for envelope in lost {
            self.counters.lost();
            self.give_up(member, &envelope);
        }
    }

    /// What was taken for a member was not sent, or may not have arrived. Its sender is a client of this server, or a peer of the
    /// bus of this process.
    fn give_up(self: &Arc<Self>, member: &Member, envelope: &Envelope) {
        let error = BusError::NotConnected(envelope.to.clone());
        match member.attached.get() {
            Some(attached) if self.member(&envelope.from).is_none() => {
                attached.inbound.lost(envelope, error);
            }
            _ => self.answer(envelope, &error),
        }
    }

    /// Ends all links, and lets nobody in any more.
    pub(crate) fn close(self: &Arc<Self>) {
        self.closed.store(true, Ordering::Release);
        for member in self.members() {
            self.remove(&member, CloseReason::GoingAway);
        }
    }

    /// The member that has this id, or speaks for it.
    pub(crate) fn member(&self, id: &PeerId) -> Option<Arc<Member>> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.get(id).map(Arc::clone)
    }

    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let own = members.iter().filter(|(id, member)| **id == member.id);
        own.map(|(_, member)| Arc::clone(member)).collect()
    }

    pub(crate) fn len(&self) -> usize {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.len()
    }

    /// Some that came waits to be taken.
    pub(crate) fn parked(&self, bytes: usize) {
        self.parked.fetch_add(bytes, Ordering::Relaxed);
    }

    /// It was taken.
    pub(crate) fn unparked(&self, bytes: usize) {
        self.parked.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn parked_bytes(&self) -> usize {
        self.parked.load(Ordering::Relaxed)
    }

    /// Whether too much waits to be taken.
    pub(crate) fn is_parked_full(&self) -> bool {
        self.parked.load(Ordering::Relaxed) >= MAX_PARKED
    }

    /// A client, or a peer for which one speaks, can be reached: by others, if there is a way from one client to another.
    fn member_is_here(self: &Arc<Self>, id: &PeerId, incarnation: Incarnation) {
        if self.options.relay {
            self.told(|present| present.insert(id, incarnation));
        }
    }

    /// A peer of this process came or went.
    pub(crate) fn local_peer(self: &Arc<Self>, id: &PeerId, incarnation: Incarnation, here: bool) {
        self.told(|present| match here {
            true => present.insert(id, incarnation),
            false => present.remove(id, incarnation),
        });
    }

    /// What is new of presence for a client.
    pub(crate) fn news(&self, told: &mut Told, own: &PeerId) -> Vec<Presence> {
        self.present().news(told, own)
    }

    /// Whether there is something new of presence for a client.
    pub(crate) fn has_news(&self, told: &Told) -> bool {
        told.is_behind(self.presence_version.load(Ordering::Acquire))
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes who is here, and has it told soon to all that have a link.
    fn told(self: &Arc<Self>, change: impl FnOnce(&mut Present) -> bool) {
        let news = {
            let mut present = self.present();
            let news = change(&mut present);
            self.presence_version
                .store(present.version(), Ordering::Release);
            news
        };
        if !news || self.telling.swap(true, Ordering::AcqRel) {
            return;
        }
        let hub = Arc::downgrade(self);
        self.runtime.spawn(async move {
            sleep(TELL_DELAY).await;
            if let Some(hub) = hub.upgrade() {
                hub.telling.store(false, Ordering::Release);
                for member in hub.members() {
                    member.order(Order::Tell);
                }
            }
        });
    }
}

impl Audience for Hub {
    fn hear(self: Arc<Self>, peer: &PeerId, incarnation: Incarnation, present: bool) {
        self.local_peer(peer, incarnation, present);
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("id", &self.id)
            .field("members", &self.len())
            .finish_non_exhaustive()
    }
}
