//! WebSocket on loopback: through a relay, in either form, and from bus to bus.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use shiome_bus::{
    Bus, BusOptions, DropReason, Envelope, Link, LinkOptions, MAILBOX_CAPACITY, Peer, PeerId,
    PeerOptions, WeakPeer,
    websocket::{
        ClientOptions, Links, Listening, Origins, Policy, QueueLimits, SUBPROTOCOL, ServerOptions,
        WebSocketClient, WebSocketServer,
    },
    wire::{Batch, Encoding, Frame, Message, decode},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::JoinSet,
};
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message as WsMessage, WebSocketStream};

use crate::stage::{BoxFuture, Stage, World};

/// Time for what has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Room of links: as much as a mailbox has, so that what is full is so everywhere.
fn queue() -> QueueLimits {
    QueueLimits::new(MAILBOX_CAPACITY, 4 << 20)
}

fn real_time() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn links() -> Links {
    Links::new(Policy::Any)
}

fn client(url: &str, id: &PeerId, options: ClientOptions) -> Arc<WebSocketClient> {
    let client = WebSocketClient::new(url, id, links(), options.queue(queue()));
    Arc::new(client.unwrap())
}

async fn listen(server: &WebSocketServer) -> Listening {
    let links = links();
    let listening = server.listen(&links, "ws://127.0.0.1:0/bus", Origins::none());
    listening.await.unwrap()
}

/// Connections to a server, which can be broken.
struct Lines {
    url: String,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Lines {
    async fn to(server: &Listening) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (_, address) = server.url().split_once("://").unwrap();
        let address = address.trim_end_matches("/bus").to_owned();
        let tasks = Arc::new(Mutex::new(JoinSet::new()));
        let lines = Arc::downgrade(&tasks);
        tasks.lock().unwrap().spawn(async move {
            while let (Ok((mut near, _)), Some(lines)) = (listener.accept().await, lines.upgrade())
            {
                let address = address.clone();
                lines.lock().unwrap().spawn(async move {
                    let mut far = TcpStream::connect(address).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self {
            url: format!("ws://127.0.0.1:{port}/bus"),
            tasks,
        }
    }

    /// Breaks all, and lets nobody through any more.
    fn cut(&self) {
        self.tasks.lock().unwrap().abort_all();
    }
}

/// Waits until all that are there and a newcomer reach each other.
async fn meet(new: &Peer, others: &[WeakPeer]) {
    for other in others.iter().filter_map(WeakPeer::upgrade) {
        if !other.is_closed() {
            new.wait_for(other.id(), PATIENCE).await.unwrap();
            other.wait_for(new.id(), PATIENCE).await.unwrap();
        }
    }
}

/// All peers are clients of one relay.
pub(crate) struct RelayStage {
    name: &'static str,
    binary: bool,
}

impl RelayStage {
    pub(crate) const JSON: Self = Self {
        name: "WebSocket, JSON",
        binary: false,
    };
    pub(crate) const BINARY: Self = Self {
        name: "WebSocket, binary",
        binary: true,
    };
}

impl Stage for RelayStage {
    fn name(&self) -> &'static str {
        self.name
    }

    fn runtime(&self) -> Runtime {
        real_time()
    }

    fn open(&self, options: BusOptions) -> Box<dyn World> {
        Box::new(Relayed {
            options,
            binary: self.binary,
            relay: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        })
    }
}

struct Relayed {
    options: BusOptions,
    binary: bool,
    relay: tokio::sync::Mutex<Option<(Listening, String)>>,
    state: Mutex<RelayedState>,
}

#[derive(Default)]
struct RelayedState {
    server: Option<Arc<WebSocketServer>>,
    lines: Option<Lines>,
    buses: Vec<Bus>,
    peers: Vec<WeakPeer>,
}

impl Relayed {
    async fn url(&self) -> String {
        let mut relay = self.relay.lock().await;
        if relay.is_none() {
            let id = PeerId::new("the-relay").unwrap();
            let options = ServerOptions::anyone().queue(queue());
            let server = WebSocketServer::relay(&id, options).unwrap();
            let listening = listen(&server).await;
            let lines = Lines::to(&listening).await;
            *relay = Some((listening, lines.url.clone()));
            let mut state = self.state.lock().unwrap();
            (state.server, state.lines) = (Some(Arc::new(server)), Some(lines));
        }
        relay.as_ref().unwrap().1.clone()
    }
}

impl World for Relayed {
    fn peer_with<'a>(&'a self, name: &'a str, options: PeerOptions) -> BoxFuture<'a, Peer> {
        Box::pin(async move {
            let url = self.url().await;
            let bus = Bus::with(self.options.clone());
            let peer = bus.peer_with(name, options).unwrap();
            let options = match self.binary {
                true => ClientOptions::default(),
                false => ClientOptions::default().json_only(),
            };
            let link = client(&url, peer.id(), options);
            let attached = Arc::clone(&link) as Arc<dyn Link>;
            bus.attach(attached, LinkOptions::default()).unwrap();
            link.connected().await.unwrap();
            let others = self.state.lock().unwrap().peers.clone();
            meet(&peer, &others).await;
            let mut state = self.state.lock().unwrap();
            state.peers.push(peer.downgrade());
            state.buses.push(bus);
            drop(state);
            peer
        })
    }

    fn buses(&self) -> Vec<Bus> {
        self.state.lock().unwrap().buses.clone()
    }

    fn dropped_between(&self, reason: DropReason) -> u64 {
        let state = self.state.lock().unwrap();
        let stats = state.server.as_ref().map(|server| server.stats());
        match (reason, stats) {
            (DropReason::Forged, Some(stats)) => stats.forged,
            (DropReason::QueueFull, Some(stats)) => stats.queue_full,
            _ => 0,
        }
    }

    fn cut(&self) -> bool {
        if let Some(lines) = &self.state.lock().unwrap().lines {
            lines.cut();
        }
        true
    }

    fn inject<'a>(&'a self, end: &'a str, to: &'a Peer, envelope: Envelope) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let url = self.url().await;
            // A relay hands over what comes after that as soon as it may.
            say(&url, end, envelope).await && to.ping(to.id().as_str(), PATIENCE).await.is_ok()
        })
    }
}

/// Each peer has a server, and dials those of all that were there before.
pub(crate) struct DirectStage;

impl Stage for DirectStage {
    fn name(&self) -> &'static str {
        "WebSocket, direct"
    }

    fn runtime(&self) -> Runtime {
        real_time()
    }

    fn open(&self, options: BusOptions) -> Box<dyn World> {
        Box::new(Direct {
            options,
            nodes: Mutex::default(),
        })
    }
}

struct Direct {
    options: BusOptions,
    nodes: Mutex<Vec<DirectNode>>,
}

struct DirectNode {
    bus: Bus,
    peer: WeakPeer,
    lines: Lines,
    _server: (WebSocketServer, Listening),
}

impl World for Direct {
    fn peer_with<'a>(&'a self, name: &'a str, options: PeerOptions) -> BoxFuture<'a, Peer> {
        Box::pin(async move {
            let bus = Bus::with(self.options.clone());
            let peer = bus.peer_with(name, options).unwrap();
            let options = ServerOptions::anyone().queue(queue());
            let server = WebSocketServer::new(&bus, peer.id(), options).unwrap();
            let listening = listen(&server).await;
            let others: Vec<_> = {
                let nodes = self.nodes.lock().unwrap();
                let open = |node: &&DirectNode| {
                    let peer = node.peer.upgrade();
                    peer.is_some_and(|peer| !peer.is_closed())
                };
                let open = nodes.iter().filter(open);
                open.map(|node| (node.peer.clone(), node.lines.url.clone()))
                    .collect()
            };
            for (_, url) in &others {
                let link = client(url, peer.id(), ClientOptions::default());
                let attached = Arc::clone(&link) as Arc<dyn Link>;
                bus.attach(attached, LinkOptions::default()).unwrap();
                link.connected().await.unwrap();
            }
            let others: Vec<_> = others.into_iter().map(|(peer, _)| peer).collect();
            meet(&peer, &others).await;
            let lines = Lines::to(&listening).await;
            self.nodes.lock().unwrap().push(DirectNode {
                bus,
                peer: peer.downgrade(),
                lines,
                _server: (server, listening),
            });
            peer
        })
    }

    fn buses(&self) -> Vec<Bus> {
        let nodes = self.nodes.lock().unwrap();
        nodes.iter().map(|node| node.bus.clone()).collect()
    }

    fn cut(&self) -> bool {
        let nodes = self.nodes.lock().unwrap();
        nodes.iter().for_each(|node| node.lines.cut());
        true
    }

    fn inject<'a>(&'a self, end: &'a str, to: &'a Peer, envelope: Envelope) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let url = {
                let nodes = self.nodes.lock().unwrap();
                let of = nodes.iter().rev().find(|node| {
                    let peer = node.peer.upgrade();
                    peer.is_some_and(|peer| peer.id() == to.id())
                });
                of.map(|node| node.lines.url.clone())
            };
            say(&url.unwrap(), end, envelope).await
        })
    }
}

/// Comes in by hand under this name, says that, and waits until it was taken. `false` when the name is not let in.
async fn say(url: &str, name: &str, envelope: Envelope) -> bool {
    static RUN: AtomicUsize = AtomicUsize::new(1);
    let mut socket = dial(url).await;
    let run = RUN.fetch_add(1, Ordering::Relaxed);
    let hello = format!(r#"[{{"type":"hello","version":1,"id":"{name}","incarnation":{run}}}]"#);
    socket.send(WsMessage::text(hello)).await.unwrap();
    let frames = hear(&mut socket).await;
    if !matches!(frames[..], [Frame::Welcome(_)]) {
        return false;
    }
    let mut batch = Batch::new(Encoding::Json);
    batch.push(&Frame::Envelope(envelope));
    let Message::Text(text) = batch.finish() else {
        panic!("JSON is text");
    };
    let text = String::from_utf8(text.to_vec()).unwrap();
    socket.send(WsMessage::text(text)).await.unwrap();
    while !hear(&mut socket)
        .await
        .iter()
        .any(|frame| matches!(frame, Frame::Ack { received: 1 }))
    {}
    let goodbye = r#"[{"type":"goodbye","reason":"closed"}]"#;
    socket.send(WsMessage::text(goodbye)).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    true
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn dial(url: &str) -> Socket {
    let builder = ClientBuilder::new().uri(url).unwrap();
    let builder = builder
        .add_header(
            "sec-websocket-protocol".parse().unwrap(),
            SUBPROTOCOL.parse().unwrap(),
        )
        .unwrap();
    builder.connect().await.unwrap().0
}

async fn hear(socket: &mut Socket) -> Vec<Frame> {
    let heard = tokio::time::timeout(PATIENCE, socket.next()).await;
    let Some(Ok(message)) = heard.unwrap() else {
        return Vec::new();
    };
    let text = message.as_text().unwrap_or("[]").to_owned();
    decode(&Message::Text(text.into())).unwrap()
}
