//! A guest of a node: a hidden node of this process, for as long as the command runs.

use std::time::Duration;

use shiome::{Expose, Node, SessionInfo, inspect::Inspector, node::NodeConnectionMode};

use super::AskFailure;
use crate::cookie;

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
        cookie_file: Option<&std::path::Path>,
        limit: Duration,
    ) -> Result<Self, AskFailure> {
        let cookie = cookie::read(cookie_file)?;
        let name = format!("shiome-guest-{:08x}@127.0.0.1:0", rand::random::<u32>());
        let node = Node::builder(name)
            .cookie(cookie)
            .advertise(NOWHERE)
            .connection_mode(NodeConnectionMode::Isolated)
            .expose(Expose::Explicit)
            .start()
            .await?;
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
