//! What a peer tells of other nodes leads nobody onto a link that is not protected.

use shiome_transport::tls::ClientConfig;
use shiome_wire::control::{self, control_message::Msg};
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::support::{
    RawPeer, name_of,
    tls::{Authority, dial},
};

/// The first byte of a TLS connection (RFC 8446 §5.1: a record of the handshake).
const HANDSHAKE_RECORD: u8 = 22;

#[tokio::test]
async fn nodes_that_a_peer_tells_of_are_dialled_over_tls_or_not_at_all() {
    let authority = Authority::new();
    let a = authority.node("led-a").await;
    let config = ClientConfig::new(&authority.credentials("led-peer@raw")).unwrap();
    let mut peer = RawPeer::over(dial(&config, &a).await);
    peer.authenticate("led-peer").await;
    peer.expect(|message| match message.into_control()? {
        Msg::EnumerateNodeSessions(_) => Some(()),
        _ => None,
    })
    .await;

    let bait = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    bait.set_nonblocking(true).unwrap();
    let bait_at = bait.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("bait");
    let unix_bait = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    unix_bait.set_nonblocking(true).unwrap();
    let dialled = TcpListener::bind("127.0.0.1:0").await.unwrap();

    // Those that must not be dialled come first: when the last has been, they would have been too.
    let sessions = [
        format!("tcp://{bait_at}"),
        format!("ws://{bait_at}/"),
        format!("unix:{}", socket.display()),
        dialled.local_addr().unwrap().to_string(),
    ];
    let sessions = sessions.into_iter().enumerate().map(|(n, address)| {
        let mut name = name_of(&format!("led-{n}"));
        name.connection_string = address;
        name
    });
    let sessions = sessions.collect();
    peer.send(control::NodeSessions { sessions }).await;
    let (mut stream, _) = dialled.accept().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), HANDSHAKE_RECORD);
    peer.ping(1).await;
    let nobody = std::io::ErrorKind::WouldBlock;
    assert_eq!(bait.accept().unwrap_err().kind(), nobody);
    assert_eq!(unix_bait.accept().unwrap_err().kind(), nobody);
}
