//! The task that keeps one connection.

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use ractor::ActorId;
use tokio::{
    sync::{
        Semaphore,
        broadcast::{Receiver, error::RecvError},
    },
    time::sleep_until,
};
use tracing::{info, warn};

use super::{
    Connection, ConnectionEnd, Reconnect,
    connection::{State, now},
    keeper::{Action, Keeper},
};
use crate::{
    ConnectError, NodeEvent, SessionInfo, connector::Connector, events::Broadcast, node::is_socket,
    outcome::Chain,
};

/// Keeps one connection.
pub(super) struct Driver {
    connection: Connection,
    connector: Connector,
    events: Broadcast,
    /// From before the first dial, so that the end of what it brings is not missed.
    sessions: Receiver<NodeEvent>,
    dials: Arc<Semaphore>,
    keeper: Keeper<ActorId>,
    dial: Option<Dial>,
    /// Who is at the address, once that is known.
    peer: Option<Peer>,
    /// The session, once both nodes have told each other their actors.
    ready: Option<SessionInfo>,
    /// Why there is no session.
    error: Arc<ConnectError>,
}

/// A dial that is under way.
type Dial = Pin<Box<dyn Future<Output = Result<SessionInfo, ConnectError>> + Send>>;

/// What a node calls itself. One that has moved to another address is not who was at this one.
#[derive(PartialEq)]
struct Peer {
    name: String,
    connection_string: String,
}

impl From<&SessionInfo> for Peer {
    fn from(session: &SessionInfo) -> Self {
        Self {
            name: session.name.clone(),
            connection_string: session.connection_string.clone(),
        }
    }
}

impl Driver {
    pub(super) fn new(
        connection: Connection,
        reconnect: Reconnect,
        connector: Connector,
        events: Broadcast,
        dials: Arc<Semaphore>,
    ) -> Self {
        Self {
            keeper: Keeper::new(now(), reconnect, rand::random()),
            sessions: events.subscribe(),
            connection,
            connector,
            events,
            dials,
            dial: None,
            peer: None,
            ready: None,
            error: Arc::new(ConnectError::Lost("not dialled yet".to_owned())),
        }
    }

    /// Runs until there is nothing to do any more.
    pub(super) async fn run(mut self) {
        let server = self.connector.server.clone();
        let mut stopped = pin!(server.wait(None));
        let connection = self.connection.clone();
        let mut ended = pin!(connection.ended());
        self.survey();
        loop {
            self.act();
            let due = self.keeper.poll_timeout();
            tokio::select! {
                biased;
                () = &mut ended => return self.keeper.cancel(),
                _ = &mut stopped => return,
                event = self.sessions.recv() => match event {
                    Ok(event) => self.on_event(event),
                    Err(RecvError::Lagged(_)) => self.catch_up(),
                    Err(RecvError::Closed) => return,
                },
                dialled = under_way(&mut self.dial) => {
                    self.dial = None;
                    self.on_dialled(dialled);
                }
                () = until(due) => {}
            }
        }
    }

    /// Does what the keeper says, and tells how far it is.
    fn act(&mut self) {
        self.keeper.handle_timeout(now());
        while let Some(action) = self.keeper.poll_action() {
            match action {
                Action::Dial => self.dial = Some(self.dial()),
                Action::Pause { attempt, pause } => self.tell_pause(attempt, pause),
                Action::GiveUp { attempts } => return self.give_up(attempts),
            }
        }
        self.connection.publish(self.state());
    }

    fn state(&self) -> State {
        match &self.ready {
            Some(session) => State::Connected(session.clone()),
            None => State::Connecting {
                attempt: self.keeper.attempt(),
                due: self.keeper.poll_timeout().unwrap_or_else(now),
            },
        }
    }

    fn dial(&self) -> Dial {
        let (connector, dials) = (self.connector.clone(), Arc::clone(&self.dials));
        let address = self.connection.address().to_owned();
        Box::pin(async move {
            // Nobody closes it.
            let _turn = dials.acquire().await;
            connector.attempt(&address).await
        })
    }

    fn tell_pause(&self, attempt: u32, pause: Duration) {
        let (address, error) = (self.connection.address().to_owned(), &self.error);
        let permanent = error.is_permanent();
        let reason = Chain(error);
        warn!(%address, attempt, ?pause, %reason, permanent, "not connected, dialling again");
        // Who hears of it finds the session gone.
        self.connection.publish(self.state());
        self.events.send(NodeEvent::Reconnecting {
            address,
            attempt,
            pause,
            error: Arc::clone(error),
        });
    }

    fn give_up(&self, attempts: u32) {
        let (address, error) = (
            self.connection.address().to_owned(),
            Arc::clone(&self.error),
        );
        let reason = Chain(&error);
        warn!(%address, attempts, %reason, "not connected, gave up");
        self.connection.publish(State::Ended(ConnectionEnd::GaveUp {
            attempts,
            error: Arc::clone(&error),
        }));
        self.events.send(NodeEvent::GaveUp {
            address,
            attempts,
            error,
        });
    }

    fn on_event(&mut self, event: NodeEvent) {
        match event {
            NodeEvent::Authenticated(session) if self.is_here(&session) => self.linked(&session),
            NodeEvent::Ready(session) if self.is_here(&session) => {
                self.linked(&session);
                self.ready = Some(session);
            }
            NodeEvent::Disconnected(session) => self.ended(session.session().get_id()),
            _ => {}
        }
    }

    /// There is a session with the node at the address.
    fn linked(&mut self, session: &SessionInfo) {
        let id = session.session().get_id();
        if self.keeper.session() != Some(id) {
            self.ready = None;
        }
        self.peer = Some(session.into());
        self.keeper.session_up(now(), id);
    }

    /// A session has ended. Of two with the node, the other one goes on.
    fn ended(&mut self, session: ActorId) {
        if self.keeper.session() != Some(session) {
            return;
        }
        self.ready = None;
        self.survey();
        if self.keeper.session() == Some(session) {
            info!(address = self.connection.address(), "session lost");
            self.error = Arc::new(ConnectError::Lost("session ended".to_owned()));
            self.keeper.session_down(now(), session);
        }
    }

    fn on_dialled(&mut self, dialled: Result<SessionInfo, ConnectError>) {
        match dialled {
            Ok(session) => {
                self.dialled(&session);
                self.ready = Some(session);
            }
            Err(ConnectError::Duplicate(Some(session))) => self.dialled(&session),
            Err(ConnectError::Stopped) => {
                let stopped = State::Ended(ConnectionEnd::Stopped);
                return self.connection.publish(stopped);
            }
            Err(error) => {
                // A peer that refuses a second connection may only close it.
                self.survey();
                let never = error.is_permanent();
                self.error = Arc::new(error);
                return self.keeper.dial_failed(now(), never);
            }
        }
        self.catch_up();
    }

    /// The dial has led to a session.
    fn dialled(&mut self, session: &SessionInfo) {
        self.linked(session);
        self.keeper.linked(now(), session.session().get_id());
    }

    /// Makes up for events that have been missed, or that were heard before they meant anything.
    fn catch_up(&mut self) {
        match self.keeper.session() {
            Some(id) if self.connector.registry.get(id).is_none() => self.ended(id),
            _ => self.survey(),
        }
    }

    /// Looks for a session with the node at the address; the one that is known already comes first.
    fn survey(&mut self) {
        let mut sessions = self.connector.registry.authenticated();
        sessions.sort_by_key(|record| Some(record.actor.get_id()) != self.keeper.session());
        for record in sessions {
            let session = SessionInfo::from(record.information());
            if self.is_here(&session) {
                self.linked(&session);
                let shared = record.shared.upgrade();
                if shared.is_some_and(|shared| shared.peer.apply(|session, _| session.is_ready())) {
                    self.ready = Some(session);
                }
                return;
            }
        }
    }

    /// Whether a session is with the node at the address, as far as that is known without asking.
    fn is_here(&self, session: &SessionInfo) -> bool {
        let (address, dialer) = (self.connection.address(), &self.connector.dialer);
        if self.peer == Some(session.into()) || dialer.is_same(&session.connection_string, address)
        {
            return true;
        }
        let socket = dialer.address(address).ok().filter(is_socket);
        let Some(address) = socket.and_then(|address| address.socket_addr()) else {
            return false;
        };
        let record = self.connector.registry.get(session.session().get_id());
        record.is_some_and(|record| record.reachable_at.contains(&address))
    }
}

/// The end of a dial.
async fn under_way(dial: &mut Option<Dial>) -> Result<SessionInfo, ConnectError> {
    match dial {
        Some(dial) => dial.await,
        None => pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}
