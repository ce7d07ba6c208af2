//! What operators and collectors of metrics reach: the admin endpoint, health and metrics.

use std::{net::SocketAddr, time::Duration};

use shiome::{
    Node,
    transport::{Address, Links, Listener, Policy},
};
use shiome_bus::Bus;
use shiome_inspect::{Guard, Inspect, Token, metrics::Prometheus, serve};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::{
    bus::Relay,
    settings::Operation,
    tokens::Tokens,
    value::{AdminAddress, Socket},
};
use crate::{error::Error, place};

/// Time for the servers to end when the node has.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// What is served of a node.
pub(super) struct Operating {
    inspect: Inspect,
    drain: Duration,
    dashboard: Option<Address>,
    servers: JoinSet<()>,
    stop: watch::Sender<()>,
}

impl Operating {
    /// Serves what the settings say, from now on.
    pub(super) async fn start(
        settings: &Operation,
        tokens: Tokens,
        node: &Node,
        bus: Option<Bus>,
        prometheus: &Prometheus,
    ) -> Result<Self, Error> {
        let inspect = match bus {
            Some(bus) => Inspect::with_bus(node.inspect(), bus),
            None => Inspect::new(node.inspect()),
        };
        let (stop, _) = watch::channel(());
        let mut operating = Self {
            inspect,
            drain: Duration::from_secs(settings.drain.map_or(0, |secs| secs.get())),
            dashboard: None,
            servers: JoinSet::new(),
            stop,
        };
        let admin = (settings.admin.as_ref(), tokens.admin);
        operating.start_admin(admin, node, prometheus).await?;
        if let Some(Socket(http)) = settings.http {
            let router = operating.inspect.health_router().merge(prometheus.router());
            let listener = listen(&at(http)?).await?;
            operating.serve(listener, router);
        }
        if let Some(Socket(addr)) = settings.dashboard {
            let guard = Guard::new(operating.inspect.refusals().clone());
            let guard = match tokens.dashboard {
                Some(token) => guard.token(token),
                None => guard,
            };
            let listener = listen(&at(addr)?).await?;
            operating.dashboard = Some(listener.local().clone());
            operating.serve(listener, operating.inspect.dashboard(guard));
        }
        Ok(operating)
    }

    /// Where browsers find the dashboard, if there is one.
    pub(super) fn dashboard(&self) -> Option<String> {
        let at = self.dashboard.as_ref()?.to_string();
        let at = at.strip_prefix("tcp://").unwrap_or(&at);
        Some(format!("http://{at}/"))
    }

    async fn start_admin(
        &mut self,
        admin: (Option<&AdminAddress>, Option<Token>),
        node: &Node,
        prometheus: &Prometheus,
    ) -> Result<(), Error> {
        let refusals = self.inspect.refusals().clone();
        let (listener, guard) = match admin {
            (Some(AdminAddress::Off), _) => return Ok(()),
            (None, _) => match default_socket(node).await {
                Ok(listener) => (listener, Guard::local(refusals)),
                // The node has not been told to have one.
                Err(error) => {
                    warn!(%error, "no socket for operators; --admin says where it could be");
                    return Ok(());
                }
            },
            (Some(AdminAddress::Unix(path)), _) => {
                let address = unix(path)?;
                (listen(&address).await?, Guard::local(refusals))
            }
            (Some(AdminAddress::Tcp(addr)), token) => {
                let token = token.expect("settings with admin over TCP and no token are refused");
                let guard = Guard::new(refusals).token(token);
                (listen(&at(*addr)?).await?, guard)
            }
        };
        let router = self.inspect.router().merge(self.inspect.action_router());
        let router = router.merge(self.inspect.health_router());
        let router = guard.protect(router.merge(prometheus.router()));
        self.serve(listener, router);
        Ok(())
    }

    fn serve(&mut self, listener: Box<dyn Listener>, router: axum::Router) {
        info!(address = %listener.local(), "serves operators");
        let refusals = self.inspect.refusals().clone();
        let mut stopped = self.stop.subscribe();
        self.servers.spawn(async move {
            let stopped = async {
                // Nothing is ever sent, so it changes by being closed.
                let _ = stopped.changed().await;
            };
            serve(listener, router, refusals, stopped).await;
        });
    }

    /// Stops the node in good order:
    ///
    /// 1. It is not ready from now on, and waits for as long as it was told: whoever looks at readiness sends its work
    ///    elsewhere.
    /// 2. Peers of the bus are told that it goes away.
    /// 3. It dials nobody any more. On each session what was sent is written, then the peer is told that the node stops.
    ///    Then nobody is accepted any more.
    /// 4. It leaves gossip. Before that the others would close their sessions, and lose what is under way.
    /// 5. What operators reach is closed last.
    pub(super) async fn stop(self, node: Node, relay: Option<Relay>) {
        self.inspect.health().drain();
        if !self.drain.is_zero() {
            info!(secs = self.drain.as_secs(), "not ready any more, and waits");
            sleep(self.drain).await;
        }
        if let Some(relay) = relay {
            relay.close().await;
        }
        node.stop().await;
        drop(self.stop);
        let mut servers = self.servers;
        let ended = async { while servers.join_next().await.is_some() {} };
        let _ = timeout(STOP_TIMEOUT, ended).await;
    }
}

async fn default_socket(node: &Node) -> Result<Box<dyn Listener>, Error> {
    let path = place::socket(node.name(), node.local_addr().port()).map_err(Error::Socket)?;
    listen(&unix(&path)?).await
}

fn unix(path: &std::path::Path) -> Result<Address, Error> {
    let text = format!("unix:{}", path.display());
    text.parse().map_err(|_| Error::AdminAddress(text))
}

fn at(addr: SocketAddr) -> Result<Address, Error> {
    let text = format!("tcp://{addr}");
    text.parse().map_err(|_| Error::AdminAddress(text))
}

async fn listen(address: &Address) -> Result<Box<dyn Listener>, Error> {
    let listener = Links::new(Policy::Any).listen(address).await;
    listener.map_err(|source| Error::Serve {
        address: address.to_string(),
        source,
    })
}
