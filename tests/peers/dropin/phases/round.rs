//! One short meeting: the session becomes ready, carries a call, and is stopped by the dialer.

use ractor::ActorCell;
use ractor_cluster::node::NodeServerSessionInformation;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::actors::{Echo, Wire, spawn};
use crate::cluster::{Cluster, ask, join, member, wait_members};
use crate::dialer::{Cue, Dialer, PATIENCE};
use crate::report::{Checked, Report};

/// The actor that the dialer meets.
pub struct Host {
    actor: ActorCell,
    pub heard: UnboundedReceiver<String>,
}

impl Host {
    pub async fn start() -> Result<Self, String> {
        let (sender, heard) = unbounded_channel();
        let actor = spawn(Some("echo"), Echo(sender)).await?;
        join("echo", actor.clone());
        Ok(Self { actor, heard })
    }

    pub async fn stop(self) -> Checked {
        stop(&self.actor).await
    }
}

pub async fn stop(actor: &ActorCell) -> Checked {
    let stopped = actor.stop_and_wait(None, Some(PATIENCE)).await;
    stopped.map_err(|error| error.to_string())
}

/// The dialer's half, after it has connected; returns the session that was.
pub async fn visit(
    report: &mut Report,
    cluster: &mut Cluster,
    cue: &mut Cue,
    peer_addr: &str,
) -> Result<NodeServerSessionInformation, String> {
    let session = cluster.ready().await?;
    report.same("is server", session.is_server, false)?;
    report.holds("peer address", session.peer_addr == peer_addr)?;
    let echo = member::<Wire>("echo").await?;
    report.holds("node id", echo.get_id().node() == session.node_id)?;
    let length = ask(&echo, |port| Wire::Length("潮目".into(), port)).await?;
    report.same("call", length, 6)?;
    cue.point("met").await?;
    session.actor.stop(None);
    cluster.event("disconnected").await?;
    wait_members("echo", 0).await?;
    report.holds("no session left", cluster.sessions().await?.is_empty())?;
    cue.point("parted").await?;
    Ok(session)
}

/// The listener's half.
pub async fn host(
    report: &mut Report,
    cluster: &mut Cluster,
    dialer: &mut Dialer,
    is_address: impl Fn(&str) -> bool,
) -> Checked {
    dialer.at("met").await?;
    let session = cluster.ready().await?;
    report.same("is server", session.is_server, true)?;
    report.holds("peer address", is_address(&session.peer_addr))?;
    report.same("peers", cluster.peers().await?, vec![peer_name(&session)])?;
    dialer.go().await?;
    cluster.event("disconnected").await?;
    dialer.at("parted").await?;
    report.holds("no session left", cluster.sessions().await?.is_empty())?;
    dialer.go().await
}

pub fn peer_name(session: &NodeServerSessionInformation) -> String {
    session
        .peer_name
        .as_ref()
        .map(|peer| peer.name.clone())
        .unwrap_or_default()
}

pub fn is_loopback(address: &str) -> bool {
    address
        .parse::<std::net::SocketAddr>()
        .is_ok_and(|address| address.ip().is_loopback())
}

/// A listener of our own, for the connections that are handed to the node server by hand.
pub async fn own_listener() -> Result<(TcpListener, String), String> {
    let listener = TcpListener::bind((super::LOOPBACK, 0))
        .await
        .map_err(|e| e.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok((listener, address.to_string()))
}

pub async fn accept(listener: &TcpListener) -> Result<TcpStream, String> {
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    let accepted = accepted.map_err(|_| "nobody dialled")?;
    accepted
        .map(|(stream, _)| stream)
        .map_err(|error| error.to_string())
}
