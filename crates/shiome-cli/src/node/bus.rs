//! The bus of a node: a relay for peers in browsers and other programs.

use shiome_bus::{
    Bus, BusError, PeerId,
    websocket::{Admission, Links, Listening, Origins, Policy, ServerOptions, WebSocketServer},
};
use shiome_inspect::Token;

use super::{settings, value::Site};
use crate::error::Error;

/// What the relay goes by on its bus.
const RELAY: &str = "relay";

/// A bus whose peers come by WebSocket, until it is dropped.
pub(super) struct Relay {
    pub(super) bus: Bus,
    listening: Listening,
    _server: WebSocketServer,
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
            let bus = Bus::new();
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
            _server: server,
        }))
    }

    /// Where peers find it.
    pub(super) fn url(&self) -> &str {
        self.listening.url()
    }
}
