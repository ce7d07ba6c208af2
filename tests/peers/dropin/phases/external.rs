//! Streams of the user's own make.

use std::path::Path;

use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{NodeServer, NodeServerMessage, client_connect_external};

use crate::actors::Wire;
use crate::cluster::{COOKIE, Cluster, member};
use crate::dialer::{Cue, Dialer};
use crate::phases::LOOPBACK;
use crate::phases::raw::check_session;
use crate::phases::round::{self, Host, accept, own_listener};
use crate::report::{Checked, Report};
use crate::streams::{Pipe, Unlabelled, dial as dial_raw};

pub async fn listen(report: &mut Report, peer: &Path) -> Checked {
    report.scope("external listen");
    let mut cluster = Cluster::start(server("alpha")).await?;
    let host = Host::start().await?;
    let (listener, address) = own_listener().await?;
    let mut dialer = Dialer::start(peer, "external", &[&address]).await?;

    let stream = Box::new(Pipe::over(accept(&listener).await?, Some("pipe")));
    let opened = NodeServerMessage::ConnectionOpenedExternal {
        stream,
        is_server: true,
    };
    cluster
        .server
        .cast(opened)
        .map_err(|error| error.to_string())?;
    round::host(report, &mut cluster, &mut dialer, |address| {
        address == "pipe"
    })
    .await?;

    report.scope("external stream listen");
    let stream = Pipe::over(accept(&listener).await?, Some("tube")).into_network_stream();
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
    // Opened as a network stream, it goes by its label or by the address that it does not have.
    round::host(report, &mut cluster, &mut dialer, |address| {
        ["tube", "0.0.0.0:0"].contains(&address)
    })
    .await?;

    dialer.end(report).await?;
    host.stop().await?;
    cluster.stop().await
}

pub async fn dial(report: &mut Report, cue: &mut Cue) -> Checked {
    report.scope("external dial");
    let address = cue.argument(0)?.to_owned();
    let mut cluster = Cluster::start(server("zeta")).await?;

    let stream = Box::new(Unlabelled(Pipe::over(dial_raw(&address).await?, None)));
    client_connect_external(&cluster.server, stream)
        .await
        .map_err(|error| error.to_string())?;
    member::<Wire>("echo").await?;
    // The name of the peer sorts before ours, so that our connection would win.
    check_session(report, &cluster, "ThisConnectionContinues").await?;
    round::visit(report, &mut cluster, cue, "external").await?;

    report.scope("external stream dial");
    let stream = Box::new(Pipe::over(dial_raw(&address).await?, Some("tunnel")));
    let opened = NodeServerMessage::ConnectionOpenedExternal {
        stream,
        is_server: false,
    };
    cluster
        .server
        .cast(opened)
        .map_err(|error| error.to_string())?;
    round::visit(report, &mut cluster, cue, "tunnel").await?;
    cluster.stop().await
}

fn server(name: &str) -> NodeServer {
    let mode = Some(NodeConnectionMode::Isolated);
    NodeServer::new(
        0,
        COOKIE.into(),
        name.into(),
        "localhost".into(),
        None,
        mode,
    )
    .with_listen_addr(LOOPBACK)
}
