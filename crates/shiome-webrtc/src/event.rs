//! What becomes known of the ways to peers.

use shiome_bus::PeerId;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::Failure;

/// Events that wait for one who listens; of more, the oldest are lost, and counted.
pub(crate) const EVENTS: usize = 256;

/// How a peer is reached.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Path {
    /// Over whatever other link there is, while a direct connection is being made.
    Connecting,
    /// Over a data channel.
    Direct,
    /// Over whatever other link there is, for this reason.
    Relayed(Failure),
}

impl Path {
    /// Whether it is [`Direct`](Self::Direct).
    #[must_use]
    pub fn is_direct(&self) -> bool {
        matches!(self, Self::Direct)
    }
}

/// The way to a peer changed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RtcEvent {
    /// To whom.
    pub peer: PeerId,
    /// How it is now.
    pub path: Path,
}

/// Events from the moment on in which it was made.
#[derive(Debug)]
pub struct RtcEvents(pub(crate) broadcast::Receiver<RtcEvent>);

impl RtcEvents {
    /// The next event; `None` once there will be none. Cancel-safe. Who is 256 events behind loses the oldest: the way as it is now is
    /// told by [`Rtc::path`](crate::Rtc::path).
    pub async fn next(&mut self) -> Option<RtcEvent> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(lost)) => tracing::debug!(lost, "events of WebRTC"),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
