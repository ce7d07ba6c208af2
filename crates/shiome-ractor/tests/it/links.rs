//! Nodes that join over links of each kind.

use std::net::SocketAddr;

use shiome_handshake::Fault;
use shiome_ractor::{
    BuildError, ConnectError, KeepError, MAX_LISTENERS, Node, NodeEvent, Security,
};
use shiome_transport::{
    Links, Policy, TransportError,
    memory::Network,
    tls::{Alpn, ClientAuth, ClientConfig, NodeNameError, ServerConfig},
    websocket::Origins,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::support::{
    COOKIE,
    tls::{Authority, failures},
};

/// Waits until a session of the node has ended.
async fn disconnected(node: &mut shiome_ractor::Events) {
    loop {
        match node.next().await.unwrap() {
            NodeEvent::Disconnected(session) if !session.name.is_empty() => return,
            _ => {}
        }
    }
}

/// Joins `a` to `b` at each of its addresses; how each link is protected.
async fn join_everywhere(a: &Node, b: &Node) -> Vec<(String, Security)> {
    let (mut events_a, mut events_b) = (a.events(), b.events());
    let mut joined = Vec::new();
    for address in b.local_addresses() {
        let session = a.connect(&address).await.unwrap();
        assert_eq!(session.name, b.name(), "{address}");
        let link = a.link(&session).unwrap();
        assert!(link.native.is_some(), "{address}");
        joined.push((address.scheme().to_owned(), link.security));
        session.disconnect();
        tokio::join!(disconnected(&mut events_a), disconnected(&mut events_b));
    }
    joined
}

#[tokio::test]
async fn a_node_listens_at_several_addresses_of_several_schemes() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("b");
    let network = Network::default();
    let links = |name: &str| {
        Links::new(Policy::Any)
            .with_websocket(Origins::none())
            .with_scheme("mem", network.scheme(name))
    };
    let a = Node::builder("schemes-a@127.0.0.1:0").cookie(COOKIE);
    let a = a.links(links("a")).start().await.unwrap();
    let b = Node::builder("schemes-b@127.0.0.1:0")
        .cookie(COOKIE)
        .links(links("b"))
        .listen_at(format!("unix:{}", socket.display()))
        .listen_at("ws://127.0.0.1:0/cluster")
        .listen_at("mem:b")
        .start();
    let b = b.await.unwrap();
    assert_eq!(
        b.local_addresses()[0].socket_addr(),
        Some(b.local_addr()),
        "its own first"
    );
    let of = |scheme: &str, security| (scheme.to_owned(), security);
    assert_eq!(
        join_everywhere(&a, &b).await,
        [
            of("tcp", Security::Plain),
            of("unix", Security::Local),
            of("ws", Security::Plain),
            of("mem", Security::Local),
        ]
    );
    assert_eq!(b.admission().authenticated, 4);
    assert_eq!(b.admission().failed, 0);

    // A node that has ended listens nowhere.
    let mem = b.local_addresses()[3].clone();
    b.stop().await;
    assert!(!socket.exists());
    let refused = a.connect(&mem).await;
    assert!(matches!(refused, Err(ConnectError::Dial(_))), "{refused:?}");
}

#[tokio::test]
async fn a_node_without_a_port_of_its_own_is_reached_where_it_listens_and_tells_no_other_address() {
    let network = Network::default();
    let encrypted =
        |name: &str| Links::new(Policy::Encrypted).with_scheme("mem", network.scheme(name));
    let node = |name: &str| {
        let node = Node::builder(format!("portless-{name}@{name}:0")).cookie(COOKIE);
        node.links(encrypted(name)).listen_at(format!("mem:{name}"))
    };
    let own = node("a").start().await;
    assert!(
        matches!(own, Err(BuildError::ListenAt { .. })),
        "its own port would not be protected: {own:?}"
    );

    let a = node("a").no_own_port().start().await.unwrap();
    let b = node("b").no_own_port().advertise("mem:b");
    let b = b.start().await.unwrap();
    let at: Vec<_> = a
        .local_addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(at, ["mem:a"]);
    assert_eq!(a.local_addr().port(), 0);
    let mut events = b.events();
    let session = a.connect("mem:b").await.unwrap();
    assert_eq!(session.connection_string, "mem:b");
    loop {
        if let NodeEvent::Ready(session) = events.next().await.unwrap() {
            assert_eq!(session.name, "portless-a@a");
            assert_eq!(session.connection_string, "", "nobody can dial it by that");
            break;
        }
    }
    let again = a.connect("mem:b").await;
    assert!(
        matches!(again, Err(ConnectError::Duplicate(_))),
        "{again:?}"
    );
}

#[cfg(feature = "membership")]
#[tokio::test]
async fn a_node_without_a_port_of_its_own_cannot_gossip() {
    let node = Node::builder("portless@127.0.0.1:0").cookie(COOKIE);
    let node = node.no_own_port().seeds(["127.0.0.1:1"]).start().await;
    assert!(
        matches!(node, Err(BuildError::GossipPort { port: 0, .. })),
        "{node:?}"
    );
}

#[tokio::test]
async fn nodes_join_over_mutual_tls() {
    let authority = Authority::new();
    let (a, b) = (
        authority.node("mtls-a").await,
        authority.node("mtls-b").await,
    );
    for _ in 0..2 {
        // The second time the session of TLS is resumed.
        let joined = join_everywhere(&a, &b).await;
        assert_eq!(joined, [("tls".to_owned(), Security::Tls)]);
    }
    let plain = a.connect(format!("tcp://{}", b.local_addr())).await;
    let Err(ConnectError::Dial(error)) = &plain else {
        panic!("{plain:?}");
    };
    assert!(
        matches!(error, TransportError::Unprotected { .. }),
        "{error}"
    );
    assert!(plain.unwrap_err().is_permanent());
    assert_eq!(b.admission().admitted, 2, "nothing was dialled");
}

#[tokio::test]
async fn nodes_join_over_websockets_in_mutual_tls() {
    let authority = Authority::new();
    let links = |name: &str| {
        let credentials = authority.credentials(name);
        let server = ServerConfig::builder(&credentials).build().unwrap();
        let client = ClientConfig::new(&credentials).unwrap();
        Links::new(Policy::Encrypted)
            .with_tls(Some(server), Some(client))
            .with_websocket(Origins::none())
    };
    let start = |name: &str, shown: &str| {
        let builder = Node::builder(format!("{name}@127.0.0.1:0")).cookie(COOKIE);
        let builder = builder.links(links(shown)).listen_at("wss://127.0.0.1:0/");
        async { builder.start().await.unwrap() }
    };
    let a = start("wss-a", "wss-a@127.0.0.1").await;
    let b = start("wss-b", "wss-b@127.0.0.1").await;
    let joined = join_everywhere(&a, &b).await;
    assert_eq!(joined[1], ("wss".to_owned(), Security::Tls));

    let liar = start("wss-c", "wss-a@127.0.0.1").await;
    let refused = a.connect(&liar.local_addresses()[1]).await;
    assert!(
        matches!(refused, Err(ConnectError::NodeName { .. })),
        "{refused:?}"
    );
}

/// A proxy that speaks TLS with clients and nothing with the node at `to`; where it is.
async fn proxy(authority: &Authority, to: SocketAddr) -> SocketAddr {
    let credentials = authority.credentials("proxy@127.0.0.1");
    let config = ServerConfig::builder(&credentials).client_auth(ClientAuth::None);
    let config = config.build().unwrap().with_alpn(Alpn::Http);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let config = config.clone();
            tokio::spawn(async move {
                let mut client = config.accept(stream).await.unwrap();
                let mut node = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut node).await;
            });
        }
    });
    at
}

#[tokio::test]
async fn a_proxy_that_ends_tls_is_found_out_unless_it_is_trusted() {
    let authority = Authority::new();
    let web = |links: Links| {
        let links = links.with_websocket(Origins::none());
        links.with_proxied_websocket("wss+proxy")
    };
    let b = Node::builder("proxied-b@127.0.0.1:0").cookie(COOKIE);
    let b = b.links(web(Links::new(Policy::Any)));
    let b = b.listen_at("ws://127.0.0.1:0/b").start().await.unwrap();
    let at = b.local_addresses()[1].socket_addr().unwrap();
    let at = proxy(&authority, at).await;

    let client = ClientConfig::new(&authority.nobody()).unwrap();
    let links = Links::new(Policy::Encrypted);
    let bound = links.clone().with_tls(None, Some(client.clone()));
    let unbound = links.with_tls_streams(Some(client.with_alpn(Alpn::Http).connector()), None);
    for (name, links) in [("proxied-a", bound), ("proxied-c", unbound)] {
        let a = Node::builder(format!("{name}@127.0.0.1:0")).cookie(COOKIE);
        // It dials only.
        let a = a.links(web(links.with_policy(Policy::Any)));
        let a = a.start().await.unwrap();
        let refused = a.connect(format!("wss://{at}/b")).await.unwrap_err();
        match refused {
            ConnectError::NodeName { error, .. } => {
                assert_eq!((name, error), ("proxied-a", NodeNameError::OtherNode));
            }
            ConnectError::Handshake(failure) => {
                let fault = failure.fault();
                assert_eq!((name, fault), ("proxied-c", Some(Fault::NotAuthentic)));
            }
            error => panic!("{error:?}"),
        }
        let session = a.connect(format!("wss+proxy://{at}/b")).await.unwrap();
        assert_eq!(session.name, b.name());
    }
    assert_eq!(b.sessions().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_told_so() {
    let authority = Authority::new();
    let b = authority.node("bare-b").await;
    let credentials = authority.nobody();
    let connector: TlsConnector = ClientConfig::new(&credentials).unwrap().connector();
    let a = Node::builder("bare-a@127.0.0.1:0").cookie(COOKIE);
    let a = a.connector(connector).start().await.unwrap();
    let error = a.connect(b.local_addr()).await.unwrap_err();
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
    assert!(error.is_permanent());
    failures(&b, 1).await;
    assert!(b.sessions().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_an_address_or_the_links_is_told_at_the_start() {
    let builder = || Node::builder("wrong@127.0.0.1:0").cookie(COOKIE);
    let error = builder().listen_at("carrier:pigeon").start().await;
    assert!(
        matches!(&error, Err(BuildError::ListenAt { address, error: TransportError::UnknownScheme { .. } })
            if address == "carrier:pigeon"),
        "{error:?}"
    );
    let many = (0..=MAX_LISTENERS).fold(builder(), |node, _| node.listen_at("127.0.0.1:0"));
    let error = many.start().await;
    assert!(
        matches!(error, Err(BuildError::TooManyListeners)),
        "{error:?}"
    );
    let error = builder().advertise("no address").start().await;
    assert!(matches!(error, Err(BuildError::Advertised(_))), "{error:?}");
    let credentials = Authority::new().credentials("wrong@127.0.0.1");
    let twice = builder().tls(&credentials).links(Links::new(Policy::Any));
    let error = twice.start().await;
    assert!(matches!(error, Err(BuildError::LinksTwice)), "{error:?}");
    let plain = builder().tls(&credentials).listen_at("tcp://127.0.0.1:0");
    let error = plain.start().await;
    assert!(
        matches!(
            error,
            Err(BuildError::ListenAt {
                error: TransportError::Unprotected { .. },
                ..
            })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn peers_are_told_what_is_advertised() {
    let a = Node::builder("told-a@127.0.0.1:0").cookie(COOKIE);
    let a = a.start().await.unwrap();
    let b = Node::builder("told-b@127.0.0.1:0").cookie(COOKIE);
    let b = b
        .advertise("ws://proxy.example:80/b")
        .start()
        .await
        .unwrap();
    let session = a.connect(b.local_addr()).await.unwrap();
    assert_eq!(session.connection_string, "ws://proxy.example:80/b");
}

#[tokio::test]
async fn a_session_is_kept_at_an_address_of_any_scheme() {
    let network = Network::default();
    let links = |name: &str| Links::new(Policy::Any).with_scheme("mem", network.scheme(name));
    let a = Node::builder("kept-mem-a@127.0.0.1:0").cookie(COOKIE);
    let a = a.links(links("a")).start().await.unwrap();
    let b = Node::builder("kept-mem-b@127.0.0.1:0").cookie(COOKIE);
    let b = b.links(links("b")).listen_at("mem:kept").start();
    let b = b.await.unwrap();
    let mut events = a.events();
    let kept = a.keep_connected("mem:kept").unwrap();
    let first = kept.connected().await.unwrap();
    assert_eq!((&*first.name, &*first.peer_addr), (b.name(), "kept"));
    first.disconnect();
    disconnected(&mut events).await;
    loop {
        if let NodeEvent::Ready(again) = events.next().await.unwrap() {
            assert_eq!(again.name, b.name());
            break;
        }
    }
    let nobody = a.keep_connected("pipe:kept").unwrap_err();
    assert_eq!(nobody, KeepError::Address("pipe:kept".to_owned()));
}
