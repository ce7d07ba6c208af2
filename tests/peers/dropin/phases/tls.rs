//! TLS, by the node server's own means and with streams that were made by hand.

use std::path::Path;

use ractor_cluster::node::client;
use ractor_cluster::{
    ClientConnectErr, IncomingEncryptionMode, NetworkStream, NodeServer, NodeServerMessage,
    client_connect, client_connect_enc,
};

use crate::cluster::{COOKIE, Cluster};
use crate::dialer::{Cue, Dialer};
use crate::phases::round::{self, Host, accept, is_loopback, own_listener};
use crate::phases::{LOOPBACK, free_port};
use crate::report::{Checked, Report};
use crate::streams::{addresses, dial as dial_raw};
use crate::tls::{acceptor, connector, server_name};

pub async fn listen(report: &mut Report, peer: &Path) -> Checked {
    report.scope("tls listen");
    let (acceptor, certificate) = acceptor()?;
    let port = free_port()?;
    let encryption = IncomingEncryptionMode::Tls(acceptor.clone());
    let mut cluster = Cluster::start(server("tls-listen", port, Some(encryption.clone()))).await?;
    let host = Host::start().await?;
    let (by_hand, by_hand_address) = own_listener().await?;
    let address = format!("127.0.0.1:{port}");
    let mut dialer =
        Dialer::start(peer, "tls", &[&address, &by_hand_address, &certificate]).await?;

    report.holds("mode", matches!(encryption, IncomingEncryptionMode::Tls(_)))?;
    round::host(report, &mut cluster, &mut dialer, is_loopback).await?;

    report.scope("tls stream listen");
    let stream = accept(&by_hand).await?;
    let (peer_addr, local_addr) = addresses(&stream)?;
    let stream = acceptor
        .accept(stream)
        .await
        .map_err(|error| error.to_string())?;
    let stream = Box::new(NetworkStream::TlsServer {
        peer_addr,
        local_addr,
        stream,
    });
    report.holds("shown", !format!("{stream:?}").is_empty())?;
    let opened = NodeServerMessage::ConnectionOpened {
        stream,
        is_server: true,
    };
    cluster
        .server
        .cast(opened)
        .map_err(|error| error.to_string())?;
    round::host(report, &mut cluster, &mut dialer, is_loopback).await?;

    dialer.end(report).await?;
    report.holds("no session", cluster.sessions().await?.is_empty())?;
    host.stop().await?;
    cluster.stop().await
}

pub async fn dial(report: &mut Report, cue: &mut Cue) -> Checked {
    report.scope("tls dial");
    let address = cue.argument(0)?.to_owned();
    let by_hand = cue.argument(1)?.to_owned();
    let connector = connector(cue.argument(2)?)?;
    let mut cluster = Cluster::start(server("tls-dial", free_port()?, None)).await?;
    let name = server_name("localhost");

    client_connect_enc(&cluster.server, &address, connector.clone(), name.clone())
        .await
        .map_err(|error| error.to_string())?;
    round::visit(report, &mut cluster, cue, &address).await?;

    report.scope("tls stream dial");
    let stream = dial_raw(&by_hand).await?;
    let (peer_addr, local_addr) = addresses(&stream)?;
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|error| error.to_string())?;
    let stream = Box::new(NetworkStream::TlsClient {
        peer_addr,
        local_addr,
        stream,
    });
    let opened = NodeServerMessage::ConnectionOpened {
        stream,
        is_server: false,
    };
    cluster
        .server
        .cast(opened)
        .map_err(|error| error.to_string())?;
    round::visit(report, &mut cluster, cue, &by_hand).await?;

    report.scope("tls failures");
    let wrong = server_name("elsewhere");
    let refused = client::connect_enc(&cluster.server, &address, connector, wrong).await;
    report.holds(
        "wrong name",
        matches!(refused, Err(ClientConnectErr::Encryption(_))),
    )?;
    // A plain connection to a TLS port opens, but never gets anywhere.
    client_connect(&cluster.server, &address)
        .await
        .map_err(|error| error.to_string())?;
    cluster.event("opened").await?;
    cluster.event("disconnected").await?;
    report.holds("plain", cluster.sessions().await?.is_empty())?;
    let nobody = ("127.0.0.1", free_port()?);
    let refused = client_connect(&cluster.server, nobody).await;
    report.holds(
        "nobody there",
        matches!(refused, Err(ClientConnectErr::Socket(_))),
    )?;
    let server = cluster.server.clone();
    cluster.stop().await?;
    let refused = client_connect(&server, &address).await;
    report.holds(
        "stopped server",
        matches!(refused, Err(ClientConnectErr::Messaging(_))),
    )
}

fn server(name: &str, port: u16, encryption: Option<IncomingEncryptionMode>) -> NodeServer {
    let encryption = encryption.or(Some(IncomingEncryptionMode::Raw));
    NodeServer::new(
        port,
        COOKIE.into(),
        name.into(),
        "localhost".into(),
        encryption,
        None,
    )
    .with_listen_addr(LOOPBACK)
}
