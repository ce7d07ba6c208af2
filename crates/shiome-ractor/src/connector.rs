use std::sync::Arc;

use ractor::ActorRef;

use crate::{
    events::SessionInfo,
    node::{Dialer, NodeServerMessage, Registry},
    outcome::{ConnectError, Outcome},
};

/// Dials other nodes, and waits for the sessions.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) server: ActorRef<NodeServerMessage>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) dialer: Arc<Dialer>,
}

impl Connector {
    /// Connects to the node at `address`, `host:port`, and waits until the two have told each other their actors and
    /// groups. Dropping the future does not undo the connection.
    pub(crate) async fn connect(&self, address: &str) -> Result<SessionInfo, ConnectError> {
        let stream = self.dialer.dial(address).await?;
        let (outcome, settled) = Outcome::pair();
        if let Some(local_addr) = stream.local_addr() {
            self.registry.expect_session(local_addr, outcome);
        }
        let opened = NodeServerMessage::ConnectionOpened {
            stream: Box::new(stream),
            is_server: false,
        };
        self.server
            .cast(opened)
            .map_err(|_| ConnectError::Stopped)?;
        settled.await.unwrap_or(Err(ConnectError::Stopped))
    }
}
