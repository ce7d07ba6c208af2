//! Real sockets, on ports that the system chooses.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use crate::{websocket::*, *};

fn id(text: &str) -> PeerId {
    PeerId::new(text).unwrap()
}

async fn relay(options: ServerOptions) -> (WebSocketServer, Listening) {
    let relay = WebSocketServer::relay(&id("relay"), options).unwrap();
    let links = Links::new(Policy::Any);
    let listening = relay
        .listen(&links, "ws://127.0.0.1:0/bus", Origins::none())
        .await
        .unwrap();
    (relay, listening)
}

struct Side {
    bus: Bus,
    peer: Peer,
    link: Arc<WebSocketClient>,
}

async fn side(name: &str, url: &str, options: ClientOptions) -> Side {
    let bus = Bus::new();
    let peer = bus.peer(name).unwrap();
    let link = WebSocketClient::new(url, &id(name), Links::new(Policy::Any), options).unwrap();
    let link = Arc::new(link);
    bus.attach(
        Arc::clone(&link) as Arc<dyn Link>,
        LinkOptions::default().uplink(),
    )
    .unwrap();
    link.connected().await.unwrap();
    Side { bus, peer, link }
}

#[tokio::test]
async fn two_peers_talk_through_a_relay() {
    let (relay, listening) = relay(ServerOptions::anyone()).await;
    let a = side("alice", listening.url(), ClientOptions::default()).await;
    let b = side("bob", listening.url(), ClientOptions::default().json_only()).await;
    let (heard, mut hears) = mpsc::unbounded_channel();
    let _on = b.peer.on("chat.message", move |delivery: &Delivery| {
        let _ = heard.send((
            delivery.from().clone(),
            delivery.intent().payload().text().to_owned(),
        ));
    });
    for n in 0..100 {
        a.peer
            .send("bob", Intent::new("chat.message", n).unwrap())
            .await
            .unwrap();
    }
    for n in 0..100 {
        assert_eq!(hears.recv().await.unwrap(), (id("alice"), n.to_string()));
    }
    let _ = (relay, a.link, a.bus, b.link, b.bus, Duration::ZERO);
}
