use std::time::{Duration, Instant};

use ractor::{ActorCell, ActorRef, pg};
use ractor_cluster::{NodeServerMessage, client_connect, client_connect_enc};
use speed_harness::{COUNTERS, Called, Calls, Casts, Connected, SERVER_NAME, Sender, Tls};
use tokio::sync::mpsc;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::events::{Event, Events};
use crate::handles::{self, Local};
use crate::members::{COUNTERS_GROUP, IDLE_GROUP, Watch};
use crate::node;

const ENDED: &str = "the session ended";

pub struct Sending {
    _server: ActorRef<NodeServerMessage>,
    counters: Vec<ActorCell>,
}

impl Sender for Sending {
    async fn connect(
        address: String,
        tls: Option<Tls>,
        members: usize,
    ) -> Result<(Self, Connected), String> {
        let server = node::start("sender", node::free_port()?, tls.as_ref()).await?;
        let mut watch = Watch::start().await?;
        let (teller, mut events) = mpsc::unbounded_channel();
        server
            .cast(NodeServerMessage::SubscribeToEvents {
                id: "speed".into(),
                subscription: Box::new(Events(teller)),
            })
            .map_err(|error| error.to_string())?;
        let start = Instant::now();
        dial(&server, &address, tls.as_ref()).await?;
        if events.recv().await != Some(Event::Ready) {
            return Err(ENDED.to_owned());
        }
        let ready = start.elapsed();
        let all = async {
            watch.members(COUNTERS_GROUP, COUNTERS).await?;
            watch.members(IDLE_GROUP, members).await
        };
        tokio::select! {
            all = all => all?,
            _ = events.recv() => return Err(ENDED.to_owned()),
        }
        let visible = start.elapsed();
        let mut counters = pg::get_members(&COUNTERS_GROUP.to_owned());
        counters.sort_by_key(|counter| counter.get_id().pid());
        let sending = Self {
            _server: server,
            counters,
        };
        Ok((sending, Connected { ready, visible }))
    }

    async fn casts(&mut self, handle: &str, casts: Casts) -> Result<Duration, String> {
        let to = self.targets(casts.senders);
        match handle {
            "actorref" => speed_harness::casts(to.map(Local::new).collect(), casts).await,
            #[cfg(feature = "remote-ref")]
            "remoteref" => speed_harness::casts(handles::remote(to)?, casts).await,
            _ => Err(handles::unknown(handle)),
        }
    }

    async fn calls(&mut self, handle: &str, calls: Calls) -> Result<Called, String> {
        // All to one actor.
        let to = self.targets(1).cycle().take(calls.callers);
        match handle {
            "actorref" => speed_harness::calls(to.map(Local::new).collect(), calls).await,
            #[cfg(feature = "remote-ref")]
            "remoteref" => speed_harness::calls(handles::remote(to)?, calls).await,
            _ => Err(handles::unknown(handle)),
        }
    }
}

impl Sending {
    fn targets(&self, count: usize) -> impl Iterator<Item = &ActorCell> + Clone {
        self.counters.iter().take(count)
    }
}

async fn dial(
    server: &ActorRef<NodeServerMessage>,
    address: &str,
    tls: Option<&Tls>,
) -> Result<(), String> {
    let connected = match tls {
        None => client_connect(server, address).await,
        Some(tls) => {
            let name = ServerName::try_from(SERVER_NAME).map_err(|e| e.to_string())?;
            client_connect_enc(server, address, tls.connector.clone(), name).await
        }
    };
    connected.map_err(|error| format!("connect {error}"))
}
