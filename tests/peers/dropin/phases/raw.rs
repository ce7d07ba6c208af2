//! Plain TCP, and all that can be done with a session.

mod heard;
mod intruders;
mod messages;
mod registry;

pub use registry::check as check_session;

use std::path::Path;

use ractor::pg;
use ractor_cluster::node::{NodeServerSessionInformation, client};
use ractor_cluster::{NodeServer, NodeServerMessage, client_connect};

use crate::actors::{Echo, Wire, spawn};
use crate::cluster::{
    COOKIE, Cluster, ask, is_authenticated, is_ready, join, member, subscribe, wait, wait_members,
};
use crate::dialer::{Cue, Dialer};
use crate::phases::round::{Host, is_loopback, peer_name};
use crate::phases::{LOOPBACK, free_port};
use crate::report::{Checked, Report};

/// Small enough to be exceeded without effort.
const FRAME_LIMIT: u64 = 1024 * 1024;
const OTHER_PORT: u16 = 4242;

pub async fn listen(report: &mut Report, peer: &Path) -> Checked {
    report.scope("raw listen");
    let port = free_port()?;
    let mut cluster = Cluster::start(server("listen", port)).await?;
    let host = Host::start().await?;
    let mut audience = heard::Audience::start(host).await?;
    let mut second = subscribe(&cluster.server, "second")?;
    let mut dialer = Dialer::start(peer, "raw", &[&port.to_string()]).await?;

    dialer.at("ready").await?;
    let session = cluster.ready().await?;
    report.same("is server", session.is_server, true)?;
    report.holds("peer address", is_loopback(&session.peer_addr))?;
    described(report, &cluster, &session, "dial@localhost").await?;
    let back = member::<Wire>("back").await?;
    report.same(
        "call back",
        ask(&back, |port| Wire::Length("ab".into(), port)).await?,
        2,
    )?;
    dialer.go().await?;

    dialer.at("sent").await?;
    audience.heard(report).await?;
    audience.leave().await?;
    dialer.go().await?;

    dialer.at("registry").await?;
    registry::as_acceptor(report, &cluster).await?;
    dialer.go().await?;

    dialer.at("doubled").await?;
    settled(report, &mut cluster).await?;
    let mut kinds = Vec::new();
    while let Ok((kind, _)) = second.try_recv() {
        kinds.push(kind);
    }
    report.same(
        "second subscription",
        kinds.get(..3),
        Some(&["opened", "authenticated", "ready"]),
    )?;
    cluster.events = subscribe(&cluster.server, "later")?;
    send(
        &cluster,
        NodeServerMessage::UnsubscribeToEvents("all".into()),
    )?;
    send(
        &cluster,
        NodeServerMessage::UnsubscribeToEvents("second".into()),
    )?;
    send(
        &cluster,
        NodeServerMessage::PortChanged { port: OTHER_PORT },
    )?;
    report.same("sessions", cluster.sessions().await?.len(), 1)?;
    while second.try_recv().is_ok() {}
    dialer.go().await?;

    dialer.at("stopped").await?;
    cluster.event("disconnected").await?;
    report.holds("no session left", cluster.sessions().await?.is_empty())?;
    wait_members("back", 0).await?;
    dialer.go().await?;

    dialer.at("again").await?;
    let session = cluster.ready().await?;
    described(report, &cluster, &session, "dial@localhost").await?;
    report.holds("unsubscribed", second.try_recv().is_err())?;
    dialer.go().await?;

    for intruder in ["wrong cookie", "oversized frame"] {
        dialer.at(intruder).await?;
        cluster.event("opened").await?;
        cluster.event("disconnected").await?;
        report.same(
            intruder,
            cluster.peers().await?,
            vec!["dial@localhost".into()],
        )?;
        dialer.go().await?;
    }

    dialer.end(report).await?;
    let session = cluster.event("disconnected").await?;
    report.same("left", peer_name(&session), "dial@localhost".into())?;
    audience.stop().await?;
    cluster.stop().await
}

pub async fn dial(report: &mut Report, cue: &mut Cue) -> Checked {
    report.scope("raw dial");
    let remote_port = cue.argument(0)?.to_owned();
    let address = format!("127.0.0.1:{remote_port}");
    let own_port = free_port()?;
    let mut cluster = Cluster::start(server("dial", own_port)).await?;
    let (sender, _heard) = tokio::sync::mpsc::unbounded_channel();
    join("back", spawn(Some("back"), Echo(sender)).await?);

    client_connect(&cluster.server, &address)
        .await
        .map_err(|error| error.to_string())?;
    let session = cluster.ready().await?;
    report.same("is server", session.is_server, false)?;
    report.holds("peer address", session.peer_addr == address)?;
    described(report, &cluster, &session, "listen@localhost").await?;
    cue.point("ready").await?;

    messages::exchange(report, &session).await?;
    cue.point("sent").await?;
    wait_members("text", 0).await?;
    wait_members("reading", 0).await?;
    report.holds(
        "others stay",
        member::<Wire>("echo").await?.get_id().node() == session.node_id,
    )?;

    registry::as_initiator(report, &cluster).await?;
    cue.point("registry").await?;

    client_connect(&cluster.server, &address)
        .await
        .map_err(|error| error.to_string())?;
    settled(report, &mut cluster).await?;
    cue.point("doubled").await?;

    cluster.events = subscribe(&cluster.server, "later")?;
    cluster.session().await?.actor.stop(None);
    let session = cluster.event("disconnected").await?;
    report.same("left", peer_name(&session), "listen@localhost".into())?;
    report.holds("no session left", cluster.sessions().await?.is_empty())?;
    wait_members("echo", 0).await?;
    cue.point("stopped").await?;

    client::connect(&cluster.server, &address)
        .await
        .map_err(|error| error.to_string())?;
    let session = cluster.ready().await?;
    let peer = session
        .peer_name
        .as_ref()
        .map(|peer| peer.connection_string.clone());
    report.same(
        "changed port",
        peer,
        Some(format!("localhost:{OTHER_PORT}")),
    )?;
    described(report, &cluster, &session, "listen@localhost").await?;
    cue.point("again").await?;

    intruders::wrong_cookie(report, &address).await?;
    cue.point("wrong cookie").await?;
    intruders::oversized_frame(report, &address, FRAME_LIMIT).await?;
    cue.point("oversized frame").await?;
    intruders::itself(report, &mut cluster, own_port).await?;
    cluster.stop().await
}

fn server(name: &str, port: u16) -> NodeServer {
    NodeServer::new(
        port,
        COOKIE.into(),
        name.into(),
        "localhost".into(),
        None,
        None,
    )
    .with_listen_addr(LOOPBACK)
    .with_max_inbound_frame_size(FRAME_LIMIT)
}

fn send(cluster: &Cluster, message: NodeServerMessage) -> Checked {
    cluster
        .server
        .cast(message)
        .map_err(|error| error.to_string())
}

/// What the list of sessions, the event and the session itself say must agree.
async fn described(
    report: &mut Report,
    cluster: &Cluster,
    event: &NodeServerSessionInformation,
    name: &str,
) -> Checked {
    let session = cluster.session().await?;
    report.holds("actor", session.actor.get_id() == event.actor.get_id())?;
    report.holds("node id", session.node_id == event.node_id)?;
    report.holds("same address", session.peer_addr == event.peer_addr)?;
    report.holds("same side", session.is_server == event.is_server)?;
    let peer = session
        .peer_name
        .clone()
        .ok_or("a session without a name")?;
    report.same("name", peer.name.as_str(), name)?;
    report.holds("host", peer.connection_string.starts_with("localhost:"))?;
    report.same(
        "version",
        peer.flags.as_ref().map(|flags| flags.version),
        Some(1),
    )?;
    // The number belongs to the connection, not to the peer.
    report.same("connection number", peer.connection_id, 0)?;
    report.holds("authenticated", is_authenticated(&session.actor).await?)?;
    report.holds("ready", is_ready(&session.actor).await?)
}

/// After a second connection between the same nodes one of the two is given up.
async fn settled(report: &mut Report, cluster: &mut Cluster) -> Checked {
    while cluster.next_event().await? != "disconnected" {}
    wait("one ready session", async || {
        Ok(match cluster.session().await {
            Ok(session) => is_ready(&session.actor).await.unwrap_or(false),
            Err(_) => false,
        })
    })
    .await?;
    report.same("sessions of one pair", cluster.sessions().await?.len(), 1)
}

fn leave(group: &str, actor: ractor::ActorCell) {
    pg::leave_scoped(crate::cluster::SCOPE.into(), group.into(), vec![actor]);
}
