//! A relay and a peer behind it, for the tests of the peers in JavaScript: `web-testbed [NAME=VALUE..]`.
//!
//! Prints the address of the relay as its first line, and ends with its standard input. The peer does what it is asked to by
//! intents, so that a test sees both directions.
#![allow(clippy::print_stdout, reason = "a program for tests")]

use std::{
    io::Read,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use shiome_bus::{
    Bus, BusError, Delivery, Intent, Level, LinkOptions, Mesh, Peer, PeerId, SendOptions,
    websocket::{
        Admission, ClientOptions, Links, Origins, Policy, ServerOptions, WebSocketClient,
        WebSocketServer,
    },
};

const PEER: &str = "rust";
const ROOM: &str = "lobby";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::of(std::env::args().skip(1))?;
    let links = Links::new(Policy::Any);
    let relay = WebSocketServer::relay(&PeerId::new("relay")?, settings.server())?;
    let url = format!("ws://127.0.0.1:{}/bus", settings.port);
    let listening = relay.listen(&links, &url, Origins::when(|_| true)).await?;
    let bus = Bus::new();
    let peer = bus.peer(PEER)?;
    let own = ClientOptions::default().token("token of rust");
    let link = Arc::new(WebSocketClient::new(
        listening.url(),
        peer.id(),
        links,
        own,
    )?);
    bus.attach(Arc::clone(&link) as _, LinkOptions::default().uplink())?;
    link.connected().await?;
    let room = Arc::new(Mesh::join(&peer, ROOM)?);
    obey(&peer, &room)?;
    println!("{}", listening.url());
    tokio::task::spawn_blocking(wait_for_end_of_input).await?;
    Ok(())
}

fn wait_for_end_of_input() {
    // What is read says nothing; an error is the end, too.
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
}

/// What can be set by an argument.
struct Settings {
    port: u16,
    heartbeat_ms: u64,
    grace_ms: u64,
    probe_ms: u64,
    max_message: usize,
    presence: usize,
    token: Option<String>,
    gateway: Option<String>,
}

impl Settings {
    fn of(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn std::error::Error>> {
        let mut settings = Self {
            port: 0,
            heartbeat_ms: 15_000,
            grace_ms: 10_000,
            probe_ms: 2_000,
            max_message: 1024 * 1024 + 4096,
            presence: 1000,
            token: None,
            gateway: None,
        };
        for argument in arguments {
            let (name, value) = argument.split_once('=').ok_or("NAME=VALUE")?;
            match name {
                "port" => settings.port = value.parse()?,
                "heartbeat_ms" => settings.heartbeat_ms = value.parse()?,
                "grace_ms" => settings.grace_ms = value.parse()?,
                "probe_ms" => settings.probe_ms = value.parse()?,
                "max_message" => settings.max_message = value.parse()?,
                "presence" => settings.presence = value.parse()?,
                "token" => settings.token = Some(value.to_owned()),
                "gateway" => settings.gateway = Some(value.to_owned()),
                other => return Err(format!("no setting {other}").into()),
            }
        }
        Ok(settings)
    }

    fn server(&self) -> ServerOptions {
        let (token, gateway) = (self.token.clone(), self.gateway.clone());
        let verifier = move |id: &PeerId, shown: Option<&str>| {
            let known = id.as_str() == PEER || token.is_none() || token.as_deref() == shown;
            let speaks = gateway.as_deref() == Some(id.as_str());
            match (known, speaks) {
                (false, _) => Admission::No,
                (true, true) => Admission::Gateway,
                (true, false) => Admission::Peer,
            }
        };
        ServerOptions::new(verifier)
            .heartbeat(Duration::from_millis(self.heartbeat_ms))
            .grace(Duration::from_millis(self.grace_ms))
            .probe(Duration::from_millis(self.probe_ms))
            .max_message(self.max_message)
            .presence_limit(self.presence)
    }
}

/// To whom the peer is to say what.
#[derive(Deserialize)]
struct Say {
    to: String,
    name: String,
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    count: u64,
}

/// Has the peer do what it is asked to.
fn obey(peer: &Peer, room: &Arc<Mesh>) -> Result<(), BusError> {
    peer.on_async("echo", |asked| async move {
        asked.respond(asked.payload().clone()).await.map(drop)
    })?
    .detach();
    peer.on("silent", |_| ())?.detach();
    peer.on("fail", |_| Err::<(), _>("as it was asked to"))?
        .detach();
    peer.on_typed_async("tell", tell)?.detach();
    peer.on_typed_async("flood", flood)?.detach();
    peer.on_typed_async("ask", ask)?.detach();
    keep_tally(peer)?;
    talk(peer, room)
}

/// Sends what it is told to, at the level `handled`, and answers with what became of it.
async fn tell(say: Say, asked: Delivery) -> Result<(), BusError> {
    let intent = Intent::new(say.name.as_str(), say.payload)?;
    let handled = SendOptions::default().level(Level::Handled);
    let sent = asked.peer()?.send_with(&say.to, intent, handled).await;
    let told = sent.map(|_| Value::Null);
    asked.respond(result(told)).await.map(drop)
}

/// Sends the numbers up to a count.
async fn flood(say: Say, asked: Delivery) -> Result<(), BusError> {
    let peer = asked.peer()?;
    for number in 0..say.count {
        let intent = Intent::new(say.name.as_str(), json!(number))?;
        peer.send(&say.to, intent).await?;
    }
    asked.respond(say.count).await.map(drop)
}

/// Asks somebody else, and answers with the answer.
async fn ask(say: Say, asked: Delivery) -> Result<(), BusError> {
    let intent = Intent::new(say.name.as_str(), say.payload)?;
    let answer = asked.peer()?.request(&say.to, intent).await;
    let answer = answer.map(|answer| answer.payload().value().clone());
    asked.respond(result(answer)).await.map(drop)
}

fn result(result: Result<Value, BusError>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "error": error.kind().as_str() }),
    }
}

/// Remembers the payloads of `tally`, and tells them when asked for `tallied`.
fn keep_tally(peer: &Peer) -> Result<(), BusError> {
    let tally = Arc::new(Mutex::new(Vec::<Value>::new()));
    let keep = Arc::clone(&tally);
    peer.on("tally", move |delivery| {
        let mut tally = keep.lock().unwrap_or_else(PoisonError::into_inner);
        tally.push(delivery.payload().value().clone());
    })?
    .detach();
    peer.on("tallied", move |asked| {
        let tally = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
        asked.try_respond(Value::from(tally)).map(drop)
    })?
    .detach();
    Ok(())
}

/// Takes part in a room: repeats what is said there in capitals, and tells who is in.
fn talk(peer: &Peer, room: &Arc<Mesh>) -> Result<(), BusError> {
    let says = Arc::downgrade(room);
    room.on("shout", move |text, _| {
        let loud = text.as_str().unwrap_or_default().to_uppercase();
        if let (Some(room), Ok(intent)) = (says.upgrade(), Intent::new("shouted", loud)) {
            // Whoever is out by now does not hear it.
            let _ = room.try_send(&intent);
        }
    })?
    .detach();
    let room = Arc::downgrade(room);
    peer.on("members", move |asked| {
        let members = room
            .upgrade()
            .map(|room| room.members())
            .unwrap_or_default();
        let ids = members.iter().map(|member| member.id.as_str());
        asked.try_respond(Value::from_iter(ids)).map(drop)
    })?
    .detach();
    Ok(())
}
