//! A chat in a page: a web server, a relay, and a peer in Rust that is in the room with the peers of the pages. Who is in it talks
//! directly to the others, where the network lets them, and through the relay otherwise.
//!
//! `cargo run -p shiome --example web-chat` prints the address. With an address to listen at as its argument, such as
//! `0.0.0.0:8640`, others in the network can come, too.

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue,
        X_CONTENT_TYPE_OPTIONS,
    },
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use shiome::{
    bus::{
        Bus, BusError, Intent, Mesh, Peer,
        websocket::{Origins, ServerOptions, WebSocketServer, endpoint},
    },
    webrtc::{Rtc, RtcOptions},
};
use tokio::net::TcpListener;

const FERRIS: &str = "ferris";
const ROOM: &str = "lobby";

/// Messages that are told to who comes later.
const REMEMBERED: usize = 50;

/// What is served, besides the WebSocket.
const FILES: [(&str, &str, &str); 5] = [
    ("/", "text/html", include_str!("web_chat/index.html")),
    ("/chat.css", "text/css", include_str!("web_chat/chat.css")),
    (
        "/chat.js",
        "text/javascript",
        include_str!("web_chat/chat.js"),
    ),
    (
        "/shiome.js",
        "text/javascript",
        include_str!("../../shiome-bus/web/shiome.js"),
    ),
    (
        "/rtc.js",
        "text/javascript",
        include_str!("../../shiome-bus/web/rtc.js"),
    ),
];

/// Pages load nothing from elsewhere, and speak to nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8640");
    let bus = Bus::new();
    let ferris = bus.peer(FERRIS)?;
    let relay = WebSocketServer::new(&bus, ferris.id(), ServerOptions::anyone().relay())?;
    let relay = Arc::new(relay);
    let room = Arc::new(Mesh::join(&ferris, ROOM)?);
    take_part(&ferris, &room)?;
    // It ends with this.
    let _rtc = Rtc::start(&ferris, RtcOptions::default().admit(|_| true))?;

    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let relay = Arc::clone(&relay);
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(&relay, request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), answer);
            // A page that goes away in the middle is no news.
            let _ = connection.with_upgrades().await;
        });
    }
}

/// A file, or the WebSocket.
async fn answer(
    relay: &Arc<WebSocketServer>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    if path == "/bus" {
        return Ok(open(relay, request));
    }
    let mut response = match FILES.iter().find(|(known, ..)| *known == path) {
        Some((_, kind, text)) => file(kind, text),
        None => empty(StatusCode::NOT_FOUND),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn file(kind: &str, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    let kind = HeaderValue::try_from(format!("{kind}; charset=utf-8"));
    response.headers_mut().insert(
        CONTENT_TYPE,
        kind.expect("the kinds of our files are visible ASCII"),
    );
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Opens a WebSocket for a page of ours, which the relay serves from then on.
fn open(relay: &Arc<WebSocketServer>, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Some(host) = own_host(&request) else {
        return empty(StatusCode::MISDIRECTED_REQUEST);
    };
    let ours = Origins::only([format!("http://{host}")]);
    let response = match endpoint(ours).answer(&request) {
        Ok(response) => response,
        Err(error) => return error.response().map(|()| Full::default()),
    };
    let (relay, upgraded) = (Arc::clone(relay), hyper::upgrade::on(&mut request));
    tokio::spawn(async move {
        if let Ok(socket) = upgraded.await {
            relay.serve(TokioIo::new(socket)).await;
        }
    });
    response.map(|()| Full::default())
}

/// Where the page has us from, if that is an address: a name may be one that somebody else has given to this machine.
fn own_host(request: &Request<Incoming>) -> Option<String> {
    let host = request.headers().get(HOST)?.to_str().ok()?;
    let (name, _port) = host.rsplit_once(':').unwrap_or((host, "80"));
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    (name == "localhost" || address.is_ok()).then(|| host.to_owned())
}

/// What was said.
#[derive(Clone, Serialize)]
struct Said {
    from: String,
    text: String,
}

/// The last messages.
#[derive(Default)]
struct History(Mutex<VecDeque<Said>>);

impl History {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Said>> {
        // The list is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, from: &str, text: &str) {
        let mut said = self.lock();
        if said.len() == REMEMBERED {
            said.pop_front();
        }
        let (from, text) = (from.to_owned(), text.to_owned());
        said.push_back(Said { from, text });
    }
}

/// Welcomes who comes, remembers what is said, and answers when it is spoken to.
fn take_part(ferris: &Peer, room: &Arc<Mesh>) -> Result<(), BusError> {
    let history = Arc::new(History::default());

    let (peer, known) = (ferris.downgrade(), Arc::downgrade(room));
    room.on_join(move |member| {
        let members = known.upgrade().map_or(0, |room| room.members().len());
        let text = format!(
            "Welcome, {}! Members here: {}. I am the one in Rust.",
            member.id,
            members + 1
        );
        if let (Some(peer), Ok(intent)) = (peer.upgrade(), Intent::new("whisper", text)) {
            // Who has left already needs no welcome.
            let _ = peer.try_send(&member.id, intent);
        }
    })
    .detach();

    let (hears, speaks) = (Arc::clone(&history), Arc::downgrade(room));
    room.on("message", move |text, from| {
        let text = text.as_str().unwrap_or_default();
        hears.add(from.as_str(), text);
        if text.to_lowercase().contains(FERRIS) {
            say(&speaks, &hears, from.as_str());
        }
    })?
    .detach();

    ferris
        .on("history", move |asked| {
            let said = Vec::from_iter(history.lock().iter().cloned());
            asked.try_respond(serde_json::json!(said)).map(drop)
        })?
        .detach();
    Ok(())
}

fn say(room: &Weak<Mesh>, history: &History, to: &str) {
    let Some(room) = room.upgrade() else {
        return;
    };
    let (heard, members) = (history.lock().len(), room.members().len());
    let text = format!(
        "I hear you, {to}. Messages so far: {heard}. Members here: {}.",
        members + 1
    );
    history.add(FERRIS, &text);
    if let Ok(intent) = Intent::new("message", text) {
        // Members that have no room are told by the report, which a chat need not read.
        let _ = room.try_send(&intent);
    }
}
