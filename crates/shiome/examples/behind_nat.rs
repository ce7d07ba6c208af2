//! A cluster whose nodes have no port that others could dial: they meet on a relay, and join over WebRTC data channels. In three
//! terminals, on three machines if you like, with the address that the relay says:
//!
//! ```text
//! cargo run -p shiome --example behind-nat -- relay 0.0.0.0:8640
//! cargo run -p shiome --example behind-nat -- alice ws://127.0.0.1:8640/bus
//! cargo run -p shiome --example behind-nat -- bob ws://127.0.0.1:8640/bus alice
//! ```
//!
//! `STUN=stun:HOST:PORT` in the environment names a server that tells a node its address outside of its own network. What is said
//! to the relay here can be read by others: elsewhere it is `wss://`, and lets in those alone that it knows.
#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::{env, error::Error, sync::Arc};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use shiome::{
    Node, RactorClusterMessage,
    bus::{
        Bus, LinkOptions, Peer, PeerId,
        websocket::{
            ClientOptions, Links, Origins, Policy, ServerOptions, WebSocketClient, WebSocketServer,
        },
    },
    webrtc::{IceServer, RtcLinks, RtcOptions},
};

/// Runs the relay, until it is interrupted.
pub(crate) async fn relay(address: &str) -> Result<(), Box<dyn Error>> {
    let relay = WebSocketServer::relay(&PeerId::new("relay")?, ServerOptions::anyone())?;
    let (links, url) = (Links::new(Policy::Any), format!("ws://{address}/bus"));
    let listening = relay.listen(&links, &url, Origins::none()).await?;
    println!("the relay is at {}", listening.url());
    std::future::pending().await
}

/// A peer of this name on the relay.
async fn peer(name: &str, relay: &str) -> Result<Peer, Box<dyn Error>> {
    let bus = Bus::new();
    let peer = bus.peer(name)?;
    let links = Links::new(Policy::Any);
    let link = WebSocketClient::new(relay, peer.id(), links, ClientOptions::default())?;
    let link = Arc::new(link);
    bus.attach(Arc::clone(&link) as _, LinkOptions::default().uplink())?;
    link.connected().await?;
    Ok(peer)
}

/// Runs a node: it greets whoever asks, and asks those others.
pub(crate) async fn node(name: &str, relay: &str, others: &[String]) -> Result<(), Box<dyn Error>> {
    let peer = peer(name, relay).await?;
    // Who knows the cookie is let in; anybody on the relay may try.
    let mut options = RtcOptions::default().admit(|_| true);
    if let Ok(url) = env::var("STUN") {
        options = options.ice_server(IceServer::stun(&url)?);
    }
    let rtc = RtcLinks::start(&peer, options)?;
    let node = Node::builder(format!("{name}@{name}:0"))
        .cookie("a long random secret")
        .links(rtc.links())
        .no_own_port()
        .listen_at(format!("rtc:{name}"))
        .advertise(format!("rtc:{name}"))
        .start()
        .await?;
    Actor::spawn(Some("greeter".to_owned()), Greeter, name.to_owned()).await?;
    println!("{} listens at {}", node.name(), node.local_addresses()[0]);
    for other in others {
        let session = node.keep_connected(format!("rtc:{other}"))?;
        let session = session.connected().await?;
        println!("joined {} at {}", session.name, session.peer_addr);
        let greeter = node.remote::<Greet>(&session, "greeter");
        let greeter = greeter.ok_or("there is no greeter")?;
        let greeting = greeter.call(|reply| Greet::Hello(name.to_owned(), reply), None);
        println!("{}", greeting.await?);
    }
    std::future::pending().await
}

#[derive(RactorClusterMessage)]
enum Greet {
    #[rpc]
    Hello(String, RpcReplyPort<String>),
}

struct Greeter;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Greeter {
    type Msg = Greet;
    type State = String;
    type Arguments = String;

    async fn pre_start(
        &self,
        _: ActorRef<Greet>,
        name: String,
    ) -> Result<String, ActorProcessingErr> {
        Ok(name)
    }

    async fn handle(
        &self,
        _: ActorRef<Greet>,
        Greet::Hello(who, reply): Greet,
        name: &mut String,
    ) -> Result<(), ActorProcessingErr> {
        reply.send(format!("hello {who}, from {name}"))?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    match &args[..] {
        [what, address] if what == "relay" => relay(address).await,
        [name, url, others @ ..] => node(name, url, others).await,
        _ => Err("relay ADDRESS, or NAME URL [OTHER..]?".into()),
    }
}
