use thiserror::Error;
use tokio::sync::oneshot;

use crate::events::SessionInfo;

/// A connection did not become a session.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address cannot be resolved or reached.
    #[error("connection failed")]
    Dial(#[from] std::io::Error),
    /// There is another connection with that node, which stays: from before, or because both dialled at the same time.
    #[error("another connection with that node stays")]
    Duplicate,
    /// The handshake failed, for instance because the cookies differ.
    #[error("handshake failed: {0}")]
    Handshake(String),
    /// The connection ended before the two nodes had told each other their actors and groups.
    #[error("connection lost: {0}")]
    Lost(String),
    /// The node has been stopped.
    #[error("the node is stopped")]
    Stopped,
}

/// Tells whoever dialled how it went, once.
#[derive(Debug)]
pub(crate) struct Outcome(Option<oneshot::Sender<Result<SessionInfo, ConnectError>>>);

impl Outcome {
    /// Nobody waits.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// With where it is heard.
    pub(crate) fn pair() -> (Self, oneshot::Receiver<Result<SessionInfo, ConnectError>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    pub(crate) fn settle(&mut self, result: Result<SessionInfo, ConnectError>) {
        if let Some(waiting) = self.0.take() {
            let _ = waiting.send(result);
        }
    }
}
