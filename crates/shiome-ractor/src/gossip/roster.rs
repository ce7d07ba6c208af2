use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use ractor::ActorId;
use rand::{SeedableRng as _, rngs::StdRng};
use shiome_membership::{DownReason, NodeId};

use crate::backoff::{Backoff, LONGEST_PAUSE, part_of};

/// Members that are dialled at a time. Each dial is a socket, a task and a handshake; the others wait their turn.
pub(crate) const MAX_DIALS: usize = 16;

/// How much later the member with the greater id dials, so that the two do not dial each other at the same time. It is
/// there for those whose other end cannot dial them.
pub(crate) const HEADSTART: Duration = Duration::from_secs(1);

/// A session that lasted this long shows that the two can talk: the next dial does not have to wait for long.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// The members that are up, and what to do so that there is one session with each.
///
/// Does no input or output: time and randomness are arguments. After each call take what [`poll_action`] tells, and
/// call [`handle_timeout`] when [`poll_timeout`] says.
///
/// ```text
///  member up ──► Waiting ──due, and room──► Dialling
///                  ▲  ▲                      │    │
///                  │  └────── failed ────────┘    │ session
///                  └────────── lost ── Linked ◄───┘ (one that the member dialled is as good)
/// ```
///
/// Sessions and members are brought together by address: of a session those that lead to its peer, of a member the one
/// that it gossips. Where a peer goes by addresses that its gossip does not tell, the dial finds that it is connected,
/// which is as much as to know it.
///
/// [`poll_action`]: Self::poll_action
/// [`handle_timeout`]: Self::handle_timeout
/// [`poll_timeout`]: Self::poll_timeout
#[derive(Debug)]
pub(crate) struct Roster {
    me: NodeId,
    own: SocketAddr,
    /// How old what gossip says of an end is at least.
    verdict_age: Duration,
    rng: StdRng,
    contacts: HashMap<NodeId, Contact>,
    /// Who is at an address, the latest to come up.
    at: HashMap<SocketAddr, NodeId>,
    sessions: HashMap<ActorId, Session>,
    due: BTreeSet<(Instant, NodeId)>,
    dials: usize,
    actions: VecDeque<Action>,
}

/// A member that is up.
#[derive(Debug)]
struct Contact {
    address: SocketAddr,
    phase: Phase,
    backoff: Backoff,
    /// What it called itself in the last session.
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For the time to dial; for ever if another is at its address.
    Waiting(Option<Instant>),
    Dialling,
    Linked,
}

#[derive(Debug)]
struct Session {
    name: String,
    since: Instant,
    addresses: Vec<SocketAddr>,
    member: Option<NodeId>,
}

/// What the owner is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Dial a member, and tell the [`end`](Roster::dial_ended).
    Dial { member: NodeId, address: SocketAddr },
    /// Close a session: its peer is gone.
    Close {
        session: ActorId,
        reason: DownReason,
    },
}

/// How a dial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialled {
    /// There is a session: by this dial, or already.
    Connected,
    Failed,
}

impl Roster {
    /// For the member `me`, whose node is dialled at `own`. `verdict_age` is the least time from the last sign of life
    /// of a member to when gossip calls it dead.
    pub(crate) fn new(me: NodeId, own: SocketAddr, verdict_age: Duration, seed: u64) -> Self {
        Self {
            me,
            own,
            verdict_age,
            rng: StdRng::seed_from_u64(seed),
            contacts: HashMap::new(),
            at: HashMap::new(),
            sessions: HashMap::new(),
            due: BTreeSet::new(),
            dials: 0,
            actions: VecDeque::new(),
        }
    }

    pub(crate) fn contains(&self, member: NodeId) -> bool {
        self.contacts.contains_key(&member)
    }

    /// Those that are up, and where they are dialled.
    pub(crate) fn members(&self) -> Vec<(NodeId, SocketAddr)> {
        let contacts = self.contacts.iter();
        contacts
            .map(|(id, contact)| (*id, contact.address))
            .collect()
    }

    /// What the member called itself in its last session.
    pub(crate) fn name(&self, member: NodeId) -> Option<String> {
        self.contacts.get(&member)?.name.clone()
    }

    /// A member is up, and its node at that address; or there from now on.
    pub(crate) fn member_up(&mut self, now: Instant, member: NodeId, address: SocketAddr) {
        let fresh = Contact {
            address,
            phase: Phase::Waiting(None),
            backoff: Backoff::default(),
            name: None,
        };
        let known = self.contacts.entry(member).or_insert(fresh);
        let old = std::mem::replace(&mut known.address, address);
        if old != address {
            self.vacate(now, member, old);
        }
        let predecessor = self.at.insert(address, member);
        if let Some(predecessor) = predecessor.filter(|other| *other != member) {
            self.schedule(predecessor, None);
        }
        self.adopt(now, member, address);
        if !self.is_linked(member) {
            let wait = self.turn(member);
            self.schedule(member, Some(now + wait));
        }
    }

    /// A member is gone. Returns what it called itself.
    pub(crate) fn member_down(
        &mut self,
        now: Instant,
        member: NodeId,
        reason: DownReason,
    ) -> Option<String> {
        self.schedule(member, None);
        let contact = self.contacts.remove(&member)?;
        self.vacate(now, member, contact.address);
        let (actions, verdict_age) = (&mut self.actions, self.verdict_age);
        self.sessions.retain(|session, entry| {
            if entry.member != Some(member) {
                return true;
            }
            entry.member = None;
            // Whoever has proven the cookie since lives: the member, come back, or its successor.
            let young = now < entry.since + verdict_age;
            if !young {
                let session = *session;
                actions.push_back(Action::Close { session, reason });
            }
            young
        });
        contact.name
    }

    /// There is a session with a peer that these addresses lead to.
    pub(crate) fn session_up(
        &mut self,
        now: Instant,
        session: ActorId,
        name: &str,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) {
        self.sessions.entry(session).or_insert_with(|| Session {
            name: name.to_owned(),
            since: now,
            addresses: Vec::new(),
            member: None,
        });
        self.session_at(session, addresses);
    }

    /// These addresses lead to the peer of a session, too.
    pub(crate) fn session_at(
        &mut self,
        session: ActorId,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) {
        let Some(entry) = self.sessions.get_mut(&session) else {
            return;
        };
        entry.addresses.extend(addresses.into_iter().map(canonical));
        if entry.member.is_none()
            && let Some(&member) = entry.addresses.iter().find_map(|a| self.at.get(a))
        {
            self.bind(session, member);
        }
    }

    /// A session has ended. A member without another is dialled again.
    pub(crate) fn session_down(&mut self, now: Instant, session: ActorId) {
        let Some(session) = self.sessions.remove(&session) else {
            return;
        };
        let there = session.addresses.iter().filter_map(|a| self.at.get(a));
        let concerned: BTreeSet<_> = there.chain(&session.member).copied().collect();
        for member in concerned {
            if self.is_linked(member) {
                continue;
            }
            if let Some(contact) = self.contacts.get_mut(&member)
                && now >= session.since + STABLE_AFTER
            {
                contact.backoff.reset();
            }
            self.again(now, member);
        }
    }

    /// The sessions that there are; all others have ended.
    pub(crate) fn sessions_are(&mut self, now: Instant, there: &[ActorId]) {
        let known = self.sessions.keys().copied();
        let gone: Vec<_> = known.filter(|id| !there.contains(id)).collect();
        for session in gone {
            self.session_down(now, session);
        }
    }

    /// A dial has ended.
    pub(crate) fn dial_ended(&mut self, now: Instant, member: NodeId, dialled: Dialled) {
        self.dials = self.dials.saturating_sub(1);
        let Some(contact) = self.contacts.get_mut(&member) else {
            return;
        };
        if contact.phase != Phase::Dialling {
            return;
        }
        if dialled == Dialled::Connected {
            // Whoever was taken to be at this address, it is this member that the session is with.
            let address = contact.address;
            let mut sessions = self.sessions.iter();
            let mine = sessions.find(|(_, session)| session.addresses.contains(&address));
            if let Some(session) = mine.map(|(id, _)| *id) {
                return self.rebind(now, session, member);
            }
            // With a session that is not known here, another dial would not help. This one will be told, or end.
            // By chance, but long: to find the same once more costs both a handshake.
            let pause = LONGEST_PAUSE / 2 + part_of(LONGEST_PAUSE / 2, &mut self.rng);
            return self.schedule(member, Some(now + pause));
        }
        self.again(now, member);
    }

    /// Dials whom it is time to dial.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while self.dials < MAX_DIALS
            && let Some(&(due, member)) = self.due.first()
            && due <= now
        {
            self.due.pop_first();
            let Some(contact) = self.contacts.get_mut(&member) else {
                continue;
            };
            contact.phase = Phase::Dialling;
            self.dials += 1;
            let address = contact.address;
            self.actions.push_back(Action::Dial { member, address });
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let (due, _) = self.due.first()?;
        (self.dials < MAX_DIALS).then_some(*due)
    }

    /// What to do next.
    #[must_use]
    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn is_linked(&self, member: NodeId) -> bool {
        let mut sessions = self.sessions.values();
        sessions.any(|session| session.member == Some(member))
    }

    fn bind(&mut self, session: ActorId, member: NodeId) {
        let bound = self.sessions.get_mut(&session);
        if let (Some(session), Some(contact)) = (bound, self.contacts.get_mut(&member)) {
            session.member = Some(member);
            contact.name = Some(session.name.clone());
            let before = std::mem::replace(&mut contact.phase, Phase::Linked);
            if let Phase::Waiting(Some(due)) = before {
                self.due.remove(&(due, member));
            }
        }
    }

    /// Gives a member the sessions that lead to its address, and are nobody's. Those that began since the last sign of
    /// life of a predecessor are not the predecessor's.
    fn adopt(&mut self, now: Instant, member: NodeId, address: SocketAddr) {
        let fit = |session: &Session| {
            let young = now < session.since + self.verdict_age;
            session.addresses.contains(&address) && (session.member.is_none() || young)
        };
        let fitting = self.sessions.iter().filter(|(_, session)| fit(session));
        let fitting: Vec<_> = fitting.map(|(id, _)| *id).collect();
        for session in fitting {
            self.rebind(now, session, member);
        }
    }

    /// Gives a session to another member. Who had it is dialled.
    fn rebind(&mut self, now: Instant, session: ActorId, member: NodeId) {
        let before = self.sessions.get(&session).and_then(|entry| entry.member);
        self.bind(session, member);
        if let Some(before) = before.filter(|before| !self.is_linked(*before)) {
            self.again(now, before);
        }
    }

    /// Leaves an address to whoever else is said to be there.
    fn vacate(&mut self, now: Instant, member: NodeId, address: SocketAddr) {
        if self.at.get(&address) != Some(&member) {
            return;
        }
        self.at.remove(&address);
        let mut contacts = self.contacts.iter();
        let other = contacts.find(|(id, contact)| **id != member && contact.address == address);
        if let Some(other) = other.map(|(id, _)| *id) {
            self.at.insert(address, other);
            if !self.is_linked(other) {
                self.again(now, other);
            }
        }
    }

    /// Sets when to dial a member that there is no session with.
    fn schedule(&mut self, member: NodeId, due: Option<Instant>) {
        let Some(contact) = self.contacts.get_mut(&member) else {
            return;
        };
        if let Phase::Waiting(Some(due)) = contact.phase {
            self.due.remove(&(due, member));
        }
        let mine = self.at.get(&contact.address) == Some(&member);
        let can_be_dialled = contact.address != self.own && contact.address.port() != 0;
        let due = due.filter(|_| mine && can_be_dialled);
        contact.phase = Phase::Waiting(due);
        self.due.extend(due.map(|due| (due, member)));
    }

    /// Dials a member again after a pause.
    fn again(&mut self, now: Instant, member: NodeId) {
        let Some(contact) = self.contacts.get_mut(&member) else {
            return;
        };
        let pause = contact.backoff.next(&mut self.rng);
        let wait = self.turn(member);
        self.schedule(member, Some(now + pause + wait));
    }

    /// One of the two dials first, whichever has the smaller id.
    fn turn(&mut self, member: NodeId) -> Duration {
        if self.me < member {
            Duration::ZERO
        } else {
            part_of(HEADSTART, &mut self.rng) + HEADSTART
        }
    }
}

/// An address in one spelling: IPv4 is IPv4, without scope and flow, as gossip has it.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
