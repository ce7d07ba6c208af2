//! Nodes that find each other by gossip. They speak over real sockets, in real time.

use std::{net::UdpSocket, time::Duration};

use shiome_ractor::{
    BuildError, Events, Gossip, Node, NodeEvent,
    membership::{Config, DownReason, MembershipEvent, Security, State},
    node::NodeConnectionMode,
};

use super::support::COOKIE;

/// Probes five times a second.
fn fast() -> Config {
    let mut config = Config::fast();
    config.probe_period = Duration::from_millis(200);
    config.probe_timeout = Duration::from_millis(100);
    config.gossip_interval = Duration::from_millis(50);
    config
}

async fn start(name: &str, cookie: &str, seeds: &[String]) -> Node {
    start_at(&format!("{name}@127.0.0.1:0"), cookie, seeds).await
}

/// At an address that the test may have to itself, so that a port which it gives back is nobody else's meanwhile.
async fn start_at(address: &str, cookie: &str, seeds: &[String]) -> Node {
    Node::builder(address)
        .cookie(cookie)
        .seeds(seeds.to_vec())
        .gossip(Gossip::new().config(fast()))
        .start()
        .await
        .unwrap()
}

fn seed(node: &Node) -> Vec<String> {
    vec![node.local_addr().to_string()]
}

/// Waits for what no event tells.
async fn until(what: &str, so: impl Fn() -> bool) {
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        while !so() {
            looks.tick().await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("{what}"));
}

/// A hundred times what is expected on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn ready(events: &mut Events, name: &str) {
    loop {
        match events.next().await.expect("the node runs") {
            NodeEvent::Ready(peer) if peer.name == name => return,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_seed_is_all_that_a_node_has_to_know() {
    let a = start("seed-a", COOKIE, &[]).await;
    let mut seen_by_a = a.events();
    let b = start("seed-b", COOKIE, &seed(&a)).await;
    let c = start("seed-c", COOKIE, &seed(&a)).await;
    let (mut seen_by_b, mut seen_by_c) = (b.events(), c.events());
    ready(&mut seen_by_b, "seed-c@127.0.0.1").await;
    ready(&mut seen_by_c, "seed-a@127.0.0.1").await;

    for (node, others) in [(&a, [&b, &c]), (&b, [&a, &c]), (&c, [&a, &b])] {
        let mut expected: Vec<_> = others.iter().map(|other| other.local_addr()).collect();
        expected.sort();
        // Gossip tells of them when it likes, and may suspect one for a moment.
        until("each knows both others", || {
            let members = node.members();
            let addresses = members.iter().map(|member| member.address);
            addresses.eq(expected.iter().copied())
                && members.iter().all(|member| member.state == State::Alive)
        })
        .await;
        // On UDP and TCP alike.
        let gossip = node.membership().unwrap().local_addr();
        assert_eq!(gossip, node.local_addr());
    }

    until("a has a session with each", || {
        let seen = a.inspect().members();
        seen.len() == 3 && seen.iter().all(|m| m.own == m.node_id.is_none())
    })
    .await;
    let seen = a.inspect().members();
    let names: Vec<_> = seen.iter().map(|member| member.name.as_deref()).collect();
    for name in [a.name(), b.name(), c.name()] {
        assert!(names.contains(&Some(name)), "{names:?}");
    }
    for member in &seen {
        assert_eq!(member.own, member.name.as_deref() == Some(a.name()));
        assert_eq!(member.node_id.is_none(), member.own, "{member:?}");
    }
    let gossip = a.inspect().gossip().unwrap();
    assert_eq!((gossip.members, gossip.encrypted), (2, true));
    assert!(gossip.counts["received_bytes"] > 0);

    // Says goodbye: its end is no failure, and nobody dials it again.
    let gone = c.local_addr();
    c.stop().await;
    let member = loop {
        if let NodeEvent::MemberDown { member, reason } = seen_by_a.next().await.unwrap() {
            assert_eq!(reason, DownReason::Left);
            break member;
        }
    };
    assert_eq!((member.address, member.state), (gone, State::Left));
    assert_eq!(member.name.as_deref(), Some("seed-c@127.0.0.1"));
    assert_eq!(a.members().len(), 1);
    assert_eq!(a.sessions().await.unwrap().len(), 1);
    b.stop().await;
    a.stop().await;
    assert!(seen_by_b.next().await.is_some());
    while seen_by_b.next().await.is_some() {}
}

#[tokio::test]
async fn without_the_cookie_nobody_is_heard() {
    let a = start("alone-a", COOKIE, &[]).await;
    let stranger = start("stranger", "another", &seed(&a)).await;
    let friend = start("friend", COOKIE, &seed(&a)).await;
    ready(&mut friend.events(), "alone-a@127.0.0.1").await;
    let membership = a.membership().unwrap();
    // It asks again and again.
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    while membership.stats().driver.rejected_unknown_key < 2 {
        looks.tick().await;
    }
    until("a knows its friend", || !a.members().is_empty()).await;
    assert!(stranger.members().is_empty());
    assert_eq!(a.members().len(), 1);
    assert_eq!(a.sessions().await.unwrap().len(), 1);
    for node in [stranger, friend, a] {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_node_that_is_started_again_is_found_again() {
    let cookie = "the cookie of the restart";
    let a = start("again-a", cookie, &[]).await;
    let mut seen = a.events();
    let b = start_at("again-b@127.0.78.1:0", cookie, &seed(&a)).await;
    ready(&mut seen, "again-b@127.0.78.1").await;
    let (name, address) = (b.name().to_owned(), b.local_addr());
    until("a knows b", || !a.members().is_empty()).await;
    let before = a.members()[0].id;
    // As a crash: the server ends, and gossip says nothing.
    b.membership().unwrap().stop().await;
    b.server().stop_and_wait(None, None).await.unwrap();
    drop(b);

    let b = start_at(&format!("again-b@{address}"), cookie, &seed(&a)).await;
    // The successor's session outlives the news of the predecessor's end.
    let (mut fresh, mut buried) = (None, false);
    while fresh.is_none() || !buried {
        match seen.next().await.unwrap() {
            NodeEvent::Ready(session) if session.name == name => fresh = Some(session.node_id),
            NodeEvent::Disconnected(session) => assert_ne!(Some(session.node_id), fresh),
            NodeEvent::MemberDown { member, .. } => buried |= member.id == before,
            _ => {}
        }
    }
    assert_eq!(a.sessions().await.unwrap().len(), 1);
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn seeds_are_found_whenever_they_come() {
    let cookie = "the cookie of the late seed";
    let early = start_at("early@127.0.78.2:0", cookie, &[]).await;
    let address = early.local_addr();
    early.stop().await;
    let waiting = start("waiting", cookie, &[address.to_string()]).await;
    let mut seen = waiting.events();
    let late = format!("late@{address}");
    let late = start_at(&late, cookie, &[address.to_string()]).await;
    ready(&mut seen, "late@127.0.78.2").await;
    late.stop().await;
    waiting.stop().await;
}

#[tokio::test]
async fn gossip_can_be_on_another_port_and_in_the_clear() {
    let gossip = || {
        let gossip = Gossip::new().config(fast()).cluster("offset");
        gossip.port_offset(-1).security(Security::Plaintext)
    };
    let a = Node::builder("offset-a@127.0.0.1:0").cookie(COOKIE);
    let a = a.gossip(gossip()).start().await.unwrap();
    let at = a.membership().unwrap().local_addr();
    assert_eq!(at.port(), a.local_addr().port() - 1);
    let b = Node::builder("offset-b@127.0.0.1:0").cookie(COOKIE);
    let b = b.seeds([at]).gossip(gossip()).start().await.unwrap();
    ready(&mut b.events(), "offset-a@127.0.0.1").await;
    until("b knows a", || !b.members().is_empty()).await;
    assert_eq!(b.members()[0].address, a.local_addr());
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_told() {
    let build = |address: &str| Node::builder(address).cookie(COOKIE);
    let error = build("a@127.0.0.1:0").seeds(["nowhere"]).start().await;
    assert!(matches!(error, Err(BuildError::Seed(_))));
    let gossip = Gossip::new().port_offset(70_000);
    let error = build("a@127.0.0.1:0").gossip(gossip).start().await;
    assert!(matches!(error, Err(BuildError::GossipPort { .. })));
    let error = build("a@host.invalid:0")
        .gossip(Gossip::new())
        .start()
        .await;
    assert!(matches!(error, Err(BuildError::Unresolved(_))));
    let mut config = Config::default();
    config.gossip_fanout = 0;
    let gossip = Gossip::new().config(config);
    let error = build("a@127.0.0.1:0").gossip(gossip).start().await;
    assert!(matches!(error, Err(BuildError::Gossip(_))));
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("a@{}", taken.local_addr().unwrap());
    let error = build(&address).gossip(Gossip::new()).start().await;
    let refused = matches!(error, Err(BuildError::Gossip(_) | BuildError::Listen(_)));
    assert!(refused, "{error:?}");
}

#[tokio::test]
async fn a_node_without_seeds_does_not_gossip() {
    let node = Node::builder("quiet@127.0.78.3:0").cookie(COOKIE);
    let node = node.connection_mode(NodeConnectionMode::Isolated);
    let node = node.start().await.unwrap();
    assert!(node.membership().is_none());
    assert!(node.members().is_empty());
    // The UDP port of that number, at an address that no other test has, is free.
    UdpSocket::bind(node.local_addr()).unwrap();
    node.stop().await;
}

#[tokio::test]
async fn leaving_gossip_by_hand_leaves_the_node_running() {
    let a = start("hand-a", COOKIE, &[]).await;
    let b = start("hand-b", COOKIE, &seed(&a)).await;
    ready(&mut b.events(), "hand-a@127.0.0.1").await;
    let mut events = b.membership().unwrap().events();
    a.membership().unwrap().leave().await;
    while !matches!(
        events.next().await.unwrap(),
        MembershipEvent::MemberDown {
            reason: DownReason::Left,
            ..
        }
    ) {}
    assert!(a.sessions().await.is_ok());
    b.stop().await;
    a.stop().await;
}
