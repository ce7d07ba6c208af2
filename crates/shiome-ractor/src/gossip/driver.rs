//! The task that keeps one session with each member.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ractor::ActorId;
use shiome_membership::{DownReason, Events, Membership, MembershipEvent, NodeId, State};
use shiome_session::GoodbyeReason;
use tokio::{
    net::lookup_host,
    sync::{Notify, broadcast::error::RecvError},
    task::JoinSet,
    time::{sleep_until, timeout},
};
use tracing::{debug, info};

use super::{
    Member, Roster,
    member::node_address,
    roster::{Action, Dialled, canonical},
};
use crate::{
    ConnectError, NodeDown, NodeEvent, SessionInfo,
    connector::Connector,
    events::Broadcast,
    node::{Ending, Registry},
};

/// Time to look up where a peer says that it is dialled.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for the node server to end before this node leaves. Its sessions have a second each, at the same time.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Keeps a session with each member.
pub(super) struct Driver {
    pub(super) members: Events,
    pub(super) membership: Arc<Membership>,
    pub(super) roster: Arc<Mutex<Roster>>,
    pub(super) offset: i32,
    pub(super) connector: Connector,
    pub(super) events: Broadcast,
    pub(super) tasks: JoinSet<Done>,
    pub(super) stop: Arc<Notify>,
}

/// What a task of the driver has done.
pub(super) enum Done {
    Dialled(NodeId, SocketAddr, Result<SessionInfo, ConnectError>),
    Resolved(ActorId, Vec<SocketAddr>),
}

impl Driver {
    /// Runs until the node has left.
    pub(super) async fn run(mut self) {
        self.keep_sessions().await;
        self.tasks.shutdown().await;
        let _ = self.connector.server.wait(Some(STOP_TIMEOUT)).await;
        self.membership.leave().await;
    }

    /// Runs until the node is to stop, or its server or membership has.
    async fn keep_sessions(&mut self) {
        let server = self.connector.server.clone();
        let mut sessions = self.events.subscribe();
        self.survey_sessions();
        debug!(me = %self.membership.id(), "keeps a session with each member");
        loop {
            self.act();
            let due = self.roster().poll_timeout();
            tokio::select! {
                () = self.stop.notified() => return,
                _ = server.wait(None) => return,
                event = self.members.next() => match event {
                    Some(event) => self.on_member(event),
                    None => return,
                },
                event = sessions.recv() => match event {
                    Ok(event) => self.on_session(event),
                    Err(RecvError::Lagged(_)) => self.survey(),
                    Err(RecvError::Closed) => return,
                },
                Some(done) = self.tasks.join_next() => match done {
                    Ok(done) => self.on_done(done),
                    Err(error) => debug!(%error, "task ended early"),
                },
                () = until(due) => {}
            }
        }
    }

    /// Does what the roster says.
    fn act(&mut self) {
        self.roster().handle_timeout(now());
        loop {
            let action = self.roster().poll_action();
            match action {
                Some(Action::Dial { member, address }) => {
                    debug!(%member, %address, "dials a member");
                    let connector = self.connector.clone();
                    self.tasks.spawn(async move {
                        let dialled = connector.attempt_alone(&address.to_string()).await;
                        Done::Dialled(member, address, dialled)
                    });
                }
                Some(Action::Close { session, reason }) => self.close(session, reason),
                None => return,
            }
        }
    }

    fn close(&self, session: ActorId, reason: DownReason) {
        let record = self.registry().get(session);
        if let Some(shared) = record.and_then(|record| record.shared.upgrade()) {
            shared.end(Ending {
                why: why(reason),
                down: node_down(reason),
                goodbye: GoodbyeReason::Closed,
                flush: false,
            });
        }
    }

    fn on_member(&mut self, event: MembershipEvent) {
        match event {
            // A survey may have been faster.
            MembershipEvent::MemberUp(info) if !self.roster().contains(info.id) => {
                self.member_up(info.id, info.addr, info.state);
            }
            MembershipEvent::MemberChanged(info) => {
                let address = node_address(info.addr, self.offset);
                self.roster().member_up(now(), info.id, address);
            }
            MembershipEvent::MemberDown { id, addr, reason } if self.roster().contains(id) => {
                self.member_down(id, node_address(addr, self.offset), reason);
            }
            MembershipEvent::Missed(_) => self.survey(),
            _ => {}
        }
    }

    fn member_up(&self, id: NodeId, gossip: SocketAddr, state: State) {
        let address = node_address(gossip, self.offset);
        info!(member = %id, %address, "member is up");
        let name = {
            let mut roster = self.roster();
            roster.member_up(now(), id, address);
            roster.name(id)
        };
        self.events.send(NodeEvent::MemberUp(Member {
            id,
            address,
            name,
            state,
        }));
    }

    fn member_down(&self, id: NodeId, address: SocketAddr, reason: DownReason) {
        info!(member = %id, %address, ?reason, "member is down");
        let name = self.roster().member_down(now(), id, reason);
        let state = match reason {
            DownReason::Left => State::Left,
            _ => State::Dead,
        };
        let member = Member {
            id,
            address,
            name,
            state,
        };
        self.events.send(NodeEvent::MemberDown { member, reason });
    }

    fn on_session(&mut self, event: NodeEvent) {
        match event {
            NodeEvent::Authenticated(session) => self.session_up(&session),
            NodeEvent::Disconnected(session) => {
                let session = session.session().get_id();
                self.roster().session_down(now(), session);
            }
            _ => {}
        }
    }

    fn session_up(&mut self, info: &SessionInfo) {
        let session = info.session().get_id();
        let known = addresses(info, self.registry());
        self.roster()
            .session_up(now(), session, &info.name, known.iter().copied());
        let target = info.connection_string.clone();
        if target.parse::<SocketAddr>().is_err() {
            self.tasks.spawn(async move {
                let found = timeout(RESOLVE_TIMEOUT, lookup_host(target)).await;
                let found = found.ok().and_then(Result::ok).into_iter().flatten();
                Done::Resolved(session, found.collect())
            });
        }
    }

    /// Looks at everything, when events may have been missed.
    fn survey(&mut self) {
        let members = self.membership.members();
        for info in &members {
            if !self.roster().contains(info.id) {
                self.member_up(info.id, info.addr, info.state);
            }
        }
        let known = self.roster().members();
        for (id, address) in known {
            if !members.iter().any(|info| info.id == id) {
                let last = self.membership.member(id);
                let left = last.is_some_and(|info| info.state == State::Left);
                let reason = if left {
                    DownReason::Left
                } else {
                    DownReason::Failed
                };
                self.member_down(id, address, reason);
            }
        }
        self.survey_sessions();
    }

    fn survey_sessions(&mut self) {
        let sessions = self.registry().authenticated();
        let there: Vec<_> = sessions.iter().map(|r| r.actor.get_id()).collect();
        self.roster().sessions_are(now(), &there);
        for record in sessions {
            self.session_up(&record.information().into());
        }
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Resolved(session, found) => self.roster().session_at(session, found),
            Done::Dialled(member, address, Ok(info)) => {
                let session = info.session().get_id();
                // The news of it may still be on its way; if it has ended, so that no other news will come, it is not
                // in the registry.
                if self.registry().get(session).is_some() {
                    self.session_up(&info);
                }
                let mut roster = self.roster();
                roster.session_at(session, [address]);
                roster.dial_ended(now(), member, Dialled::Connected);
            }
            Done::Dialled(member, address, Err(ConnectError::Duplicate(_))) => {
                debug!(%member, %address, "connected already");
                // The dial may have shown that the peer of another session is at that address, too.
                for record in self.registry().authenticated() {
                    let known = record.reachable_at.iter().copied();
                    self.roster().session_at(record.actor.get_id(), known);
                }
                self.roster().dial_ended(now(), member, Dialled::Connected);
            }
            Done::Dialled(member, address, Err(error)) => {
                debug!(%member, %address, %error, "member cannot be reached");
                self.roster().dial_ended(now(), member, Dialled::Failed);
            }
        }
    }

    fn roster(&self) -> MutexGuard<'_, Roster> {
        lock(&self.roster)
    }

    fn registry(&self) -> &Registry {
        &self.connector.registry
    }
}

/// Addresses that lead to the peer of a session, as far as they are known without asking: where it was dialled, what it
/// says if that is an address, and the port that it says at the address it came from.
fn addresses(info: &SessionInfo, registry: &Registry) -> Vec<SocketAddr> {
    let said = info.connection_string.parse::<SocketAddr>().ok();
    let port = info.connection_string.rsplit_once(':');
    let port = port.and_then(|(_, port)| port.parse::<u16>().ok());
    let from = info.peer_addr.parse::<SocketAddr>().ok();
    let there = from.zip(port).map(|(from, port)| (from.ip(), port).into());
    let record = registry.get(info.session().get_id());
    let dialled = record.into_iter().flat_map(|record| record.reachable_at);
    said.into_iter()
        .chain(there)
        .chain(dialled)
        .map(canonical)
        .collect()
}

/// Why a session was closed, for those who watch the peer.
fn node_down(reason: DownReason) -> NodeDown {
    match reason {
        DownReason::Left => NodeDown::MemberLeft,
        DownReason::Replaced => NodeDown::Restarted,
        _ => NodeDown::MemberFailed,
    }
}

/// Why a session was closed, for those who hold references to the peer's actors.
fn why(reason: DownReason) -> &'static str {
    match reason {
        DownReason::Failed => "member_failed",
        DownReason::Left => "member_left",
        DownReason::Replaced => "member_replaced",
        _ => "member_down",
    }
}

pub(crate) fn lock(roster: &Mutex<Roster>) -> MutexGuard<'_, Roster> {
    // The roster's own code does not panic, and if it did, what is in it is still worth more than none.
    roster.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}

/// The runtime's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
