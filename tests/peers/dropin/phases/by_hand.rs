//! Connections and sessions that the program makes itself.

use std::path::Path;

use ractor::Actor;
use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::{NodeServer, NodeServerMessage, NodeSession};

use crate::actors::Wire;
use crate::cluster::{
    COOKIE, Cluster, ask, is_authenticated, is_ready, member, wait, wait_members,
};
use crate::dialer::{Cue, Dialer, PATIENCE};
use crate::phases::round::{self, Host, accept, is_loopback, own_listener, peer_name};
use crate::phases::{LOOPBACK, free_port};
use crate::report::{Checked, Report};
use crate::streams::{self, raw};

const FRAME_LIMIT: u64 = 1024 * 1024;
/// A node id that the server does not give out in this program.
const NODE_ID: u64 = 77;

pub async fn listen(report: &mut Report, peer: &Path) -> Checked {
    report.scope("stream listen");
    let port = free_port()?;
    let mut cluster = Cluster::start(server("hand-listen", port)).await?;
    let host = Host::start().await?;
    let (listener, by_hand) = own_listener().await?;
    let address = format!("127.0.0.1:{port}");
    let mut dialer = Dialer::start(peer, "by-hand", &[&address, &by_hand]).await?;

    let stream = raw(accept(&listener).await?)?;
    report.holds("shown", !format!("{stream:?}").is_empty())?;
    let stream = Box::new(stream);
    let opened = NodeServerMessage::ConnectionOpened {
        stream,
        is_server: true,
    };
    cluster
        .server
        .cast(opened)
        .map_err(|error| error.to_string())?;
    round::host(report, &mut cluster, &mut dialer, is_loopback).await?;

    report.scope("session listen");
    dialer.at("session").await?;
    let session = cluster.ready().await?;
    report.same("peer", peer_name(&session), "hand@localhost".into())?;
    dialer.go().await?;
    let session = cluster.event("disconnected").await?;
    report.same("left", peer_name(&session), "hand@localhost".into())?;

    dialer.end(report).await?;
    host.stop().await?;
    cluster.stop().await
}

pub async fn dial(report: &mut Report, cue: &mut Cue) -> Checked {
    report.scope("stream dial");
    let address = cue.argument(0)?.to_owned();
    let by_hand = cue.argument(1)?.to_owned();
    let mut cluster = Cluster::start(server("hand-dial", free_port()?)).await?;

    let stream = Box::new(raw(streams::dial(&by_hand).await?)?);
    let opened = NodeServerMessage::ConnectionOpened {
        stream,
        is_server: false,
    };
    cluster
        .server
        .cast(opened)
        .map_err(|error| error.to_string())?;
    let earlier = round::visit(report, &mut cluster, cue, &by_hand).await?;

    report.scope("session dial");
    session(report, cue, &cluster, earlier, &address).await?;
    cluster.stop().await
}

/// A session without a node server that knows of it, under a name of its own.
///
/// The type of the name has no public path; an earlier session's peer has one.
async fn session(
    report: &mut Report,
    cue: &mut Cue,
    cluster: &Cluster,
    earlier: NodeServerSessionInformation,
    address: &str,
) -> Checked {
    let mut name = earlier.peer_name.ok_or("a session without a name")?;
    name.name = "hand@localhost".into();
    name.connection_string = "localhost:1".into();
    name.connection_id = 7;
    let server = cluster.server.clone();
    let mode = NodeConnectionMode::Isolated;
    let session = NodeSession::new(NODE_ID, false, COOKIE.into(), server, name, mode)
        .with_max_inbound_frame_size(FRAME_LIMIT);
    let stream = raw(streams::dial(address).await?)?;
    let (session, stopped) = Actor::spawn(None, session, stream)
        .await
        .map_err(|error| error.to_string())?;

    wait("authentication", async || is_authenticated(&session).await).await?;
    wait("readiness", async || is_ready(&session).await).await?;
    let echo = member::<Wire>("echo").await?;
    report.same("node id", echo.get_id().node(), NODE_ID)?;
    let length = ask(&echo, |port| Wire::Length("hand".into(), port)).await?;
    report.same("call", length, 4)?;
    report.holds(
        "unknown to the server",
        cluster.sessions().await?.is_empty(),
    )?;
    cue.point("session").await?;
    session.stop(None);
    let stopped = tokio::time::timeout(PATIENCE, stopped).await;
    report.holds("stopped", matches!(stopped, Ok(Ok(()))))?;
    wait_members("echo", 0).await
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
}
