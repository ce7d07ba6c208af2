//! What strangers can do to a node before they are authenticated, and what not, on virtual time.

use std::{net::SocketAddr, time::Duration};

use shiome_ractor::{Builder, Node};
use shiome_transport::{
    Accepted, Address, Bind, BoxFuture, Link, Links, Listener, Policy, Remote, Scheme, Security,
    TransportError, limits::Limits,
};
use shiome_wire::{
    auth::{self, server_status::Status},
    control::{self, control_message::Msg},
};
use tokio::{
    io::{DuplexStream, duplex},
    net::TcpListener,
    sync::{Mutex, mpsc},
};

use super::support::{COOKIE, RawPeer, digest, eventually_async, name_of};

/// Connections with an address to come from, as the test says.
#[derive(Clone)]
struct Network(mpsc::UnboundedSender<(SocketAddr, DuplexStream)>);

impl Network {
    /// A node that listens on it.
    async fn node(name: &str, limits: Limits) -> (Self, Node) {
        Self::node_with(name, |builder| builder.admission(limits)).await
    }

    async fn node_with(name: &str, with: impl FnOnce(Builder) -> Builder) -> (Self, Node) {
        let (dialled, arrives) = mpsc::unbounded_channel();
        let scheme = Scheme::new(Security::Plain).with_bind(Arrivals(Mutex::new(Some(arrives))));
        let builder = Node::builder(format!("{name}@127.0.0.1:0"))
            .cookie(COOKIE)
            .links(Links::new(Policy::Any).with_scheme("test", scheme))
            .listen_at("test:network");
        (Self(dialled), with(builder).start().await.unwrap())
    }

    /// Connects from the host 10.0.0.`host`.
    fn connect(&self, host: u8) -> RawPeer {
        let (here, there) = duplex(64 * 1024);
        let from = SocketAddr::from(([10, 0, 0, host], 50_000));
        self.0.send((from, there)).unwrap();
        RawPeer::over(here)
    }

    /// Connects and fails to know the cookie.
    async fn guess(&self, host: u8) {
        let mut peer = self.connect(host);
        peer.send_name("guesser").await;
        let challenge = peer.challenge_after_status().await;
        peer.send(auth::ChallengeReply {
            challenge: 1,
            digest: digest("a guess", challenge),
        })
        .await;
        assert!(peer.until_closed().await.is_empty());
    }

    /// Guesses the cookie on so many connections at once; on how many the node listened.
    async fn guess_at_once(&self, host: u8, count: usize) -> usize {
        let mut peers: Vec<_> = (0..count).map(|_| self.connect(host)).collect();
        for peer in &mut peers {
            peer.send_name("guesser").await;
        }
        let mut heard = Vec::new();
        for mut peer in peers {
            if peer.receive().await.is_some() {
                let challenge = peer.challenge().await;
                heard.push((peer, challenge));
            }
        }
        for (peer, challenge) in &mut heard {
            let digest = digest("a guess", *challenge);
            let challenge = 1;
            peer.send(auth::ChallengeReply { challenge, digest }).await;
        }
        for (peer, _) in &mut heard {
            assert!(peer.until_closed().await.is_empty());
        }
        heard.len()
    }

    /// Joins as a node that knows the cookie.
    async fn join(&self, host: u8, name: &str) -> RawPeer {
        let mut peer = self.connect(host);
        peer.authenticate(name).await;
        peer.synchronise().await;
        peer
    }

    /// Whether a connection is closed without a word before it had time to say anything.
    async fn is_refused(&self, host: u8) -> bool {
        let mut peer = self.connect(host);
        let began = tokio::time::Instant::now();
        let heard = peer.until_closed().await;
        heard.is_empty() && began.elapsed() < Duration::from_secs(1)
    }
}

type Arrival = (SocketAddr, DuplexStream);

struct Arrivals(Mutex<Option<mpsc::UnboundedReceiver<Arrival>>>);

impl Bind for Arrivals {
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        Box::pin(async {
            let arrives = self.0.lock().await.take().expect("one node listens");
            let local = address.clone();
            let listener: Box<dyn Listener> = Box::new(Arriving { arrives, local });
            Ok(listener)
        })
    }
}

struct Arriving {
    arrives: mpsc::UnboundedReceiver<Arrival>,
    local: Address,
}

impl Listener for Arriving {
    fn local(&self) -> &Address {
        &self.local
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let Some((from, stream)) = self.arrives.recv().await else {
                return std::future::pending().await;
            };
            let link = async move {
                let label = from.to_string();
                Ok(Link::from_stream(stream, label, "test", Security::Plain))
            };
            Ok(Accepted::new(Remote::from(from), link))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_flood_from_one_host_keeps_no_other_out() {
    let (network, node) = Network::node("flooded", Limits::default()).await;
    let mut flood: Vec<_> = (0..300).map(|_| network.connect(1)).collect();
    network.join(2, "flood-good").await.ping(1).await;
    let counts = node.admission();
    assert_eq!(counts.admitted, 32 + 1);
    assert_eq!(counts.refused_source, 300 - 32);
    assert_eq!((counts.authenticated, counts.failed), (1, 0));

    for peer in &mut flood {
        peer.until_closed().await;
    }
    network.join(2, "flood-good").await.ping(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_flood_shuts_its_own_address_for_a_moment_only() {
    let limits = Limits::default();
    let (network, node) = Network::node("moment", limits.clone()).await;
    for silent in 1..=3 {
        // As many as the address has places: one, after the first time.
        let mut flood: Vec<_> = (0..32).map(|_| network.connect(1)).collect();
        for peer in &mut flood {
            peer.until_closed().await;
        }
        assert_eq!(node.admission().failed, 32 + silent - 1);
        assert!(network.is_refused(1).await);
        assert_eq!(node.admission().refused_penalty, silent);
        tokio::time::advance(limits.first_penalty).await;
    }
    network.join(1, "moment-good").await.ping(1).await;
    assert_eq!(node.admission().refused_source, 2 * 31);
}

#[tokio::test(start_paused = true)]
async fn who_guesses_many_times_at_once_does_so_once() {
    let (network, node) = Network::node("rushed", Limits::default()).await;
    assert_eq!(network.guess_at_once(1, 100).await, 32);
    for penalty in [1, 2, 4, 8] {
        assert_eq!(network.guess_at_once(1, 100).await, 0);
        tokio::time::advance(Duration::from_secs(penalty)).await;
        assert_eq!(network.guess_at_once(1, 100).await, 1, "{penalty}");
    }
    assert_eq!(node.admission().failed, 32 + 4);
}

#[tokio::test(start_paused = true)]
async fn who_guesses_the_cookie_waits_longer_each_time_and_others_do_not() {
    let (network, node) = Network::node("guessed", Limits::default()).await;
    let free = Limits::default().max_free_failures;
    for _ in 0..=free {
        network.guess(1).await;
    }
    assert!(network.is_refused(1).await);
    network.join(2, "guessed-good").await.ping(1).await;

    for penalty in [1, 2, 4] {
        tokio::time::advance(Duration::from_millis(penalty * 1000 - 1)).await;
        assert!(network.is_refused(1).await, "{penalty}");
        tokio::time::advance(Duration::from_millis(1)).await;
        network.guess(1).await;
    }
    let counts = node.admission();
    assert_eq!(counts.failed, u64::from(free) + 1 + 3);
    assert_eq!(counts.refused_penalty, 4);
    network.join(2, "guessed-good").await.ping(2).await;
}

#[tokio::test(start_paused = true)]
async fn who_knows_the_cookie_makes_up_for_failures() {
    let (network, node) = Network::node("forgiven", Limits::default()).await;
    for n in 0..5 {
        network.guess(1).await;
        network.guess(1).await;
        network.join(1, &format!("forgiven-{n}")).await;
    }
    assert_eq!(node.admission().refused_penalty, 0);
    assert_eq!(node.admission().authenticated, 5);
}

#[tokio::test(start_paused = true)]
async fn health_checks_cost_nothing() {
    let (network, node) = Network::node("healthy", Limits::default()).await;
    for _ in 0..100 {
        drop(network.connect(1));
        // The node comes to it when nobody else has anything to do.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    network.join(1, "health-good").await.ping(1).await;
    let counts = node.admission();
    assert_eq!((counts.admitted, counts.authenticated), (101, 1));
    assert_eq!((counts.failed, counts.refused_source), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_session_takes_no_place_of_a_stranger() {
    let mut limits = Limits::default();
    limits.max_unauthenticated = 2;
    limits.max_unauthenticated_per_source = 2;
    let (network, node) = Network::node("places", limits).await;
    let mut peers = Vec::new();
    for n in 0..10 {
        peers.push(network.join(1, &format!("places-{n}")).await);
    }
    let _silent = [network.connect(2), network.connect(3)];
    assert!(network.is_refused(1).await);
    assert_eq!(node.admission().refused_full, 1);
    for peer in &mut peers {
        peer.ping(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_one_too_many_is_refused_until_another_has_left() {
    let (network, node) = Network::node_with("crowded", |builder| builder.max_sessions(2)).await;
    let first = network.join(1, "crowded-1").await;
    let mut second = network.join(2, "crowded-2").await;
    let mut third = network.connect(3);
    third.send_name("crowded-3").await;
    assert_eq!(third.status().await, Status::NotAllowed);
    assert!(third.until_closed().await.is_empty(), "no challenge");
    second.ping(1).await;
    assert_eq!(node.admission().failed, 0, "it is not to blame");

    drop(first);
    let sessions = || async { node.sessions().await.unwrap().len() == 1 };
    eventually_async(sessions).await;
    network.join(3, "crowded-3").await.ping(1).await;
    second.ping(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_of_another_host_leads_nobody_to_loopback() {
    let (network, _node) = Network::node("lured", Limits::default()).await;
    let mut peer = network.connect(1);
    peer.authenticate("lured-peer").await;
    peer.expect(|message| match message.into_control()? {
        Msg::EnumerateNodeSessions(_) => Some(()),
        _ => None,
    })
    .await;
    let bait = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = bait.local_addr().unwrap().port();
    let sessions = ["127.0.0.1", "localhost", "127.1", "0.0.0.0"].map(|host| {
        let mut name = name_of(&format!("lured-{host}"));
        name.connection_string = format!("{host}:{port}");
        name
    });
    let sessions = sessions.into();
    peer.send(control::NodeSessions { sessions }).await;
    peer.ping(1).await;
    let dialled = tokio::time::timeout(Duration::from_secs(1), bait.accept());
    assert!(dialled.await.is_err());
    peer.ping(2).await;
}
