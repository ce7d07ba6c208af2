//! How servers and clients are set up.

use std::{fmt, sync::Arc, time::Duration};

use super::{backoff::Reconnect, outbox::QueueLimits};
use crate::{
    BoxFuture, PeerId,
    wire::{
        DEFAULT_GRACE_MS, DEFAULT_HEARTBEAT_MS, DEFAULT_MAX_MESSAGE_LEN, MAX_MAX_MESSAGE_LEN,
        MIN_MAX_MESSAGE_LEN, Secret,
    },
};

/// Shortest heartbeat that a link has.
pub const MIN_HEARTBEAT: Duration = Duration::from_millis(100);

/// Longest heartbeat that a link has.
pub const MAX_HEARTBEAT: Duration = Duration::from_secs(120);

/// What becomes of a client that wants to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// It does not come in under this id.
    No,
    /// It comes in, and speaks for itself.
    Peer,
    /// It comes in, and may speak for other peers, too.
    Gateway,
}

/// Judges who may come in under which id.
pub trait Verifier: Send + Sync {
    /// Judges a client that wants to be `id` and shows `token`. Has a few seconds; the client waits.
    fn verify<'a>(&'a self, id: &'a PeerId, token: Option<&'a str>) -> BoxFuture<'a, Admission>;
}

impl<F: Fn(&PeerId, Option<&str>) -> Admission + Send + Sync> Verifier for F {
    fn verify<'a>(&'a self, id: &'a PeerId, token: Option<&'a str>) -> BoxFuture<'a, Admission> {
        Box::pin(std::future::ready(self(id, token)))
    }
}

/// How a server is set up.
#[derive(Clone)]
pub struct ServerOptions {
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) relay: bool,
    pub(crate) binary: bool,
    pub(crate) queue: QueueLimits,
    pub(crate) max_message: usize,
    pub(crate) heartbeat: Duration,
    pub(crate) grace: Duration,
    pub(crate) patience: Duration,
    pub(crate) probe: Duration,
    pub(crate) max_peers: usize,
    pub(crate) presence_limit: usize,
}

impl ServerOptions {
    /// Lets in whom `verifier` lets in.
    pub fn new(verifier: impl Verifier + 'static) -> Self {
        Self {
            verifier: Arc::new(verifier),
            relay: false,
            binary: true,
            queue: QueueLimits::new(8192, 1024 * 1024),
            max_message: DEFAULT_MAX_MESSAGE_LEN as usize,
            heartbeat: Duration::from_millis(DEFAULT_HEARTBEAT_MS),
            grace: Duration::from_millis(DEFAULT_GRACE_MS),
            patience: Duration::from_secs(1),
            probe: Duration::from_secs(2),
            max_peers: 100_000,
            presence_limit: 1000,
        }
    }

    /// Lets everybody in who can reach the port, under any id that is free.
    #[must_use]
    pub fn anyone() -> Self {
        Self::new(|_: &PeerId, _: Option<&str>| Admission::Peer)
    }

    /// Passes envelopes on between clients, and tells them of each other.
    #[must_use]
    pub fn relay(self) -> Self {
        Self {
            relay: true,
            ..self
        }
    }

    /// Speaks JSON only, also with those that understand the binary form.
    #[must_use]
    pub fn json_only(self) -> Self {
        Self {
            binary: false,
            ..self
        }
    }

    /// What may wait for each client. Default: 8192 envelopes, 1 MiB.
    #[must_use]
    pub fn queue(self, queue: QueueLimits) -> Self {
        Self { queue, ..self }
    }

    /// Bytes of the longest message that is taken, 4 KiB to 16 MiB. Default 1 MiB + 4 KiB.
    #[must_use]
    pub fn max_message(self, max_message: usize) -> Self {
        let max_message = within(max_message);
        Self {
            max_message,
            ..self
        }
    }

    /// The longest heartbeat that a client may wish, [`MIN_HEARTBEAT`] to [`MAX_HEARTBEAT`]. Default 15 s. Who does not answer is given up within two.
    #[must_use]
    pub fn heartbeat(self, heartbeat: Duration) -> Self {
        let heartbeat = heartbeat.clamp(MIN_HEARTBEAT, MAX_HEARTBEAT);
        Self { heartbeat, ..self }
    }

    /// How long the id and the session of a client that was lost are kept. Default 10 s.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// How long a destination whose queue is full may make no room before what is for it is dropped: until then the senders
    /// wait, with all that they send over the same link. Longer loses less, shorter keeps what is for others fast. Default 1 s.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How long a client has to show that it is there when another wants its id. Default 2 s.
    #[must_use]
    pub fn probe(self, probe: Duration) -> Self {
        Self { probe, ..self }
    }

    /// How many peers there may be. Default 100 000.
    #[must_use]
    pub fn max_peers(self, max_peers: usize) -> Self {
        Self { max_peers, ..self }
    }

    /// Above so many peers nobody is told who is there: what that takes grows with the square. Default 1000.
    #[must_use]
    pub fn presence_limit(self, presence_limit: usize) -> Self {
        Self {
            presence_limit,
            ..self
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("relay", &self.relay)
            .field("queue", &self.queue)
            .field("max_message", &self.max_message)
            .field("heartbeat", &self.heartbeat)
            .field("grace", &self.grace)
            .field("max_peers", &self.max_peers)
            .finish_non_exhaustive()
    }
}

/// How a client is set up.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    pub(crate) token: Option<Secret>,
    pub(crate) reclaim: Option<Secret>,
    pub(crate) binary: bool,
    pub(crate) queue: QueueLimits,
    pub(crate) max_message: usize,
    pub(crate) heartbeat: Duration,
    pub(crate) reconnect: Reconnect,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            token: None,
            reclaim: None,
            binary: true,
            queue: QueueLimits::default(),
            max_message: DEFAULT_MAX_MESSAGE_LEN as usize,
            heartbeat: Duration::from_millis(DEFAULT_HEARTBEAT_MS),
            reconnect: Reconnect::default(),
        }
    }
}

impl ClientOptions {
    /// Shows this to the server, at most 4096 bytes.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        let token = Some(Secret::new(token));
        Self { token, ..self }
    }

    /// Shows that the id was this program's in an earlier run: what [`WebSocketClient::reclaim`](super::WebSocketClient::reclaim)
    /// said then.
    #[must_use]
    pub fn reclaim(self, reclaim: Secret) -> Self {
        let reclaim = Some(reclaim);
        Self { reclaim, ..self }
    }

    /// Speaks JSON only.
    #[must_use]
    pub fn json_only(self) -> Self {
        Self {
            binary: false,
            ..self
        }
    }

    /// What may wait for the server. Default: 8192 envelopes, 4 MiB.
    #[must_use]
    pub fn queue(self, queue: QueueLimits) -> Self {
        Self { queue, ..self }
    }

    /// Bytes of the longest message that is taken, 4 KiB to 16 MiB. Default 1 MiB + 4 KiB.
    #[must_use]
    pub fn max_message(self, max_message: usize) -> Self {
        let max_message = within(max_message);
        Self {
            max_message,
            ..self
        }
    }

    /// The heartbeat to wish for. Default 15 s.
    #[must_use]
    pub fn heartbeat(self, heartbeat: Duration) -> Self {
        let heartbeat = heartbeat.clamp(MIN_HEARTBEAT, MAX_HEARTBEAT);
        Self { heartbeat, ..self }
    }

    /// When to dial again, and when to give up.
    #[must_use]
    pub fn reconnect(self, reconnect: Reconnect) -> Self {
        Self { reconnect, ..self }
    }
}

fn within(max_message: usize) -> usize {
    max_message.clamp(MIN_MAX_MESSAGE_LEN as usize, MAX_MAX_MESSAGE_LEN as usize)
}
