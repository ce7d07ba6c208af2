use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::AtomicUsize},
    time::Duration,
};

use ractor::ActorId;
use shiome_handshake::{
    Admission, Candidate, DialState, DialVerdict, MAX_HOLD, NoncelessAdmission,
    OutstandingChallenges, Side, admit, admit_nonceless, elect, may_dial,
};
use shiome_wire::auth::{AuthenticationMessage, NameMessage};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{MAX_SESSIONS, SessionCheckReply, node_session::Shared};
use crate::{
    channel::Services,
    events::{Broadcast, WeakBroadcast},
    inspect::History,
    remote::{NodeDown, Run, Runs},
};

mod neighbour;
mod record;
mod takeover;

use neighbour::Neighbour;
pub(crate) use record::{Phase, Record};

/// A session that has lost an election, and why.
pub(crate) type Loser = (Arc<Shared>, NodeDown);

/// The sessions of one node: who is at the other end, and which of several with one peer stays.
#[derive(Debug)]
pub(crate) struct Registry {
    state: Mutex<State>,
    changed: Notify,
    /// Probes under way.
    probing: AtomicUsize,
    runs: Runs,
    /// What programs say beside their actors.
    pub(crate) services: Services,
    history: History,
    /// Where to tell what happens, but the end of a session, of which the server tells.
    pub(crate) events: WeakBroadcast,
}

/// The node has as many sessions as it may.
#[derive(Debug)]
pub(crate) struct TooManySessions;

#[derive(Debug)]
struct State {
    max_sessions: usize,
    sessions: HashMap<ActorId, Record>,
    challenges: OutstandingChallenges,
    /// Addresses that the node is dialling by itself.
    dialling: HashSet<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            max_sessions: MAX_SESSIONS,
            sessions: HashMap::default(),
            challenges: OutstandingChallenges::default(),
            dialling: HashSet::default(),
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        let (events, _) = Broadcast::new();
        Self::new(&events)
    }
}

impl Registry {
    /// Without sessions. What happens to them but their end, of which the server tells, is told to `events`.
    pub(crate) fn new(events: &Broadcast) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            probing: AtomicUsize::new(0),
            runs: Runs::default(),
            services: Services::default(),
            history: History::default(),
            events: events.downgrade(),
        }
    }

    /// Has so many authenticated sessions at most.
    pub(crate) fn set_max_sessions(&self, count: usize) {
        self.lock().max_sessions = count;
    }

    /// What has passed with each peer.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// All sessions, at whatever stage.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.lock().sessions.values().cloned().collect()
    }

    pub(crate) fn max_sessions(&self) -> usize {
        self.lock().max_sessions
    }

    pub(crate) fn insert(&self, record: Record) {
        let id = record.actor.get_id();
        self.lock().sessions.insert(id, record);
        self.changed.notify_waiters();
    }

    pub(crate) fn remove(&self, id: ActorId) -> Option<Record> {
        let removed = self.lock().sessions.remove(&id);
        self.changed.notify_waiters();
        removed
    }

    pub(crate) fn get(&self, id: ActorId) -> Option<Record> {
        self.lock().sessions.get(&id).cloned()
    }

    /// Changes a record and wakes whoever waits for a change.
    pub(crate) fn update(&self, id: ActorId, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.lock().sessions.get_mut(&id) {
            change(record);
        }
        self.changed.notify_waiters();
    }

    /// Lets the other sessions with the peer of `id` be known by the addresses of this one.
    pub(crate) fn share_addresses(&self, id: ActorId) {
        let mut state = self.lock();
        let Some(record) = state.sessions.get(&id) else {
            return;
        };
        let Some(peer) = &record.peer_name else {
            return;
        };
        let (name, addresses) = (peer.name.clone(), record.reachable_at.clone());
        let others = state.sessions.values_mut();
        for other in others.filter(|r| r.is_authenticated() && r.is_named(&name)) {
            other.add_addresses(addresses.iter().copied());
        }
    }

    /// Those whose handshake is over, also those that are being closed.
    pub(crate) fn established(&self) -> Vec<Record> {
        let state = self.lock();
        let records = state.sessions.values().filter(|r| !r.is_pending());
        records.cloned().collect()
    }

    pub(crate) fn authenticated(&self) -> Vec<Record> {
        let state = self.lock();
        let records = state.sessions.values().filter(|r| r.is_authenticated());
        records.cloned().collect()
    }

    /// Whether the node `name`, or one at `connection_string`, is a peer or about to be. Accepted connections that are
    /// not authenticated count for nothing: anybody can claim a name.
    pub(crate) fn knows(&self, name: &str, connection_string: &str) -> bool {
        let state = self.lock();
        state.dialling.contains(connection_string)
            || state.sessions.values().any(|record| {
                if record.side == Side::Server && record.is_pending() {
                    return false;
                }
                record.is_named(name)
                    || (record.peer_name.as_ref())
                        .is_some_and(|n| n.connection_string == connection_string)
            })
    }

    /// Marks an address as being dialled; `false` when it is already, or `limit` are, or have been and nobody there has
    /// proven the cookie yet.
    pub(crate) fn begin_dial(&self, address: &str, limit: usize) -> bool {
        let mut state = self.lock();
        let dialled = state.sessions.values().filter(|r| r.side == Side::Client);
        let pending = dialled.filter(|r| r.is_pending()).count();
        state.dialling.len() + pending < limit && state.dialling.insert(address.to_owned())
    }

    pub(crate) fn end_dial(&self, address: &str) {
        self.lock().dialling.remove(address);
    }

    pub(crate) fn issue_challenge(&self, challenge: u32) {
        self.lock().challenges.insert(challenge);
    }

    pub(crate) fn retire_challenge(&self, challenge: u32) {
        self.lock().challenges.remove(challenge);
    }

    pub(crate) fn is_reflected(&self, message: &AuthenticationMessage) -> bool {
        self.lock().challenges.is_reflected(message)
    }

    /// Waits for the dial's turn to send the own name; `false` when there is a session with that node already.
    pub(crate) async fn await_turn(&self, id: ActorId) -> bool {
        let Some(target) = self.get(id).map(|record| record.target) else {
            return false;
        };
        let began = Instant::now();
        loop {
            let changed = self.changed.notified();
            let held = began.elapsed();
            match self.lock().dial_verdict(id, &target, held) {
                DialVerdict::Go => return true,
                DialVerdict::Connected => return false,
                DialVerdict::Hold => {}
            }
            // The verdict depends on time too.
            let _ = timeout(MAX_HOLD.saturating_sub(held), changed).await;
        }
    }

    /// The verdict for one who asks from outside, see [`NodeServerMessage::CheckSession`].
    ///
    /// [`NodeServerMessage::CheckSession`]: super::NodeServerMessage::CheckSession
    pub(crate) fn check(&self, our_name: &str, peer: &NameMessage) -> SessionCheckReply {
        let state = self.lock();
        let newcomer = state
            .sessions
            .values()
            .find(|r| r.is_pending() && r.peer_name.as_ref() == Some(peer));
        let rivals = state.rivals(&peer.name, newcomer.map(|r| r.actor.get_id()));
        match newcomer {
            Some(record) => admit(our_name, &peer.name, &record.candidate(), &rivals).into(),
            None if rivals.is_empty() => SessionCheckReply::NoOtherConnection,
            None if rivals.iter().any(|r| r.side == Side::Server) => {
                SessionCheckReply::DuplicateConnection
            }
            None if peer.name.as_str() < our_name => SessionCheckReply::ThisConnectionContinues,
            None => SessionCheckReply::OtherConnectionContinues,
        }
    }

    /// Marks a session as authenticated and elects among those with its peer. Returns the other sessions to be closed,
    /// each with the reason for those who watch it, and the peer's run that stands by this one, unless it has lost.
    ///
    /// Of several sessions that win one after the other, the run stands by the last.
    ///
    /// # Errors
    ///
    /// [`TooManySessions`]; nothing has changed.
    pub(crate) fn authenticate(
        &self,
        id: ActorId,
        our_name: &str,
        link_up: impl FnOnce(&Runs) -> Arc<Run>,
    ) -> Result<(Vec<Loser>, Option<Arc<Run>>), TooManySessions> {
        let (losers, run) = {
            let mut state = self.lock();
            if state.is_full_for(id) {
                return Err(TooManySessions);
            }
            let (losers, lost) = state.authenticate(id, our_name);
            (losers, (!lost).then(|| link_up(&self.runs)))
        };
        self.changed.notify_waiters();
        Ok((losers, run))
    }

    /// A session has ended by which a run may stand.
    pub(crate) fn link_down(&self, run: &Run, link: &Weak<Shared>, why: NodeDown) {
        // Not while another session takes its place.
        let _state = self.lock();
        Runs::link_down(run, link, why);
    }

    /// Waits while a dial of this node is under way that would replace the authenticated session `id`, so that no
    /// session is told to be ready only to be closed with what was sent on it. `false` when it has been replaced.
    ///
    /// The dial ends by the handshake's deadline. The peer cannot know of it, but its side is not ready before this one.
    pub(crate) async fn await_rivals(&self, id: ActorId, our_name: &str) -> bool {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.lock();
                if !state.may_be_replaced(id, our_name) {
                    return state.stays(id, our_name);
                }
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn dial_verdict(&mut self, id: ActorId, target: &str, held: Duration) -> DialVerdict {
        let others = self.others(id, target);
        let verdict = may_dial(
            target,
            held,
            others.iter().filter_map(Neighbour::dial_state),
            others.iter().filter_map(Neighbour::session_state),
        );
        if verdict == DialVerdict::Go
            && let Some(record) = self.sessions.get_mut(&id)
        {
            record.phase = Phase::NameSent;
        }
        verdict
    }

    fn admission(
        &mut self,
        id: ActorId,
        our_name: &str,
        peer: &NameMessage,
        held: Duration,
    ) -> Option<Admission> {
        if self.is_full_for(id) {
            return Some(Admission::NotAllowed);
        }
        let admission = if peer.connection_id == 0 {
            let others = self.others(id, &peer.connection_string);
            let verdict = admit_nonceless(
                peer,
                held,
                others.iter().filter_map(Neighbour::dial_state),
                others.iter().filter_map(Neighbour::session_state),
            );
            match verdict {
                NoncelessAdmission::Hold => return None,
                NoncelessAdmission::Admit(admission) => admission,
            }
        } else {
            let newcomer = self.sessions.get(&id)?.candidate();
            admit(
                our_name,
                &peer.name,
                &newcomer,
                &self.rivals(&peer.name, Some(id)),
            )
        };
        if matches!(admission, Admission::Ok | Admission::OkSimultaneous)
            && let Some(record) = self.sessions.get_mut(&id)
        {
            record.phase = Phase::Challenged;
        }
        Some(admission)
    }

    /// Whether there are as many sessions as may be, and none with the peer of this one that could end for it.
    fn is_full_for(&self, id: ActorId) -> bool {
        let authenticated = || self.sessions.values().filter(|r| r.is_authenticated());
        if authenticated().count() < self.max_sessions {
            return false;
        }
        let record = self.sessions.get(&id);
        let peer = record.and_then(|record| record.peer_name.as_ref());
        !peer.is_some_and(|peer| authenticated().any(|other| other.is_named(&peer.name)))
    }

    fn authenticate(&mut self, id: ActorId, our_name: &str) -> (Vec<Loser>, bool) {
        let Some(record) = self.sessions.get_mut(&id) else {
            return (Vec::new(), false);
        };
        record.phase = Phase::Authenticated;
        let incarnation = record.incarnation;
        let Some(peer) = record.peer_name.clone() else {
            return (Vec::new(), false);
        };
        let candidates = self.rivals(&peer.name, None);
        let stay = elect(our_name, &peer.name, &candidates);
        let losers = candidates
            .iter()
            .filter(|candidate| candidate.id != id && !stay.contains(&candidate.id));
        let losers = losers.filter_map(|loser| {
            let shared = self.sessions.get(&loser.id)?.shared.upgrade()?;
            Some((shared, why_lost(loser, incarnation)))
        });
        (losers.collect(), !stay.contains(&id))
    }

    /// Whether a dial of this node, should it succeed, wins over a session that the peer dialled.
    fn may_be_replaced(&self, id: ActorId, our_name: &str) -> bool {
        let Some(record) = self.sessions.get(&id) else {
            return false;
        };
        let Some(peer) = &record.peer_name else {
            return false;
        };
        if record.side == Side::Client || our_name <= peer.name.as_str() {
            return false;
        }
        let others = self.others(id, &peer.connection_string);
        let mut dials = others.iter().filter_map(Neighbour::dial_state);
        dials.any(|dial| match dial {
            DialState::NameSent { target } => target == peer.connection_string,
            DialState::Named { peer: other, .. } => other.name == peer.name,
            // One that has sent nothing finds this session, and ends.
            _ => false,
        })
    }

    /// Whether an authenticated session has not lost against another.
    fn stays(&self, id: ActorId, our_name: &str) -> bool {
        let record = self.sessions.get(&id);
        let Some(peer) = record.and_then(|record| record.peer_name.as_ref()) else {
            return false;
        };
        elect(our_name, &peer.name, &self.rivals(&peer.name, None)).contains(&id)
    }

    /// The authenticated sessions with one peer, but for `except`.
    fn rivals(&self, peer_name: &str, except: Option<ActorId>) -> Vec<Candidate<ActorId>> {
        self.sessions
            .iter()
            .filter(|(id, _)| Some(**id) != except)
            .filter(|(_, record)| record.is_authenticated() && record.is_named(peer_name))
            .map(|(_, record)| record.candidate())
            .collect()
    }

    /// All sessions but one, as seen by somebody who is about to deal with the node at `address`.
    fn others(&self, id: ActorId, address: &str) -> Vec<Neighbour> {
        let others = self.sessions.iter().filter(|(other, _)| **other != id);
        others
            .filter(|(_, record)| !record.is_suspect())
            .map(|(_, record)| Neighbour::new(record, address))
            .collect()
    }
}

/// Why a session lost against one with the peer's run `incarnation`.
fn why_lost(loser: &Candidate<ActorId>, incarnation: u64) -> NodeDown {
    if incarnation > loser.incarnation && loser.incarnation != 0 {
        NodeDown::Restarted
    } else if loser.suspect {
        NodeDown::Unresponsive
    } else {
        NodeDown::Replaced
    }
}
