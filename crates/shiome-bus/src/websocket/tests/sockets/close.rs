//! How links come to their end, and what is said of what they had taken.

use super::*;
use crate::DropReason;

const SOON: Duration = Duration::from_millis(50);

/// A client behind a proxy that lets nothing through any more, and ten envelopes that its link has taken.
async fn frozen(listening: &Listening) -> (Proxy, Side) {
    let proxy = Proxy::new(listening.url()).await;
    let alice = Side::connected("alice", &proxy.url, eager()).await;
    alice.peer.wait_for("bob", PATIENCE).await.unwrap();
    proxy.freeze();
    for number in 0..10 {
        let number = Intent::new("number", number).unwrap();
        alice.peer.try_send("bob", number).unwrap();
    }
    (proxy, alice)
}

fn lost(side: &Side) -> Vec<(PeerId, String)> {
    let drops = side.bus.recent_drops().into_iter();
    let lost = drops.filter(|drop| drop.reason == DropReason::NotConnected);
    lost.map(|drop| (drop.to, drop.intent.as_str().to_owned()))
        .collect()
}

#[tokio::test]
async fn a_close_says_that_something_was_left_and_what_is_left_is_a_dead_letter() {
    for cut in [false, true] {
        let (_relay, listening) = relay(ServerOptions::anyone()).await;
        let _bob = Side::connected("bob", listening.url(), eager()).await;
        let (proxy, alice) = frozen(&listening).await;
        if cut {
            proxy.cut();
            alice.state(|state| *state == LinkState::Connecting).await;
        }
        assert_eq!(alice.link.stats().queued, 10);
        let closed = alice.link.close(SOON).await.unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::Timeout, "cut: {cut}");
        let expected = vec![(id("bob"), "number".to_owned()); 10];
        assert_eq!(lost(&alice), expected);
        // It is closed now; that it lost something was said.
        alice.link.close(SOON).await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_closes_says_that_a_link_has_not_sent_all() {
    let (_relay, listening) = relay(ServerOptions::anyone()).await;
    let _bob = Side::connected("bob", listening.url(), eager()).await;
    let (_proxy, alice) = frozen(&listening).await;
    let quiet = alice.bus.peer("quiet").unwrap();
    quiet.close(SOON).await.unwrap();
    assert_eq!(
        alice.peer.close(SOON).await.unwrap_err().kind(),
        ErrorKind::Timeout
    );
    // Its link has gone with it.
    while alice.link.stats().queued > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(lost(&alice).len(), 10);
}

#[tokio::test]
async fn what_was_taken_before_a_break_is_sent_after_it_though_the_link_closes() {
    let (_relay, listening) = relay(ServerOptions::anyone()).await;
    let mut bob = Side::connected("bob", listening.url(), eager()).await;
    let (proxy, alice) = frozen(&listening).await;
    proxy.frozen.send_replace(false);
    proxy.cut();
    alice.link.close(PATIENCE).await.unwrap();
    bob.hears("alice", 0..10).await;
    assert_eq!(lost(&alice), []);
}

#[tokio::test]
async fn what_a_peer_said_before_it_went_arrives_and_is_no_dead_letter() {
    let (relay, listening) = relay(ServerOptions::anyone()).await;
    let mut bob = Side::connected("bob", listening.url(), eager()).await;
    let Side {
        bus, peer, link, ..
    } = Side::connected("alice", listening.url(), eager()).await;
    peer.wait_for("bob", PATIENCE).await.unwrap();
    for number in 0..10 {
        let number = Intent::new("number", number).unwrap();
        peer.try_send("bob", number).unwrap();
    }
    drop(peer);
    bob.hears("alice", 0..10).await;
    while relay.stats().peers > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!((bus.stats().drops, link.stats().errors), (vec![], 0));
}

#[tokio::test]
async fn a_link_goes_soon_after_its_peer_though_nobody_reads() {
    let (_relay, listening) = relay(ServerOptions::anyone()).await;
    let _bob = Side::connected("bob", listening.url(), eager()).await;
    let (_proxy, alice) = frozen(&listening).await;
    let Side {
        bus, peer, link, ..
    } = alice;
    drop(peer);
    while link.stats().queued > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bus.dropped(DropReason::NotConnected), 10);
}

#[tokio::test]
async fn a_close_ends_at_its_deadline_though_nobody_reads() {
    let (_relay, listening) = relay(ServerOptions::anyone()).await;
    let _bob = Side::connected("bob", listening.url(), eager()).await;
    let proxy = Proxy::new(listening.url()).await;
    let long = eager().queue(QueueLimits::new(8192, 64 << 20));
    let alice = Side::connected("alice", &proxy.url, long).await;
    alice.peer.wait_for("bob", PATIENCE).await.unwrap();
    proxy.freeze();
    // More than the system takes.
    let long = Intent::new("long", "x".repeat(100_000)).unwrap();
    for _ in 0..400 {
        alice.peer.send("bob", long.clone()).await.unwrap();
    }
    let closed = tokio::time::timeout(Duration::from_secs(10), alice.bus.close(SOON));
    let closed = closed.await.expect("it has 50 ms");
    assert_eq!(closed.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_close_ends_though_a_mailbox_of_this_side_is_full() {
    let bus = Bus::with(BusOptions::default().inbound_patience(PATIENCE));
    let own = PeerOptions::default().capacity(1);
    let alice = bus.peer_with("alice", own).unwrap();
    let stuck = |_: Delivery| std::future::pending::<()>();
    alice.on_async("number", stuck).unwrap().detach();
    let (_relay, listening) = relay(ServerOptions::anyone()).await;
    let link = WebSocketClient::new(listening.url(), &id("alice"), links(), eager()).unwrap();
    let link = Arc::new(link);
    let attached = Arc::clone(&link) as Arc<dyn Link>;
    bus.attach(attached, LinkOptions::default()).unwrap();
    link.connected().await.unwrap();
    let bob = Side::connected("bob", listening.url(), eager()).await;
    for number in 0..10 {
        bob.send("alice", number).await;
    }
    while alice.stats().queued.total() == 0 {
        tokio::task::yield_now().await;
    }
    let closed = tokio::time::timeout(Duration::from_secs(10), link.close(SOON));
    closed.await.expect("it has 50 ms").unwrap();
}

#[tokio::test]
async fn what_is_told_of_an_earlier_life_says_nothing_of_a_later_one() {
    let (_relay, listening) = relay(ServerOptions::anyone()).await;
    let alice = Side::connected("alice", listening.url(), eager()).await;
    let _bob = Side::connected("bob", listening.url(), eager()).await;
    alice.peer.wait_for("bob", PATIENCE).await.unwrap();
    let earlier = Incarnation::new(1).unwrap();
    alice.link.local_peer(&id("alice"), earlier, false);
    alice.link.local_peer(&id("alice"), earlier, true);
    for _ in 0..5 {
        alice.peer.ping("bob", PATIENCE).await.unwrap();
    }
    assert_eq!(alice.link.stats().errors, 0);
}

#[tokio::test]
async fn those_who_say_nothing_keep_nobody_out() {
    let (relay, listening) = relay(ServerOptions::anyone()).await;
    let server = listening.url().trim_start_matches("ws://");
    let server = server.split('/').next().unwrap();
    let mut silent = Vec::new();
    // More than may be opening, of one address.
    for _ in 0..300 {
        silent.push(TcpStream::connect(server).await.unwrap());
    }
    let alice = Side::connected("alice", listening.url(), ClientOptions::default()).await;
    assert_eq!(relay.stats().peers, 1);
    let mut first = silent.swap_remove(0);
    assert_eq!(first.read(&mut [0]).await.unwrap(), 0, "it was sent away");
    drop(alice);
}
