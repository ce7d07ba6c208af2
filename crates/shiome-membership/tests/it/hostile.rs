use std::{io::ErrorKind, net::UdpSocket, time::Duration};

use shiome_membership::{Builder, DriverStats, Key, Keyring};

use crate::support::{Node, V4, any_port, builder, cluster, eventually, talk};

const ROUNDS: u64 = 300;

fn attacker() -> UdpSocket {
    let socket = UdpSocket::bind(any_port(V4)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Sends each datagram many times, and waits until the counts say that the target has dropped them.
async fn storm(
    socket: &UdpSocket,
    target: &Node,
    datagrams: &[Vec<u8>],
    dropped: impl Fn(&Node) -> u64,
) {
    for round in 1..=ROUNDS {
        let before = dropped(target);
        for datagram in datagrams {
            socket.send_to(datagram, target.addr()).unwrap();
        }
        // In step, so that none is lost to the target's full socket and all are seen.
        eventually(|| dropped(target) >= before + datagrams.len() as u64).await;
        assert!(target.membership.members().len() == 2, "round {round}");
    }
}

fn was_not_answered(socket: &UdpSocket) {
    let error = socket.recv_from(&mut [0; 64]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

fn is_whole(nodes: &mut [Node]) {
    for node in nodes {
        assert_eq!(node.membership.members().len(), 2);
        assert_eq!(node.downs(), []);
    }
}

/// What does not decode, and what is said by nobody.
fn garbage() -> Vec<Vec<u8>> {
    let mut datagrams = vec![
        vec![],
        vec![0],
        vec![0x80; 60],
        vec![0xff; 1400],
        vec![0; 60_000],
    ];
    for tag in [1, 2, 3, 5, 6, 0x40, 0x41, 0x42, 0x43, 0x45] {
        datagrams.push(vec![tag]);
        datagrams.push(vec![tag; 20]);
    }
    datagrams
}

#[tokio::test]
async fn a_storm_of_garbage_does_not_shake_the_cluster() {
    let mut nodes = cluster(3, |_| builder()).await;
    let socket = attacker();
    storm(&socket, &nodes[0], &garbage(), |node| {
        let stats = node.stats();
        stats.driver.rejected_encrypted
            + stats.engine.malformed
            + stats.engine.wrong_cluster
            + stats.engine.unknown_sender
            + stats.engine.unexpected_ack
    })
    .await;
    talk(&nodes).await;
    was_not_answered(&socket);
    is_whole(&mut nodes);
}

/// One datagram that a node with these keys sends.
async fn recorded(builder: Builder) -> Vec<u8> {
    let socket = UdpSocket::bind(any_port(V4)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let node = Node::start(builder.seed(socket.local_addr().unwrap())).await;
    let received = tokio::task::spawn_blocking(move || {
        let mut buf = vec![0; 2048];
        let (len, _) = socket.recv_from(&mut buf).unwrap();
        buf.truncate(len);
        buf
    });
    let datagram = received.await.unwrap();
    node.membership.stop().await;
    datagram
}

#[tokio::test]
async fn a_storm_of_forgeries_does_not_shake_an_encrypted_cluster() {
    let key = Key::random();
    let encrypted = || builder().security(Keyring::new(&key));
    let mut nodes = cluster(3, |_| encrypted()).await;
    let target = |nodes: &[Node]| nodes[0].stats().driver;

    let true_one = recorded(encrypted()).await;
    let change = |index: usize| {
        let mut datagram = true_one.clone();
        datagram[index] ^= 1;
        datagram
    };
    let last = true_one.len() - 1;
    let forgeries = vec![
        change(0),
        change(1),
        change(2),
        change(4),
        change(30),
        change(last),
        true_one[..last].to_vec(),
        true_one[..40].to_vec(),
        [&true_one[..], &[0; 60_000]].concat(),
        recorded(builder()).await,
        recorded(builder().security(Keyring::new(&Key::random()))).await,
        recorded(encrypted().cluster("others")).await,
    ];
    let socket = attacker();
    let count = |driver: DriverStats| {
        driver.rejected_truncated
            + driver.rejected_plaintext
            + driver.rejected_unknown_version
            + driver.rejected_wrong_cluster
            + driver.rejected_unknown_key
            + driver.rejected_forged
    };
    storm(&socket, &nodes[0], &forgeries, |node| {
        count(node.stats().driver)
    })
    .await;
    let driver = target(&nodes);
    for (expected, found) in [
        (1, driver.rejected_truncated),
        (2, driver.rejected_plaintext),
        (1, driver.rejected_unknown_version),
        (2, driver.rejected_wrong_cluster),
        (2, driver.rejected_unknown_key),
        (4, driver.rejected_forged),
    ] {
        assert_eq!(found, expected * ROUNDS, "{driver:?}");
    }
    was_not_answered(&socket);
    talk(&nodes).await;
    is_whole(&mut nodes);
}

/// What a newcomer said first to the first node, which heard it, and which has left since.
async fn overheard(nodes: &mut [Node], newcomer: Builder) -> Vec<u8> {
    let relay = UdpSocket::bind(any_port(V4)).unwrap();
    relay
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let newcomer = Node::start(newcomer.seed(relay.local_addr().unwrap())).await;
    let target = nodes[0].addr();
    let overheard = tokio::task::spawn_blocking(move || {
        let mut buf = vec![0; 2048];
        let (len, _) = relay.recv_from(&mut buf).unwrap();
        buf.truncate(len);
        relay.send_to(&buf, target).unwrap();
        buf
    });
    let overheard = overheard.await.unwrap();
    nodes[0].until_members(3).await;
    newcomer.membership.leave().await;
    for node in nodes {
        node.until_members(2).await;
        assert!(node.downs().iter().all(|id| *id == newcomer.id()));
        node.heard.clear();
    }
    overheard
}

#[tokio::test]
async fn a_storm_of_replays_does_not_bring_anybody_back() {
    let key = Key::random();
    let encrypted = || builder().security(Keyring::new(&key));
    let mut nodes = cluster(3, |_| encrypted()).await;
    let recording = overheard(&mut nodes, encrypted()).await;
    let replayed = |node: &Node| node.stats().driver.rejected_replayed;
    let before = replayed(&nodes[0]);
    let socket = attacker();
    storm(&socket, &nodes[0], &[recording], replayed).await;
    assert_eq!(replayed(&nodes[0]), before + ROUNDS);
    talk(&nodes).await;
    was_not_answered(&socket);
    is_whole(&mut nodes);
}
