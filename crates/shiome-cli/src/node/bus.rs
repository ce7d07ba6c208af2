//! The bus of a node: a relay for peers in browsers and other programs.

use shiome::Node;
use shiome_bus::{
    Bus, BusError, BusOptions, PeerId,
    websocket::{Admission, Links, Listening, Origins, Policy, ServerOptions, WebSocketServer},
};
use shiome_bus_cluster::{ClusterBus, ClusterOptions};
use shiome_inspect::Token;

use super::{settings, value::Site};
use crate::error::Error;

/// What the relay goes by on its bus.
const RELAY: &str = "relay";

/// A bus whose peers come by WebSocket, until it is dropped.
pub(super) struct Relay {
    pub(super) bus: Bus,
    listening: Listening,
    server: WebSocketServer,
    cluster: Option<ClusterBus>,
}

impl Relay {
    /// Listens as the settings say, if they say so.
    pub(super) async fn start(
        settings: &settings::Bus,
        token: Option<Token>,
    ) -> Result<Option<Self>, Error> {
        let Some(url) = &settings.listen else {
            return Ok(None);
        };
        let options = match token {
            None => ServerOptions::anyone(),
            Some(token) => ServerOptions::new(move |_: &PeerId, given: Option<&str>| {
                match given.is_some_and(|given| token.is(given)) {
                    true => Admission::Peer,
                    false => Admission::No,
                }
            }),
        };
        let links = Links::new(Policy::Any);
        let origins = Origins::only(settings.origin.iter().map(Site::as_str));
        let started = async {
            let bus = Bus::with(BusOptions::default().bridge());
            let server = WebSocketServer::new(&bus, &PeerId::new(RELAY)?, options.relay())?;
            let listening = server.listen(&links, url.as_str(), origins).await?;
            Ok::<_, BusError>((bus, server, listening))
        };
        let (bus, server, listening) = started.await.map_err(|source| Error::Bus {
            url: url.as_str().to_owned(),
            source,
        })?;
        Ok(Some(Self {
            bus,
            listening,
            server,
            cluster: None,
        }))
    }

    /// Passes on, too, what is for peers that other nodes have, and comes from there.
    pub(super) fn join(&mut self, node: &Node) -> Result<(), Error> {
        let cluster = ClusterBus::new(node, &self.bus, ClusterOptions::default());
        self.cluster = Some(cluster.map_err(Error::BusOfCluster)?);
        Ok(())
    }

    /// Tells all peers, and other nodes, that it goes away.
    pub(super) async fn close(self) {
        drop(self.listening);
        self.server.close();
        if let Some(cluster) = self.cluster {
            cluster.close().await;
        }
    }

    /// Where peers find it.
    pub(super) fn url(&self) -> &str {
        self.listening.url()
    }
}
