use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::sync::watch;

use crate::{ConnectError, SessionInfo};

/// An address that a node keeps connected to, see [`Node::keep_connected`](crate::Node::keep_connected).
///
/// A handle: dropping it changes nothing, the address is kept connected until [`cancel`](Self::cancel) or the end of the
/// node. Clones stand for the same.
#[derive(Debug, Clone)]
pub struct Connection {
    address: Arc<str>,
    shared: Arc<watch::Sender<State>>,
}

/// How far it is with a kept [`Connection`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionState {
    /// There is no session.
    Connecting {
        /// Number of the dial that is under way or comes next, since the last session that lasted; from 1.
        attempt: u32,
        /// Time until it begins; zero while it is under way.
        next_in: Duration,
    },
    /// There is a session, whoever dialled, and both nodes have told each other their actors and groups.
    Connected(SessionInfo),
    /// Nothing is done any more.
    Ended(ConnectionEnd),
}

/// Why an address is not kept connected to any more. A session with the node there is not touched by it.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// It was dialled as often, or for as long, as [`Reconnect`](crate::Reconnect) says.
    #[error("gave up after {attempts} dials")]
    GaveUp {
        /// Dials since the last session that lasted.
        attempts: u32,
        /// Why the last one failed.
        #[source]
        error: Arc<ConnectError>,
    },
    /// By [`Connection::cancel`].
    #[error("cancelled")]
    Cancelled,
    /// The node has been stopped.
    #[error("the node is stopped")]
    Stopped,
}

/// What its task tells the handles of a connection.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Until the next dial, and while it is under way.
    Connecting {
        attempt: u32,
        due: Instant,
    },
    Connected(SessionInfo),
    Ended(ConnectionEnd),
}

impl Connection {
    pub(super) fn new(address: &str) -> Self {
        let due = now();
        Self {
            address: address.into(),
            shared: Arc::new(watch::Sender::new(State::Connecting { attempt: 1, due })),
        }
    }

    /// The address, `host:port`, as it was given.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How far it is.
    pub fn state(&self) -> ConnectionState {
        match &*self.shared.borrow() {
            State::Connecting { attempt, due } => ConnectionState::Connecting {
                attempt: *attempt,
                next_in: due.saturating_duration_since(now()),
            },
            State::Connected(session) => ConnectionState::Connected(session.clone()),
            State::Ended(end) => ConnectionState::Ended(end.clone()),
        }
    }

    /// The session, as soon as there is one; at once if there is one now. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`ConnectionEnd`] when there will be none by this connection.
    pub async fn connected(&self) -> Result<SessionInfo, ConnectionEnd> {
        let mut shared = self.shared.subscribe();
        let settled = shared
            .wait_for(|state| !matches!(state, State::Connecting { .. }))
            .await;
        match settled.as_deref() {
            Ok(State::Connected(session)) => Ok(session.clone()),
            Ok(State::Ended(end)) => Err(end.clone()),
            // This handle holds the sender, and it was not waited for this.
            Ok(State::Connecting { .. }) | Err(_) => Err(ConnectionEnd::Stopped),
        }
    }

    /// Dials no more: a dial that is under way is dropped, a session stays.
    pub fn cancel(&self) {
        self.publish(State::Ended(ConnectionEnd::Cancelled));
    }

    /// Waits until nothing will be done any more.
    pub(super) async fn ended(&self) {
        let mut shared = self.shared.subscribe();
        // This handle holds the sender.
        let _ = shared
            .wait_for(|state| matches!(state, State::Ended(_)))
            .await;
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(*self.shared.borrow(), State::Ended(_))
    }

    /// Tells a state, unless the end has been told.
    pub(super) fn publish(&self, new: State) {
        self.shared.send_if_modified(|state| {
            let open = !matches!(state, State::Ended(_));
            if open {
                *state = new;
            }
            open
        });
    }

    /// Whether the two are handles of one connection.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

/// The runtime's clock, which tests can pause.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
