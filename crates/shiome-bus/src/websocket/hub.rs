//! The clients of a server, and the way from one to another.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::{runtime::Handle, time::sleep};

use super::{
    member::{Member, Order, State},
    names::{Claim, claim, name_taken},
    options::{Admission, ServerOptions},
    presence::{Present, Told},
    stats::Counters,
};
use crate::{
    BusError, Envelope, Incarnation, Intent, Level, MAX_HOPS, MessageId, Name, Payload, PeerId,
    Priority,
    wire::{CloseReason, Hello, Presence, Refused, VERSION},
};

/// What says that an envelope comes no further.
const NACK: &str = "sys.nack";

/// Forged envelopes of a client after which its link is closed. A peer that speaks for one that has just left may send a few.
const MAX_FORGED: u8 = 16;

/// Others for whom a gateway may speak.
const MAX_SPEAKS_FOR: usize = 256;

/// How long changes of presence are gathered before they are told.
const TELL_DELAY: Duration = Duration::from_millis(10);

/// What all connections of a server share.
pub(crate) struct Hub {
    pub(crate) id: PeerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) options: ServerOptions,
    pub(crate) attach: Option<Attach>,
    pub(crate) counters: Counters,
    members: RwLock<HashMap<PeerId, Arc<Member>>>,
    present: Mutex<Present>,
    /// Nobody is let in any more.
    closed: AtomicBool,
    /// A task will tell what is new of presence.
    telling: AtomicBool,
    /// Of tasks that are begun by callers without one.
    runtime: Handle,
    seq: AtomicU64,
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
            options,
            attach,
            counters: Counters::default(),
            members: RwLock::default(),
            closed: AtomicBool::new(false),
            telling: AtomicBool::new(false),
            runtime,
            seq: AtomicU64::new(0),
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
        self.told(|present| present.insert(&member.id, member.incarnation));
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
        for id in spoke_for.keys().chain([&member.id]) {
            self.told(|present| present.remove(id));
        }
        if let Some(attached) = member.attached.get() {
            attached.close(reason);
        }
        for envelope in lost {
            self.counters.lost();
            let to = envelope.to.clone();
            self.answer(&envelope, &BusError::NotConnected(to));
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

    /// What a client sent: to another client, or it is handed back for the bus of this process.
    pub(crate) fn route(
        &self,
        by: &Member,
        envelope: Envelope,
    ) -> Result<Option<Envelope>, CloseReason> {
        self.counters.received();
        if !by.may_send_as(&envelope.from) {
            return self.forged(by, &envelope).map(|()| None);
        }
        let other = match self.options.relay {
            true => self.member(&envelope.to),
            false => None,
        };
        match other {
            Some(other) if !std::ptr::eq(&*other, by) => self.pass_on(&other, envelope),
            None if by.attached.get().is_some() => return Ok(Some(envelope)),
            _ => self.refuse(&envelope, &BusError::NodeNotFound(envelope.to.clone())),
        }
        Ok(None)
    }

    fn pass_on(&self, other: &Member, envelope: Envelope) {
        if envelope.hops >= MAX_HOPS {
            let error = BusError::TooManyHops(envelope.to.clone());
            return self.refuse(&envelope, &error);
        }
        let mut envelope = envelope;
        envelope.hops += 1;
        match other.push(&envelope) {
            Ok(()) => self.counters.passed_on(),
            Err(error) => self.refuse(&envelope, &error),
        }
    }

    fn forged(&self, by: &Member, envelope: &Envelope) -> Result<(), CloseReason> {
        self.counters.refused(crate::ErrorKind::Unauthorized);
        let forged = {
            let mut state = by.state();
            state.forged = state.forged.saturating_add(1);
            state.forged
        };
        if forged >= MAX_FORGED {
            return Err(CloseReason::Policy);
        }
        if waits(envelope) {
            let reason = format!("{} does not speak for {}", by.id, envelope.from);
            let nack = self.nack(envelope, &BusError::Unauthorized(reason.into()));
            // To who sent it, whoever it said it was.
            let _ = by.push(&Envelope {
                to: by.id.clone(),
                ..nack
            });
        }
        Ok(())
    }

    fn refuse(&self, envelope: &Envelope, error: &BusError) {
        self.counters.refused(error.kind());
        self.answer(envelope, error);
    }

    /// Tells the sender that an envelope comes no further, if that waits for it.
    fn answer(&self, envelope: &Envelope, error: &BusError) {
        if !waits(envelope) {
            return;
        }
        // Who takes no receipts gets none.
        if let Some(sender) = self.member(&envelope.from) {
            let _ = sender.push(&self.nack(envelope, error));
        }
    }

    fn nack(&self, about: &Envelope, error: &BusError) -> Envelope {
        let reason = error.to_string();
        let told = json!({ "error": error.kind().as_str(), "reason": crate::error::cut(&reason) });
        let intent = Intent::of(Name::system(NACK), Payload::from(told));
        let id = MessageId {
            incarnation: self.incarnation,
            seq: self.seq.fetch_add(1, Ordering::Relaxed) + 1,
        };
        let mut nack = Envelope::new(id, about.to.clone(), about.from.clone(), intent);
        nack.reply_to = Some(about.id);
        nack.priority = Priority::System;
        nack
    }

    /// A gateway tells for whom it speaks: those that it may not speak for.
    pub(crate) fn speaks_for(
        self: &Arc<Self>,
        gateway: &Arc<Member>,
        presence: Presence,
    ) -> Vec<Refused> {
        let mut state = gateway.state();
        let mut gone = presence.absent;
        if presence.all {
            gone.extend(state.speaks_for.keys().cloned());
            gone.retain(|id| !presence.present.iter().any(|(present, _)| present == id));
        }
        self.forget(gateway, &mut state, &gone);
        let mut refused = Vec::new();
        for (id, incarnation) in presence
            .present
            .into_iter()
            .filter(|(id, _)| *id != gateway.id)
        {
            match self.speak_for(gateway, &mut state, &id, incarnation) {
                Ok(()) => {
                    self.told(|present| present.insert(&id, incarnation));
                }
                Err(no) => refused.push(Refused { id: Some(id), ..no }),
            }
        }
        refused
    }

    fn forget(self: &Arc<Self>, gateway: &Arc<Member>, state: &mut State, gone: &[PeerId]) {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        for id in gone.iter().filter(|id| **id != gateway.id) {
            state.speaks_for.remove(id);
            if members
                .get(id)
                .is_some_and(|known| Arc::ptr_eq(known, gateway))
            {
                members.remove(id);
                self.told(|present| present.remove(id));
            }
        }
    }

    fn speak_for(
        &self,
        gateway: &Arc<Member>,
        state: &mut State,
        id: &PeerId,
        incarnation: Incarnation,
    ) -> Result<(), Refused> {
        if state.speaks_for.len() >= MAX_SPEAKS_FOR {
            return Err(Refused::new(CloseReason::Limit));
        }
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        let seat = members.entry(id.clone());
        if *id == self.id
            || matches!(&seat, Entry::Occupied(seat) if !Arc::ptr_eq(seat.get(), gateway))
        {
            return Err(name_taken(id, None));
        }
        seat.or_insert_with(|| Arc::clone(gateway));
        state.speaks_for.insert(id.clone(), incarnation);
        Ok(())
    }

    /// A peer of this process came or went.
    pub(crate) fn local_peer(self: &Arc<Self>, id: &PeerId, incarnation: Incarnation, here: bool) {
        self.told(|present| match here {
            true => present.insert(id, incarnation),
            false => present.remove(id),
        });
    }

    /// What is new of presence for a client.
    pub(crate) fn news(&self, told: &mut Told, own: &PeerId) -> Vec<Presence> {
        self.present().news(told, own)
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes who is here, and has it told soon to all that have a link.
    fn told(self: &Arc<Self>, change: impl FnOnce(&mut Present) -> bool) {
        let news = change(&mut self.present());
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

/// Whether the sender is told what becomes of it.
fn waits(envelope: &Envelope) -> bool {
    envelope.level > Level::Accepted && envelope.reply_to.is_none()
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("id", &self.id)
            .field("members", &self.len())
            .finish_non_exhaustive()
    }
}
