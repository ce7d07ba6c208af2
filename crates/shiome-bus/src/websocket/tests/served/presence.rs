//! Who is told of whom.

use super::*;

#[tokio::test(start_paused = true)]
async fn clients_of_a_relay_hear_of_each_other() {
    let relay = relay(ServerOptions::anyone());
    let mut alice = Raw::enter(&relay, "alice").await;
    let Frame::Presence(first) = alice.next().await.unwrap() else {
        panic!("no presence");
    };
    assert!(first.all && first.present.is_empty(), "{first:?}");
    let mut bob = Raw::enter(&relay, "bob").await;
    let Frame::Presence(first) = bob.next().await.unwrap() else {
        panic!("no presence");
    };
    assert_eq!(first.present[0].0, id("alice"));
    let Frame::Presence(news) = alice.next().await.unwrap() else {
        panic!("no presence");
    };
    assert!(!news.all);
    assert_eq!(news.present[0].0, id("bob"));
    bob.say(r#"[{"type":"goodbye","reason":"closed"}]"#).await;
    let Frame::Presence(news) = alice.next().await.unwrap() else {
        panic!("no presence");
    };
    assert_eq!(news.absent, [id("bob")]);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_speaks_for_those_whose_names_are_free() {
    let options = ServerOptions::new(|id: &PeerId, _: Option<&str>| match id.as_str() {
        "gate" => Admission::Gateway,
        _ => Admission::Peer,
    });
    let relay = relay(options);
    let mut bob = Raw::enter(&relay, "bob").await;
    let mut gate = Raw::enter(&relay, "gate").await;
    gate.say(r#"[{"type":"presence","all":true,"present":[["carol",1],["bob",1],["relay",1]]}]"#)
        .await;
    for name in ["bob", "relay"] {
        let Frame::Refused(refused) = gate.hear().await.unwrap() else {
            panic!("no refusal");
        };
        assert_eq!(
            (refused.id, refused.reason),
            (Some(id(name)), CloseReason::NameTaken)
        );
    }
    bob.say(&envelope(1, "bob", "carol", "")).await;
    assert_eq!(gate.envelope().await, 1);
    gate.say(&envelope(2, "carol", "bob", "")).await;
    assert_eq!(bob.envelope().await, 2);
    let mut carol = Raw::new(&relay);
    carol.say(&hello("carol", 9, "")).await;
    assert_eq!(carol.ends().await.0, CloseReason::NameTaken);
    gate.say(r#"[{"type":"presence","absent":["carol"]}]"#)
        .await;
    settle(&mut gate).await;
    gate.say(&envelope(3, "carol", "bob", "")).await;
    assert_eq!(gate.nack().await, (3, "unauthorized".to_owned()));
    drop(Raw::enter(&relay, "carol").await);
}

/// A server whose peer answers.
fn answering() -> (Bus, Peer, Arc<WebSocketServer>) {
    let bus = Bus::new();
    let server = bus.peer("server").unwrap();
    server
        .on("ask", |delivery: &crate::Delivery| {
            let _ = delivery.try_respond("answer");
        })
        .unwrap()
        .detach();
    let websockets = WebSocketServer::new(&bus, &id("server"), ServerOptions::anyone()).unwrap();
    (bus, server, Arc::new(websockets))
}

#[tokio::test(start_paused = true)]
async fn a_client_of_a_bus_is_a_peer_of_it() {
    let (bus, server, websockets) = answering();
    let mut alice = Raw::enter(&websockets, "alice").await;
    assert!(server.reachable("alice"));
    alice
        .say(&envelope(1, "alice", "server", "").replace(r#""name":"n""#, r#""name":"ask""#))
        .await;
    let mut answered = false;
    while !answered {
        match alice.hear().await.unwrap() {
            Frame::Envelope(heard) if heard.intent.name().as_str() == "sys.ack" => {}
            Frame::Envelope(heard) => {
                assert_eq!(heard.intent.payload().as_str(), Some("answer"));
                answered = true;
            }
            other => panic!("{other:?}"),
        }
    }
    server
        .send("alice", Intent::new("hi", 1).unwrap())
        .await
        .unwrap();
    let Frame::Envelope(heard) = alice.hear().await.unwrap() else {
        panic!("no envelope");
    };
    assert_eq!(heard.from, id("server"));
    alice.say(&envelope(2, "alice", "nobody", "")).await;
    assert_eq!(alice.nack().await, (2, "node_not_found".to_owned()));
    drop(bus);
}

#[tokio::test(start_paused = true)]
async fn a_remote_claim_of_a_local_name_is_refused() {
    let (bus, _server, websockets) = answering();
    let _other = bus.peer("local").unwrap();
    for name in ["server", "local"] {
        let mut raw = Raw::new(&websockets);
        raw.say(&hello(name, u64::from(u32::MAX) << 20, "")).await;
        let (reason, frames) = raw.ends().await;
        assert_eq!(reason, CloseReason::NameTaken, "{name}");
        assert!(matches!(&frames[..], [Frame::Refused(refused)] if refused.retry_ms.is_none()));
    }
    assert!(bus.has(&id("local")));
    assert_eq!(websockets.stats().peers, 0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_lost_client_fails_at_once() {
    let (_bus, server, websockets) = answering();
    let alice = Raw::enter(&websockets, "alice").await;
    let asks = server.clone();
    let asked =
        tokio::spawn(async move { asks.request("alice", Intent::new("ask", ()).unwrap()).await });
    tokio::task::yield_now().await;
    let before = tokio::time::Instant::now();
    drop(alice);
    let error = asked.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::NotConnected, "{error}");
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_client_of_a_bus_did_not_get_is_a_dead_letter() {
    let (bus, server, websockets) = answering();
    let alice = Raw::enter(&websockets, "alice").await;
    let hi = Intent::new("hi", 1).unwrap();
    server.send("alice", hi).await.unwrap();
    drop(alice);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let [dropped] = &bus.recent_drops()[..] else {
        panic!("{:?}", bus.recent_drops());
    };
    assert_eq!(dropped.reason, crate::DropReason::NotConnected);
    assert_eq!((&dropped.to, dropped.intent.as_str()), (&id("alice"), "hi"));
    assert_eq!(websockets.stats().lost, 1);
}

/// Hears of presence until that is known.
async fn told(
    raw: &mut Raw,
    known: &mut BTreeSet<PeerId>,
    until: impl Fn(&BTreeSet<PeerId>) -> bool,
) {
    while !until(known) {
        if let Frame::Presence(news) = raw.next().await.unwrap() {
            if news.all {
                known.clear();
            }
            known.extend(news.present.into_iter().map(|(peer, _)| peer));
            known.retain(|peer| !news.absent.contains(peer));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_bridge_know_together_who_is_behind_its_other_links() {
    let bus = Bus::with(BusOptions::default().bridge());
    let server = WebSocketServer::new(&bus, &id("server"), ServerOptions::anyone());
    let server = Arc::new(server.unwrap());
    let elsewhere = Bus::new();
    let bob = elsewhere.peer("bob").unwrap();
    let carol = elsewhere.peer("carol").unwrap();
    let _erin = elsewhere.peer("erin").unwrap();
    let _link = MemoryLink::new().connect(&bus, &elsewhere).unwrap();
    let mut alice = Raw::enter(&server, "alice").await;
    let both = |known: &BTreeSet<_>| known.contains(&id("bob")) && known.contains(&id("carol"));
    let mut known = BTreeSet::new();
    told(&mut alice, &mut known, both).await;
    let mut dave = Raw::enter(&server, "dave").await;
    let mut known_to_dave = BTreeSet::new();
    told(&mut dave, &mut known_to_dave, both).await;
    bob.close(300 * MS).await.unwrap();
    let gone = |known: &BTreeSet<_>| !known.contains(&id("bob"));
    told(&mut alice, &mut known, gone).await;
    told(&mut dave, &mut known_to_dave, gone).await;
    assert!(known.contains(&id("carol")) && known_to_dave.contains(&id("carol")));
    // Nobody is there when another goes, and who comes then does not hear of it.
    drop((alice, dave));
    tokio::time::sleep(600_000 * MS).await;
    assert_eq!(server.stats().peers, 0);
    carol.close(300 * MS).await.unwrap();
    tokio::time::sleep(10_000 * MS).await;
    let mut frank = Raw::enter(&server, "frank").await;
    let mut known = BTreeSet::new();
    let some = |known: &BTreeSet<_>| !known.is_empty();
    told(&mut frank, &mut known, some).await;
    assert_eq!(known, BTreeSet::from([id("erin")]));
}
