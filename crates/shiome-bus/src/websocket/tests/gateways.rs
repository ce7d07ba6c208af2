//! Clients that speak for others. On virtual time.

use std::sync::Arc;

use super::raw::{Raw, envelope, hello, id};
use crate::{
    Bus, Intent, Peer, PeerId,
    websocket::{Admission, ServerOptions, WebSocketServer},
    wire::{CloseReason, Frame},
};

/// A server where `gate` is a gateway, and a peer of its bus.
fn server() -> (Bus, Peer, Arc<WebSocketServer>) {
    let bus = Bus::new();
    let server = bus.peer("server").unwrap();
    let verify = |id: &PeerId, _: Option<&str>| match id.as_str() {
        "gate" => Admission::Gateway,
        _ => Admission::Peer,
    };
    let options = ServerOptions::new(verify);
    let sockets = WebSocketServer::new(&bus, &id("sockets"), options).unwrap();
    (bus, server, Arc::new(sockets))
}

async fn refused(gate: &mut Raw) -> (PeerId, CloseReason) {
    match gate.hear().await.unwrap() {
        Frame::Refused(refused) => (refused.id.unwrap(), refused.reason),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_does_not_take_the_envelopes_of_a_name_that_is_taken() {
    let (_bus, server, sockets) = server();
    let mut bob = Raw::enter(&sockets, "bob").await;
    let mut gate = Raw::enter(&sockets, "gate").await;
    gate.say(r#"[{"type":"presence","present":[["bob",99]]}]"#)
        .await;
    assert_eq!(
        refused(&mut gate).await,
        (id("bob"), CloseReason::NameTaken)
    );
    let hi = Intent::new("hi", 1).unwrap();
    server.send("bob", hi).await.unwrap();
    let heard = tokio::select! {
        _ = bob.envelope() => "bob",
        _ = gate.envelope() => "gate",
    };
    assert_eq!(heard, "bob");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_does_not_get_the_name_of_a_peer_of_the_server() {
    let (_bus, _server, sockets) = server();
    let mut gate = Raw::enter(&sockets, "gate").await;
    gate.say(r#"[{"type":"presence","present":[["server",99],["carol",1]]}]"#)
        .await;
    let expected = (id("server"), CloseReason::NameTaken);
    assert_eq!(refused(&mut gate).await, expected);
    assert_eq!(sockets.stats().peers, 2, "gate and carol");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_tells_of_a_later_run_though_it_speaks_for_as_many_as_it_may() {
    let (_bus, server, sockets) = server();
    let mut gate = Raw::enter(&sockets, "gate").await;
    let names = |run: u32| {
        let names: Vec<_> = (0..256).map(|n| format!(r#"["p{n}",{run}]"#)).collect();
        format!(r#"[{{"type":"presence","present":[{}]}}]"#, names.join(","))
    };
    gate.say(&names(1)).await;
    gate.say(&names(2)).await;
    gate.say(r#"[{"type":"presence","present":[["one-more",1]]}]"#)
        .await;
    let expected = (id("one-more"), CloseReason::Limit);
    assert_eq!(refused(&mut gate).await, expected, "and no other");
    assert!(server.reachable("p255") && !server.reachable("one-more"));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_asks_for_name_after_name_is_shut_out() {
    let (_bus, _server, sockets) = server();
    let mut gate = Raw::enter(&sockets, "gate").await;
    let frames: Vec<_> = (0..20)
        .map(|frame| {
            let names: Vec<_> = (0..256)
                .map(|n| format!(r#"["p{}",1]"#, frame * 256 + n))
                .collect();
            format!(r#"{{"type":"presence","present":[{}]}}"#, names.join(","))
        })
        .collect();
    gate.say(&format!("[{}]", frames.join(","))).await;
    let (reason, said) = gate.ends().await;
    assert_eq!(reason, CloseReason::Policy);
    assert!(said.len() <= 4097, "{}", said.len());
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_was_replaced_speaks_for_nobody() {
    let (_bus, _server, sockets) = server();
    let mut old = Raw::with_room(&sockets, 512);
    old.say(&hello("gate", 1, "")).await;
    let reclaim = old.welcome().await.reclaim;
    let mut bob = Raw::enter(&sockets, "bob").await;
    // It reads nothing of what is said to it.
    for seq in 1..=20 {
        let payload = format!(r#","payload":"{}""#, "x".repeat(1000));
        bob.say(&envelope(seq, "bob", "gate", &payload)).await;
    }
    let mut new = Raw::new(&sockets);
    let more = format!(r#","reclaim":"{}""#, reclaim.reveal());
    new.say(&hello("gate", 2, &more)).await;
    new.welcome().await;
    old.say(r#"[{"type":"presence","present":[["carol",1]]}]"#)
        .await;
    drop(Raw::enter(&sockets, "carol").await);
}
