//! The node: its server, its local actors, and the names that commands gave to things.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::registry::{where_is, where_is_pid};
use ractor::{Actor, ActorCell, ActorId, ActorRef};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{
    IncomingEncryptionMode, NodeServer, NodeServerMessage, client_connect, client_connect_enc,
};
use tokio::task::JoinHandle;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::actor::{Hermit, Plain, Recorder};
use crate::args::Args;
use crate::events::Events;
use crate::inbox::Inbox;
use crate::margin::Reader;
use crate::sessions::sessions;
use crate::tls::Tls;

pub struct Node {
    pub server: ActorRef<NodeServerMessage>,
    pub inbox: Arc<Inbox>,
    /// References to remote actors that outlive their group membership.
    pub refs: HashMap<String, ActorCell>,
    /// Calls that run while other commands do.
    pub calls: HashMap<String, JoinHandle<Result<String, String>>>,
    /// What `flood-spawn` made.
    pub flood: Vec<ActorCell>,
    tls: Option<Tls>,
    /// Of shiome's builder.
    #[cfg(feature = "remote-ref")]
    built: Option<ractor_cluster::Node>,
}

impl Node {
    pub async fn start(args: Args) -> Result<Self, String> {
        if args.built {
            return Self::start_built(args).await;
        }
        let tls = args.tls.as_ref().map(Tls::load).transpose()?;
        let encryption = tls
            .as_ref()
            .map(|tls| IncomingEncryptionMode::Tls(tls.acceptor.clone()));
        let mode = if args.transitive {
            NodeConnectionMode::Transitive
        } else {
            NodeConnectionMode::Isolated
        };
        let mut server = NodeServer::new(
            args.port,
            args.cookie,
            args.name,
            args.host,
            encryption,
            Some(mode),
        );
        if let Some(address) = args.listen_addr {
            server = server.with_listen_addr(address);
        }
        let (server, _) = Actor::spawn(None, server, ())
            .await
            .map_err(|e| e.to_string())?;
        Self::new(server, tls)
    }

    #[cfg(feature = "remote-ref")]
    async fn start_built(args: Args) -> Result<Self, String> {
        let files = args.tls.as_ref().ok_or("--builder needs --tls-ca")?;
        let built = crate::built::start(&args, files).await?;
        let node = Self::new(built.server().clone(), None)?;
        Ok(Self {
            built: Some(built),
            ..node
        })
    }

    #[cfg(not(feature = "remote-ref"))]
    async fn start_built(_args: Args) -> Result<Self, String> {
        Err("--builder is shiome's".into())
    }

    fn new(server: ActorRef<NodeServerMessage>, tls: Option<Tls>) -> Result<Self, String> {
        server
            .cast(NodeServerMessage::SubscribeToEvents {
                id: "stdout".into(),
                subscription: Box::new(Events),
            })
            .map_err(|error| error.to_string())?;
        Ok(Self {
            server,
            inbox: Arc::default(),
            refs: HashMap::new(),
            calls: HashMap::new(),
            flood: Vec::new(),
            tls,
            #[cfg(feature = "remote-ref")]
            built: None,
        })
    }

    /// Returns when the socket is open; `wait-session` tells when the session is ready.
    pub async fn connect(&self, address: &str) -> Result<(), String> {
        #[cfg(feature = "remote-ref")]
        if let Some(built) = &self.built {
            return crate::built::connect(built, address).await;
        }
        connect(&self.server, self.tls.as_ref(), address).await
    }

    /// From now on peers are told that the node is reached at this port.
    pub fn announce(&self, port: u16) -> Result<(), String> {
        self.server
            .cast(NodeServerMessage::PortChanged { port })
            .map_err(|error| error.to_string())
    }

    /// Dials whenever there is no session, as a program does that wants to stay connected.
    pub fn redial(&self, address: String, pause: Duration) {
        let (server, tls) = (self.server.clone(), self.tls.clone());
        tokio::spawn(async move {
            loop {
                let alone = sessions(&server).await.is_ok_and(|all| all.is_empty());
                if alone {
                    // The next time is soon.
                    let _ = connect(&server, tls.as_ref(), &address).await;
                }
                tokio::time::sleep(pause).await;
            }
        });
    }

    /// Leaves it to the library to stay connected.
    #[cfg(feature = "remote-ref")]
    pub fn keep(&self, address: &str) -> Result<(), String> {
        let reconnect = ractor_cluster::Reconnect::default();
        ractor_cluster::client_keep_connected(&self.server, address, reconnect)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    pub async fn spawn(&self, name: Option<String>) -> Result<ActorCell, String> {
        spawn(name, Recorder(self.inbox.clone())).await
    }

    pub async fn spawn_plain(&self, name: Option<String>) -> Result<ActorCell, String> {
        spawn(name, Plain(self.inbox.clone())).await
    }

    pub async fn spawn_margin(&self, name: Option<String>) -> Result<ActorCell, String> {
        spawn(name, Reader(self.inbox.clone())).await
    }

    pub async fn spawn_hermit(&self, name: Option<String>) -> Result<ActorCell, String> {
        spawn(name, Hermit).await
    }
}

async fn connect(
    server: &ActorRef<NodeServerMessage>,
    tls: Option<&Tls>,
    address: &str,
) -> Result<(), String> {
    let connected = match tls {
        None => client_connect(server, address).await,
        Some(tls) => {
            let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
            let name = ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
            client_connect_enc(server, address, tls.connector.clone(), name).await
        }
    };
    connected.map_err(|error| format!("connect {error}"))
}

async fn spawn<A>(name: Option<String>, actor: A) -> Result<ActorCell, String>
where
    A: Actor<Arguments = ()>,
{
    let (actor, _) = Actor::spawn(name, actor, ())
        .await
        .map_err(|error| error.to_string())?;
    Ok(actor.get_cell())
}

/// The local actor with this pid or registered name.
pub fn local_actor(pid_or_name: &str) -> Result<ActorCell, String> {
    match pid_or_name.parse() {
        Ok(pid) => where_is_pid(ActorId::Local(pid)),
        Err(_) => where_is(String::from(pid_or_name)),
    }
    .ok_or_else(|| format!("no local actor {pid_or_name}"))
}
