//! Three processes: two know the address of the third one only, and find each other.

use std::path::Path;

use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{NodeServer, client_connect};

use crate::cluster::{COOKIE, Cluster, wait};
use crate::dialer::{Cue, Dialer};
use crate::phases::{LOOPBACK, free_port};
use crate::report::{Checked, Report};

pub async fn listen(report: &mut Report, peer: &Path) -> Checked {
    report.scope("transitive hub");
    let port = free_port()?;
    let cluster = Cluster::start(server("hub", port)).await?;
    let address = format!("127.0.0.1:{port}");
    let mut left = Dialer::start(peer, "transitive", &[&address, "left", "right"]).await?;
    left.at("connected").await?;
    let mut right = Dialer::start(peer, "transitive", &[&address, "right", "left"]).await?;
    right.at("connected").await?;
    left.go().await?;
    right.go().await?;
    left.at("meshed").await?;
    right.at("meshed").await?;
    report.same("peers", cluster.peers().await?, names(&["left", "right"]))?;
    left.go().await?;
    right.go().await?;
    left.end(report).await?;
    right.end(report).await?;
    cluster.stop().await
}

pub async fn dial(report: &mut Report, cue: &mut Cue) -> Checked {
    let hub = cue.argument(0)?.to_owned();
    let (own, other) = (cue.argument(1)?.to_owned(), cue.argument(2)?.to_owned());
    report.scope(format!("transitive {own}"));
    // The port is found by the system; the others learn it from the connection string.
    let mut cluster = Cluster::start(server(&own, 0)).await?;
    client_connect(&cluster.server, &hub)
        .await
        .map_err(|error| error.to_string())?;
    // The hub may have told of the third node, and that been dialled, before the hub is ready.
    while cluster.next_event().await? != "ready" {}
    cue.point("connected").await?;
    let peers = names(&["hub", &other]);
    wait("the mesh", async || Ok(cluster.peers().await? == peers)).await?;
    report.same("peers", cluster.peers().await?, peers)?;
    let strings = cluster
        .sessions()
        .await?
        .into_iter()
        .filter_map(|session| session.peer_name);
    let open = strings
        .filter(|peer| peer.connection_string.ends_with(":0"))
        .count();
    report.same("peers without a port", open, 0)?;
    cue.point("meshed").await?;
    cluster.stop().await
}

fn server(name: &str, port: u16) -> NodeServer {
    let mode = Some(NodeConnectionMode::Transitive);
    NodeServer::new(
        port,
        COOKIE.into(),
        name.into(),
        "127.0.0.1".into(),
        None,
        mode,
    )
    .with_listen_addr(LOOPBACK)
}

fn names(names: &[&str]) -> Vec<String> {
    names
        .iter()
        .map(|name| format!("{name}@127.0.0.1"))
        .collect()
}
