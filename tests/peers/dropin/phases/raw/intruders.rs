//! Connections that must come to nothing.

use ractor_cluster::{NodeServer, client_connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::dialer::PATIENCE;
use crate::phases::LOOPBACK;
use crate::report::{Checked, Report};
use crate::streams;

pub async fn wrong_cookie(report: &mut Report, address: &str) -> Checked {
    let cookie = "another cookie".into();
    let server = NodeServer::new(0, cookie, "stranger".into(), "localhost".into(), None, None);
    let mut stranger = Cluster::start(server.with_listen_addr(LOOPBACK)).await?;
    client_connect(&stranger.server, address)
        .await
        .map_err(|error| error.to_string())?;
    stranger.event("opened").await?;
    stranger.event("disconnected").await?;
    report.holds("wrong cookie", stranger.sessions().await?.is_empty())?;
    stranger.stop().await
}

/// A length above the limit ends the connection before a byte of the body.
pub async fn oversized_frame(report: &mut Report, address: &str, limit: u64) -> Checked {
    let mut socket = streams::dial(address).await?;
    let length = (limit + 1).to_be_bytes();
    socket
        .write_all(&length)
        .await
        .map_err(|error| error.to_string())?;
    let end = timeout(PATIENCE, socket.read(&mut [0])).await;
    // A reset is an end as well.
    report.holds("oversized frame", matches!(end, Ok(Ok(0) | Err(_))))
}

pub async fn itself(report: &mut Report, cluster: &mut Cluster, port: u16) -> Checked {
    let address = (LOOPBACK, port);
    client_connect(&cluster.server, address)
        .await
        .map_err(|error| error.to_string())?;
    let mut events = Vec::new();
    while events
        .iter()
        .filter(|event| **event == "disconnected")
        .count()
        < 2
    {
        events.push(cluster.next_event().await?);
    }
    events.sort_unstable();
    report.same(
        "itself",
        events,
        vec!["disconnected", "disconnected", "opened", "opened"],
    )?;
    report.same(
        "peers",
        cluster.peers().await?,
        vec!["listen@localhost".into()],
    )
}
