//! Nodes of a demo with TLS that must not be let in.

use std::net::SocketAddr;

use super::{
    node::{self, Node},
    process::Failure,
    promise::Patience,
    protocol::{Request, Role, Secrets},
};

/// Two nodes that both go by the name of `z`.
pub(super) struct Strangers {
    /// Its certificate is of another authority.
    foreign: Node,
    /// Its certificate is for another node.
    impostor: Node,
    log: String,
}

impl Strangers {
    /// With these secrets, not running.
    pub(super) fn new(foreign: Secrets, impostor: Secrets, patience: Patience, log: &str) -> Self {
        Self {
            foreign: Node::new('z', foreign, 0, patience),
            impostor: Node::new('z', impostor, 0, patience),
            log: log.to_owned(),
        }
    }

    /// Lets the one of another authority dial, which must fail for the certificate that it shows: why, in words.
    pub(super) async fn foreign_is_refused(&mut self, by: SocketAddr) -> Result<String, Failure> {
        let why = refused(&mut self.foreign, by, &self.log).await?;
        expect(&why, "fatal alert: UnknownCA")
    }

    /// Lets the one with a certificate for another node dial, which must fail for its name: why, in words.
    pub(super) async fn impostor_is_refused(&mut self, by: SocketAddr) -> Result<String, Failure> {
        let why = refused(&mut self.impostor, by, &self.log).await?;
        expect(&why, "refused: not allowed")
    }

    /// Kills what still runs.
    pub(super) async fn kill_all(&mut self) {
        self.foreign.kill().await;
        self.impostor.kill().await;
    }
}

/// Starts a node that dials once, and tells why that has failed.
async fn refused(node: &mut Node, by: SocketAddr, log: &str) -> Result<String, Failure> {
    node.start(log, Role::Stranger).await?;
    node.listening().await?;
    let dial = node.request(Request::Connect(by)).await;
    let why = dial.error("is refused").await?;
    node::stop([node]).await?;
    Ok(why)
}

/// That it failed for this reason, and no other; the reason.
fn expect(seen: &str, reason: &str) -> Result<String, Failure> {
    if seen.ends_with(reason) {
        return Ok(reason.to_owned());
    }
    Err(Failure::new(format!("z: {reason}"), format!("z: {seen}")))
}
