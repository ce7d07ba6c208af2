//! A guest of a node: a hidden node of this process, for as long as the command runs.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use shiome::{
    Expose, Node, SessionInfo,
    inspect::Inspector,
    node::NodeConnectionMode,
    transport::tls::{Files, Reloading, ring},
};

use super::{AskFailure, Entry};
use crate::cookie;

mod name;

/// An address that no node dials by the word of another.
const NOWHERE: &str = "unix:/nowhere";

/// Connected to one node, and to nobody else: it shows no actors, listens on loopback only, and says no address at which it
/// could be dialled.
pub(super) struct Guest {
    node: Node,
    pub(super) session: SessionInfo,
    pub(super) look: Inspector,
}

impl Guest {
    pub(super) async fn join(
        address: &str,
        entry: &Entry,
        limit: Duration,
    ) -> Result<Self, AskFailure> {
        let cookie = cookie::read(entry.cookie_file.as_deref())?;
        let files = entry.files();
        let name = match &files {
            None => name::by_chance("127.0.0.1"),
            Some(files) => name::certified(&files.certificate)?,
        };
        let mut builder = Node::builder(format!("{name}:0"))
            .cookie(cookie)
            .listen(IpAddr::from(Ipv4Addr::LOCALHOST))
            .advertise(NOWHERE)
            .connection_mode(NodeConnectionMode::Isolated)
            .expose(Expose::Explicit);
        if let Some(files) = files {
            let loaded = Reloading::load(files, ring()).map_err(AskFailure::Tls)?;
            builder = builder.tls(loaded.credentials());
        }
        let node = builder.start().await?;
        let connected = tokio::time::timeout(limit, node.connect(address)).await;
        let session = connected.map_err(|_| AskFailure::Late)?;
        let session = session.map_err(AskFailure::Join)?;
        Ok(Self {
            look: node.inspect(),
            node,
            session,
        })
    }

    /// Says goodbye.
    pub(super) async fn leave(self) {
        self.node.stop().await;
    }
}

impl Entry {
    /// The files of TLS, if it is to be TLS.
    fn files(&self) -> Option<Files> {
        Some(Files {
            certificate: self.tls_cert.clone()?,
            key: self.tls_key.clone()?,
            authorities: self.tls_ca.clone()?,
        })
    }
}
