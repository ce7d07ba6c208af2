//! Addresses that a node keeps connected to. They are dialled over real sockets, in real time.

use std::{error::Error as _, net::SocketAddr, time::Duration};

use shiome_ractor::{
    BuildError, Connection, ConnectionEnd, ConnectionState, Events, KeepError,
    MAX_KEPT_CONNECTIONS, Node, NodeEvent, Reconnect,
};
use shiome_transport::{
    Address, BoxFuture, Connector, Link, Links, Policy, Scheme, Security, TransportError,
};
use tokio::net::{TcpListener, TcpSocket};

use super::{
    sessions::accept,
    support::{COOKIE, RawPeer, name_of},
};

async fn start(name: &str) -> Node {
    let address = format!("{name}@127.0.0.1:0");
    Node::builder(address).cookie(COOKIE).start().await.unwrap()
}

/// Dials again within 20 ms.
fn quick() -> Reconnect {
    let mut reconnect = Reconnect::default();
    reconnect.first = Duration::from_millis(10);
    reconnect.longest = Duration::from_millis(20);
    reconnect
}

/// A port that is taken, and refuses whoever dials it until it listens.
fn deaf() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Takes the next dial, and plays the node there.
async fn serve(listener: &TcpListener, name: &str) -> RawPeer {
    let (stream, _) = listener.accept().await.unwrap();
    let mut peer = RawPeer::over(stream);
    accept(&mut peer, name).await;
    peer.synchronise().await;
    peer
}

/// Waits until a dial of `address` has failed; the number of the next one.
async fn reconnecting(events: &mut Events, at: SocketAddr) -> u32 {
    loop {
        match events.next().await.expect("the node runs") {
            NodeEvent::Reconnecting {
                address, attempt, ..
            } if address == at.to_string() => return attempt,
            _ => {}
        }
    }
}

/// Lets the node dial another address so often that it would have dialled any that it still wants.
async fn time_for_other_dials(node: &Node) {
    let (_socket, at) = deaf();
    let mut events = node.events();
    let other = node.keep_connected_with(at, quick()).unwrap();
    while reconnecting(&mut events, at).await < 20 {}
    other.cancel();
}

async fn nobody_dials(listener: &TcpListener) {
    tokio::select! {
        biased;
        _ = listener.accept() => panic!("nobody is to dial"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn a_peer_that_comes_later_or_comes_back_is_connected() {
    let node = start("kept").await;
    let (socket, at) = deaf();
    let mut events = node.events();
    let connection = node.keep_connected_with(at, quick()).unwrap();
    while reconnecting(&mut events, at).await < 3 {}
    assert!(matches!(
        connection.state(),
        ConnectionState::Connecting { attempt: 3.., next_in } if next_in <= Duration::from_millis(20)
    ));

    let listener = socket.listen(8).unwrap();
    for _ in 0..3 {
        let (peer, session) = tokio::join!(serve(&listener, "keptpeer"), connection.connected());
        let session = session.unwrap();
        assert_eq!(session.name, "keptpeer@raw");
        assert!(!session.is_server);
        assert!(matches!(connection.state(), ConnectionState::Connected(_)));
        time_for_other_dials(&node).await;
        nobody_dials(&listener).await;
        drop(peer);
        reconnecting(&mut events, at).await;
    }
    node.stop().await;
    assert!(ended(&connection, |end| matches!(
        end,
        ConnectionEnd::Stopped
    )));
    nobody_dials(&listener).await;
}

fn ended(connection: &Connection, how: impl Fn(&ConnectionEnd) -> bool) -> bool {
    match connection.state() {
        ConnectionState::Ended(end) => how(&end),
        _ => false,
    }
}

#[tokio::test]
async fn who_gives_up_says_so_once() {
    let node = start("gives-up").await;
    let (_socket, at) = deaf();
    let mut events = node.events();
    let mut reconnect = quick();
    reconnect.max_attempts = Some(3);
    let connection = node.keep_connected_with(at, reconnect.clone()).unwrap();
    let end = connection.connected().await.unwrap_err();
    assert_eq!(end.to_string(), "gave up after 3 dials");
    time_for_other_dials(&node).await;

    // A new start is a new count.
    let again = node.keep_connected_with(at, reconnect).unwrap();
    let end = again.connected().await.unwrap_err();
    assert!(matches!(end, ConnectionEnd::GaveUp { attempts: 3, .. }));
    assert!(ended(&connection, |end| matches!(
        end,
        ConnectionEnd::GaveUp { .. }
    )));
    node.stop().await;
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            NodeEvent::Reconnecting {
                address, attempt, ..
            } if address == at.to_string() => told.push(attempt),
            NodeEvent::GaveUp {
                address, attempts, ..
            } if address == at.to_string() => told.push(attempts * 100),
            _ => {}
        }
    }
    assert_eq!(told, [2, 3, 300, 2, 3, 300]);
}

#[tokio::test]
async fn who_is_cancelled_does_not_dial() {
    let node = start("cancelled").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut events = node.events();
    let connection = node.keep_connected_with(at, quick()).unwrap();
    // A dial that fails is followed by another.
    drop(listener.accept().await.unwrap());
    reconnecting(&mut events, at).await;
    let mut peer = serve(&listener, "cancelledpeer").await;
    connection.connected().await.unwrap();

    connection.clone().cancel();
    assert!(ended(&connection, |end| matches!(
        end,
        ConnectionEnd::Cancelled
    )));
    let end = connection.connected().await.unwrap_err();
    assert!(matches!(end, ConnectionEnd::Cancelled));
    peer.ping(1).await;
    drop(peer);
    loop {
        if let NodeEvent::Disconnected(session) = events.next().await.unwrap()
            && session.name == "cancelledpeer@raw"
        {
            break;
        }
    }
    time_for_other_dials(&node).await;
    nobody_dials(&listener).await;
    node.stop().await;
}

#[tokio::test]
async fn who_has_dialled_is_not_dialled() {
    let node = start("dialled").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut name = name_of("dialledpeer");
    name.connection_string = at.to_string();
    let mut peer = RawPeer::dial(node.server());
    peer.authenticate_as(name).await;
    peer.synchronise().await;
    peer.ping(1).await;

    let connection = node.keep_connected_with(at, quick()).unwrap();
    let session = connection.connected().await.unwrap();
    assert!(session.is_server);
    time_for_other_dials(&node).await;
    // Only when that session has ended.
    nobody_dials(&listener).await;
    drop(peer);
    serve(&listener, "dialledpeer").await;
    node.stop().await;
}

#[tokio::test]
async fn two_nodes_that_keep_each_other_have_one_session_and_find_each_other_again() {
    let a = start("each-a").await;
    let at_a = a.local_addr();
    // At an address of its own, so that its port is nobody else's while it is away.
    let b = Node::builder("each-b@127.0.79.1:0").cookie(COOKIE);
    let b = b.start().await.unwrap();
    let at_b = b.local_addr();
    let mut events = a.events();
    let of_a = a.keep_connected_with(at_b, quick()).unwrap();
    let of_b = b.keep_connected_with(at_a, quick()).unwrap();
    of_b.connected().await.unwrap();
    of_a.connected().await.unwrap();
    time_for_other_dials(&a).await;
    assert_eq!(a.sessions().await.unwrap().len(), 1);
    assert_eq!(b.sessions().await.unwrap().len(), 1);

    b.stop().await;
    reconnecting(&mut events, at_b).await;
    let address = format!("each-b@{at_b}");
    let b = Node::builder(address)
        .cookie(COOKIE)
        .peers([at_a, at_b])
        .start()
        .await
        .unwrap();
    assert_eq!(of_a.connected().await.unwrap().name, b.name());
    // Both may have dialled; one of the sessions is elected.
    time_for_other_dials(&a).await;
    assert_eq!(a.sessions().await.unwrap().len(), 1);
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn what_dialling_does_not_cure_is_told_as_such() {
    let a = start("cure-a").await;
    let b = Node::builder("cure-b@127.0.0.1:0").cookie("another");
    let b = b.start().await.unwrap();
    // The node itself is no better.
    for at in [b.local_addr(), a.local_addr()] {
        let mut events = a.events();
        let connection = a.keep_connected(at).unwrap();
        let error = loop {
            match events.next().await.unwrap() {
                NodeEvent::Reconnecting { address, error, .. } if address == at.to_string() => {
                    break error;
                }
                _ => {}
            }
        };
        assert!(error.is_permanent(), "{error}");
        assert!(
            error.to_string().starts_with("handshake failed: "),
            "{error}"
        );
        connection.cancel();
    }
    assert!(a.sessions().await.unwrap().is_empty());
    a.stop().await;
    b.stop().await;
}

/// Leads nowhere, and does not say so.
struct Nowhere;

impl Connector for Nowhere {
    fn dial<'a>(&'a self, _: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_dial_has_the_time_that_the_links_give_it_and_its_own_reason() {
    let patience = Duration::from_secs(60);
    let scheme = Scheme::new(Security::Plain).with_connector(Nowhere);
    let links = Links::new(Policy::Any).with_scheme("slow", scheme);
    let node = Node::builder("patient@127.0.0.1:0")
        .cookie(COOKIE)
        .links(links.with_dial_timeout(patience))
        .start()
        .await
        .unwrap();
    let mut events = node.events();
    let kept = node.keep_connected("slow:there").unwrap();
    let error = loop {
        if let NodeEvent::Reconnecting { error, .. } = events.next().await.unwrap() {
            break error;
        }
    };
    let dialled = error.source().and_then(|error| error.downcast_ref());
    assert!(
        matches!(dialled, Some(TransportError::Timeout { after }) if *after == patience),
        "{error:?}"
    );
    kept.cancel();
    node.stop().await;
}

#[tokio::test]
async fn a_connection_ends_with_the_server() {
    let node = start("ends").await;
    let (_socket, at) = deaf();
    let connection = node.keep_connected(at).unwrap();
    let server = node.server().clone();
    let (waited, _) = tokio::join!(connection.connected(), server.stop_and_wait(None, None));
    assert!(matches!(waited, Err(ConnectionEnd::Stopped)));
}

#[tokio::test]
async fn so_many_are_kept_and_no_more() {
    let node = start("many").await;
    let at = |n: usize| format!("127.1.{}.{}:1", n / 250, n % 250 + 1);
    let slow = || {
        let mut reconnect = Reconnect::default();
        reconnect.first = Duration::from_secs(60);
        reconnect
    };
    let keep = |n| node.keep_connected_with(at(n), slow());
    let kept: Vec<_> = (0..MAX_KEPT_CONNECTIONS)
        .map(|n| keep(n).unwrap())
        .collect();
    assert_eq!(keep(MAX_KEPT_CONNECTIONS).unwrap_err(), KeepError::TooMany);
    // One that is kept already is no further one.
    assert_eq!(keep(0).unwrap().address(), kept[0].address());
    kept[0].cancel();
    while keep(MAX_KEPT_CONNECTIONS).is_err() {
        tokio::task::yield_now().await;
    }
    node.stop().await;
}

#[tokio::test]
async fn a_peer_that_is_no_address_is_told_at_the_start() {
    let builder = Node::builder("wrong-peer@127.0.0.1:0").cookie(COOKIE);
    let error = builder.peers(["nowhere"]).start().await.unwrap_err();
    assert!(matches!(error, BuildError::Peer(KeepError::Address(peer)) if peer == "nowhere"));
}
