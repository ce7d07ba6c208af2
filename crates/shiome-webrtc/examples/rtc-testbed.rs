//! A relay, and a peer behind it that can be reached directly, for the tests of the peers in JavaScript: `rtc-testbed [NAME=VALUE..]`.
//!
//! Prints the address of the relay as its first line, and ends with its standard input. The peer does what it is asked to by
//! intents, so that a test sees both directions.
#![allow(clippy::print_stdout, reason = "a program for tests")]

use std::{
    io::Read,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use shiome_bus::{
    Bus, BusError, Delivery, Intent, LinkOptions, Peer, PeerId,
    websocket::{
        Admission, ClientOptions, Links, Origins, Policy, ServerOptions, WebSocketClient,
        WebSocketServer,
    },
};
use shiome_webrtc::{IceServer, Path, Rtc, RtcOptions};

const PEER: &str = "rust";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut port, mut options) = (0_u16, RtcOptions::default());
    options = options.admit(|_| true).heartbeat(Duration::from_secs(1));
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').ok_or("NAME=VALUE")?;
        match name {
            "port" => port = value.parse()?,
            "stun" => options = options.ice_server(IceServer::stun(value)?),
            other => return Err(format!("no setting {other}").into()),
        }
    }
    let links = Links::new(Policy::Any);
    let verifier = |_: &PeerId, _: Option<&str>| Admission::Peer;
    let relay = WebSocketServer::relay(&PeerId::new("relay")?, ServerOptions::new(verifier))?;
    let url = format!("ws://127.0.0.1:{port}/bus");
    let listening = relay.listen(&links, &url, Origins::when(|_| true)).await?;
    let bus = Bus::new();
    let peer = bus.peer(PEER)?;
    let own = ClientOptions::default();
    let link = WebSocketClient::new(listening.url(), peer.id(), links, own)?;
    let link = Arc::new(link);
    bus.attach(Arc::clone(&link) as _, LinkOptions::default().uplink())?;
    link.connected().await?;
    let rtc = Rtc::start(&peer, options)?;
    obey(&peer, &rtc)?;
    println!("{}", listening.url());
    tokio::task::spawn_blocking(wait_for_end_of_input).await?;
    Ok(())
}

fn wait_for_end_of_input() {
    // What is read says nothing; an error is the end, too.
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
}

/// Texts that came or went: how many bytes, and their hash (FNV-1a, 32 bits).
#[derive(Debug, Clone, Copy, Serialize)]
struct Sum {
    len: u64,
    hash: u32,
}

impl Sum {
    const NONE: Self = Self {
        len: 0,
        hash: 0x811c_9dc5,
    };

    fn add(&mut self, text: &str) {
        self.len += text.len() as u64;
        for byte in text.bytes() {
            self.hash = (self.hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
}

/// To whom how much is to be sent.
#[derive(Deserialize)]
struct Pour {
    to: String,
    bytes: u64,
}

fn obey(peer: &Peer, rtc: &Rtc) -> Result<(), BusError> {
    peer.on("echo", |asked| {
        asked.try_respond(asked.payload().clone()).map(drop)
    })?
    .detach();
    let paths = rtc.clone();
    peer.on("path", move |asked| {
        let path = match paths.path(asked.from()) {
            None => "none",
            Some(Path::Connecting) => "connecting",
            Some(Path::Direct) => "direct",
            Some(_) => "relayed",
        };
        asked.try_respond(path).map(drop)
    })?
    .detach();
    let calls = rtc.clone();
    peer.on("call", move |asked| calls.connect(asked.from()))?
        .detach();
    let sum = Arc::new(Mutex::new(Sum::NONE));
    let sunk = Arc::clone(&sum);
    peer.on("sink", move |delivery: &Delivery| {
        let text = delivery.payload().as_str().unwrap_or_default();
        // A sum is whole after any panic.
        let mut sum = sunk.lock().unwrap_or_else(PoisonError::into_inner);
        sum.add(text);
    })?
    .detach();
    peer.on("sum", move |asked| {
        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = std::mem::replace(&mut *sum, Sum::NONE);
        let answer = Intent::json("sum", &sum)?;
        asked.peer()?.try_respond(asked, answer).map(drop)
    })?
    .detach();
    peer.on_async("pour", |asked: Delivery| async move {
        let sum = pour(&asked.peer()?, asked.parse()?).await?;
        let answer = Intent::json("pour", &sum)?;
        asked.peer()?.respond(&asked, answer).await.map(drop)
    })?
    .detach();
    Ok(())
}

/// Sends texts that are all different.
async fn pour(peer: &Peer, Pour { to, bytes }: Pour) -> Result<Sum, BusError> {
    let mut sum = Sum::NONE;
    let mut number = 0_u32;
    while sum.len < bytes {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let text = format!("{number:08x}").repeat(1500);
        sum.add(&text);
        peer.send(&to, Intent::new("sink", text)?).await?;
    }
    Ok(sum)
}
