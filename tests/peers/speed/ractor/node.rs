//! The node server.

use ractor::{Actor, ActorRef};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{IncomingEncryptionMode, NodeServer, NodeServerMessage};
use speed_harness::Tls;

const COOKIE: &str = "a-cookie-for-speed";

/// Starts it. The port has to be known before: published servers do not tell which they got.
pub async fn start(
    name: &str,
    port: u16,
    tls: Option<&Tls>,
) -> Result<ActorRef<NodeServerMessage>, String> {
    let encryption = tls.map(|tls| IncomingEncryptionMode::Tls(tls.acceptor.clone()));
    let server = NodeServer::new(
        port,
        COOKIE.to_owned(),
        name.to_owned(),
        "127.0.0.1".to_owned(),
        encryption,
        Some(NodeConnectionMode::Isolated),
    );
    let (server, _) = Actor::spawn(None, server, ())
        .await
        .map_err(|error| error.to_string())?;
    Ok(server)
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(|e| e.to_string())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    Ok(address.port())
}
