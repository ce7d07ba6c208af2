//! Servers and relays.

use std::{fmt, sync::Arc, time::Duration};

use shiome_transport::{
    Accepted, Links, Listener, TransportError,
    websocket::{Endpoint, Origins, answer_upgrade},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, join},
    runtime::Handle,
    task::AbortHandle,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use super::{
    SUBPROTOCOL,
    accept::{self, OPENING_TIMEOUT},
    dial::Target,
    hub::Hub,
    member::Member,
    member_link::MemberLink,
    opening::{Opening, Openings},
    options::ServerOptions,
    stats::ServerStats,
};
use crate::{Bus, BusError, Link, LinkKind, LinkOptions, PeerId};

/// How long a listener rests that has no files or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Takes WebSockets, for the peers of a bus, or as a relay between its clients, or both.
///
/// It ends when it is dropped, with all of its links.
pub struct WebSocketServer {
    hub: Arc<Hub>,
    openings: Arc<Openings>,
}

impl WebSocketServer {
    /// A relay of this name: it has no peers of its own, and passes envelopes on between its clients.
    ///
    /// # Errors
    ///
    /// [`BusError::NoRuntime`]
    pub fn relay(id: &PeerId, options: ServerOptions) -> Result<Self, BusError> {
        Self::with(Hub::new(id.clone(), options.relay(), None, runtime()?))
    }

    /// A server of this name, whose clients are links of `bus`. The name is that of a peer of the bus, or of none at all.
    ///
    /// # Errors
    ///
    /// [`BusError::NoRuntime`]
    pub fn new(bus: &Bus, id: &PeerId, options: ServerOptions) -> Result<Self, BusError> {
        let bus = bus.clone();
        let attach = Box::new(move |hub: &Arc<Hub>, member: &Arc<Member>| {
            // Before any other client is told of it.
            if bus.is_taken(&member.id, LinkKind::WEBSOCKET) {
                return Err(BusError::NameTaken(member.id.clone()));
            }
            let link: Arc<dyn Link> = Arc::new(MemberLink::new(hub, member));
            bus.attach(link, LinkOptions::default()).map(drop)
        });
        Self::with(Hub::new(id.clone(), options, Some(attach), runtime()?))
    }

    fn with(hub: Hub) -> Result<Self, BusError> {
        Ok(Self {
            hub: Arc::new(hub),
            openings: Arc::default(),
        })
    }

    /// Listens at an address such as `wss://0.0.0.0:443/bus`, and takes the pages of these sites, until the result is dropped.
    /// `links` has the scheme below: `tcp`, which is always there, or `tls`.
    ///
    /// # Errors
    ///
    /// [`BusError::Network`]
    pub async fn listen(
        &self,
        links: &Links,
        url: &str,
        origins: Origins,
    ) -> Result<Listening, BusError> {
        let target = Target::new(links, url).map_err(BusError::network)?;
        let listener = links
            .listen(target.below())
            .await
            .map_err(BusError::network)?;
        let url = target.at(listener.local());
        let endpoint = Arc::new(endpoint(origins).at(target.path()));
        let accepting = Accepting {
            hub: Arc::clone(&self.hub),
            openings: Arc::clone(&self.openings),
            endpoint,
        };
        let task = tokio::spawn(accepting.run(listener)).abort_handle();
        Ok(Listening { url, task })
    }

    /// Serves a WebSocket that a web server has opened, after it sent what [`endpoint`] said, until it is over.
    pub async fn serve<S>(&self, io: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let opening = self.openings.enter(None);
        accept::serve(Arc::clone(&self.hub), io, opening).await;
    }

    /// What it has done so far, and has now.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.hub.counters.stats(self.hub.len())
    }

    #[cfg(test)]
    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Ends all links, and lets nobody in any more. Each client is told that the server goes away, and dials again later.
    pub fn close(&self) {
        self.hub.close();
    }
}

impl Drop for WebSocketServer {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for WebSocketServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebSocketServer").field(&self.hub).finish()
    }
}

fn runtime() -> Result<Handle, BusError> {
    Handle::try_current().map_err(|_| BusError::NoRuntime)
}

/// What a web server asks about requests for the bus: [`Endpoint::answer`] has the response.
pub fn endpoint(origins: Origins) -> Endpoint {
    Endpoint::new(origins).speaking(SUBPROTOCOL)
}

/// A port that is listened on, until this is dropped.
#[derive(Debug)]
pub struct Listening {
    url: String,
    task: AbortHandle,
}

impl Listening {
    /// Where it listens, with the port that was given for port 0.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Accepting {
    hub: Arc<Hub>,
    openings: Arc<Openings>,
    endpoint: Arc<Endpoint>,
}

impl Accepting {
    async fn run(self, mut listener: Box<dyn Listener>) {
        loop {
            match listener.accept().await {
                Ok(accepted) => {
                    let (hub, endpoint) = (Arc::clone(&self.hub), Arc::clone(&self.endpoint));
                    let opening = self.openings.enter(accepted.remote().ip);
                    tokio::spawn(take(hub, endpoint, accepted, opening));
                }
                Err(error) => {
                    warn!(%error, "not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn take(hub: Arc<Hub>, endpoint: Arc<Endpoint>, accepted: Accepted, opening: Opening) {
    // Boxed, so that it takes no memory once the WebSocket is open.
    let open = Box::pin(async {
        let stream = accepted.establish().await?;
        let opened = timeout(OPENING_TIMEOUT, answer_upgrade(stream, &endpoint)).await;
        let after = OPENING_TIMEOUT;
        Ok::<_, TransportError>(opened.map_err(|_| TransportError::Timeout { after })??)
    });
    let opened = tokio::select! {
        opened = open => opened,
        () = opening.sent_away() => return hub.counters.turned_away(),
    };
    match opened {
        Ok(stream) => accept::serve(hub, join(stream.reader, stream.writer), opening).await,
        Err(error) => {
            hub.counters.turned_away();
            debug!(%error, "no WebSocket");
        }
    }
}
