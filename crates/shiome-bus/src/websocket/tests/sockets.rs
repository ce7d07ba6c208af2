//! Real sockets, on ports that the system chooses.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};

use super::raw::{Raw, id};
use crate::{websocket::*, *};

mod burst;
mod close;
mod order;

/// Long enough for a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

fn links() -> Links {
    Links::new(Policy::Any)
}

async fn listen(server: &WebSocketServer, url: &str) -> Listening {
    server.listen(&links(), url, Origins::none()).await.unwrap()
}

async fn relay(options: ServerOptions) -> (WebSocketServer, Listening) {
    let relay = WebSocketServer::relay(&id("relay"), options).unwrap();
    let listening = listen(&relay, "ws://127.0.0.1:0/bus").await;
    (relay, listening)
}

/// Comes back fast.
fn eager() -> ClientOptions {
    let reconnect =
        Reconnect::default().waits(Duration::from_millis(10), Duration::from_millis(100));
    ClientOptions::default().reconnect(reconnect)
}

/// A peer with a bus of its own, and its link.
struct Side {
    bus: Bus,
    peer: Peer,
    link: Arc<WebSocketClient>,
    heard: mpsc::UnboundedReceiver<(PeerId, u64)>,
}

impl Side {
    fn new(name: &str, url: &str, options: ClientOptions) -> Self {
        let bus = Bus::new();
        let peer = bus.peer(name).unwrap();
        let (hear, heard) = mpsc::unbounded_channel();
        let listen = move |delivery: &Delivery| {
            let _ = hear.send((delivery.from().clone(), delivery.parse().unwrap()));
        };
        peer.on("number", listen).unwrap().detach();
        let link = Arc::new(WebSocketClient::new(url, &id(name), links(), options).unwrap());
        let attached = Arc::clone(&link) as Arc<dyn Link>;
        bus.attach(attached, LinkOptions::default().uplink())
            .unwrap();
        Self {
            bus,
            peer,
            link,
            heard,
        }
    }

    async fn connected(name: &str, url: &str, options: ClientOptions) -> Self {
        let side = Self::new(name, url, options);
        side.link.connected().await.unwrap();
        side
    }

    async fn send(&self, to: &str, number: u64) {
        let intent = Intent::new("number", number).unwrap();
        self.peer.send(to, intent).await.unwrap();
    }

    async fn hears(&mut self, from: &str, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
            assert_eq!(heard.unwrap().unwrap(), (id(from), number));
        }
    }

    async fn state(&self, wanted: impl Fn(&LinkState) -> bool) {
        let mut state = Link::state(&*self.link);
        let reached = tokio::time::timeout(PATIENCE, state.wait_for(wanted)).await;
        reached.unwrap().unwrap();
    }
}

#[tokio::test]
async fn two_peers_talk_through_a_relay_in_either_encoding() {
    let (relay, listening) = relay(ServerOptions::anyone()).await;
    let mut alice = Side::connected("alice", listening.url(), ClientOptions::default()).await;
    let mut bob =
        Side::connected("bob", listening.url(), ClientOptions::default().json_only()).await;
    for number in 0..1000 {
        alice.send("bob", number).await;
        bob.send("alice", number).await;
    }
    bob.hears("alice", 0..1000).await;
    alice.hears("bob", 0..1000).await;
    alice.link.flush().await.unwrap();
    assert_eq!(alice.link.stats().queued, 0);
    assert_eq!(relay.stats().passed_on, 2000);
    assert!(alice.peer.reachable("bob"));
    assert_eq!(alice.link.peers(), [id("bob")]);
}

#[tokio::test]
async fn a_peer_behind_a_server_answers_and_says_what_went_wrong() {
    let bus = Bus::new();
    let server = bus.peer("server").unwrap();
    let answer = |delivery: &Delivery| drop(delivery.try_respond("answer"));
    server.on("ask", answer).unwrap().detach();
    let websockets = WebSocketServer::new(&bus, &id("server"), ServerOptions::anyone()).unwrap();
    let listening = listen(&websockets, "ws://127.0.0.1:0/bus").await;
    let alice = Side::connected("alice", listening.url(), ClientOptions::default()).await;
    let ask = |to: &'static str, name: &'static str| {
        let peer = alice.peer.clone();
        async move { peer.request(to, Intent::new(name, ()).unwrap()).await }
    };
    let answer = ask("server", "ask").await.unwrap();
    assert_eq!(answer.payload().as_str(), Some("answer"));
    assert_eq!(answer.via(), Via::Link(LinkKind::WEBSOCKET));
    let error = ask("server", "sing").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoHandler);
    let error = ask("nobody", "ask").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NodeNotFound);
    // What comes from a link goes to none: no way leads to another client.
    let _bob = Side::connected("bob", listening.url(), ClientOptions::default()).await;
    let error = ask("bob", "ask").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NodeNotFound);
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why() {
    let options =
        ServerOptions::new(
            |id: &PeerId, token: Option<&str>| match (id.as_str(), token) {
                ("alice", Some("secret")) => Admission::Peer,
                _ => Admission::No,
            },
        );
    let (relay, listening) = relay(options.probe(Duration::from_secs(5))).await;
    let token = |token: &str| ClientOptions::default().token(token);
    let eve = Side::new("eve", listening.url(), token("secret"));
    let refused = eve.link.connected().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthorized);
    let alice = Side::connected("alice", listening.url(), token("secret")).await;
    for _ in 0..2 {
        // It does not wait for the name.
        let once = token("secret").reconnect(Reconnect::never());
        let impostor = Side::new("alice", listening.url(), once);
        let refused = impostor.link.connected().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NameTaken);
        // Who has it has answered the probe before this comes back.
        let asked = alice.peer.request("relay", Intent::new("ask", ()).unwrap());
        assert_eq!(asked.await.unwrap_err().kind(), ErrorKind::NodeNotFound);
    }
    assert_eq!(relay.stats().peers, 1);
    let nobody = Side::new("relay", listening.url(), token("secret"));
    assert!(nobody.link.connected().await.is_err());
}

#[tokio::test]
async fn a_run_that_kept_the_secret_has_its_name_at_once() {
    let (_relay, listening) = relay(ServerOptions::anyone()).await;
    let first = Side::connected("alice", listening.url(), ClientOptions::default()).await;
    let secret = first.link.reclaim().unwrap();
    let options = ClientOptions::default().reclaim(secret);
    let mut second = Side::connected("alice", listening.url(), options).await;
    first
        .state(|state| matches!(state, LinkState::Closed(why) if why.contains("replaced")))
        .await;
    let bob = Side::connected("bob", listening.url(), ClientOptions::default()).await;
    bob.send("alice", 1).await;
    second.hears("bob", [1]).await;
}

#[tokio::test]
async fn a_relay_that_starts_anew_gets_its_clients_back() {
    let (first, listening) = relay(ServerOptions::anyone()).await;
    // The port that a relay had may be another's by the time.
    let proxy = Proxy::new(listening.url()).await;
    let mut alice = Side::connected("alice", &proxy.url, eager()).await;
    let bob = Side::connected("bob", &proxy.url, eager()).await;
    bob.send("alice", 1).await;
    alice.hears("bob", [1]).await;
    proxy.to(None);
    drop(listening);
    drop(first);
    alice.state(|state| *state == LinkState::Connecting).await;
    bob.state(|state| *state == LinkState::Connecting).await;
    let error = bob
        .peer
        .send("alice", Intent::new("number", 2).unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    let (_second, listening) = relay(ServerOptions::anyone()).await;
    proxy.to(Some(listening.url()));
    alice.state(|state| *state == LinkState::Up).await;
    bob.state(|state| *state == LinkState::Up).await;
    bob.send("alice", 3).await;
    alice.hears("bob", [3]).await;
}

/// Where a server listens.
fn address(url: &str) -> String {
    let address = url.trim_start_matches("ws://").split('/').next();
    address.unwrap().to_owned()
}

/// Stands between a client and a server, and breaks connections.
struct Proxy {
    url: String,
    /// Address of the server, if there is one.
    server: watch::Sender<Option<String>>,
    cuts: watch::Sender<u64>,
    frozen: watch::Sender<bool>,
}

impl Proxy {
    async fn new(url: &str) -> Self {
        let server = watch::Sender::new(Some(address(url)));
        let servers = server.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/bus", listener.local_addr().unwrap());
        let cuts = watch::Sender::new(0);
        let cut = cuts.clone();
        let frozen = watch::Sender::new(false);
        let freeze = frozen.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let Some(server) = servers.borrow().clone() else {
                    continue;
                };
                let mut cut = cut.subscribe();
                let mut frozen = freeze.subscribe();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(server).await.unwrap();
                    let passes = async {
                        let freeze = async { frozen.wait_for(|frozen| *frozen).await.is_ok() };
                        let frozen = tokio::select! {
                            _ = copy_bidirectional(&mut near, &mut far) => false,
                            frozen = freeze => frozen,
                        };
                        if frozen {
                            std::future::pending::<()>().await;
                        }
                    };
                    tokio::select! {
                        () = passes => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self {
            url,
            server,
            cuts,
            frozen,
        }
    }

    /// Connections go there from now on; `None`: nobody is let through.
    fn to(&self, url: Option<&str>) {
        self.server.send_replace(url.map(address));
    }

    /// Nothing is passed on from now on, and nothing read.
    fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

#[tokio::test]
async fn connections_that_break_lose_nothing_and_repeat_nothing() {
    let (relay, listening) = relay(ServerOptions::anyone()).await;
    let proxy = Proxy::new(listening.url()).await;
    let alice = Side::connected("alice", &proxy.url, eager()).await;
    let mut bob = Side::connected("bob", &proxy.url, eager()).await;
    let mut sent = 0;
    for _ in 0..10 {
        // What was accepted before a break arrives after it.
        for _ in 0..200 {
            alice.send("bob", sent).await;
            sent += 1;
        }
        proxy.cut();
        alice.state(|state| *state == LinkState::Connecting).await;
        alice.state(|state| *state == LinkState::Up).await;
    }
    bob.hears("alice", 0..sent).await;
    assert!(bob.heard.try_recv().is_err(), "nothing twice");
    assert_eq!(relay.stats().peers, 2);
}

#[tokio::test]
async fn who_closes_has_sent_all_and_is_gone() {
    let (relay, listening) = relay(ServerOptions::anyone()).await;
    let alice = Side::connected("alice", listening.url(), ClientOptions::default()).await;
    let mut bob = Side::connected("bob", listening.url(), ClientOptions::default()).await;
    for number in 0..500 {
        alice.send("bob", number).await;
    }
    alice.link.close(PATIENCE).await.unwrap();
    bob.hears("alice", 0..500).await;
    let error = alice
        .peer
        .send("bob", Intent::new("number", 1).unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::NodeNotFound | ErrorKind::NotConnected
        ),
        "{error}"
    );
    while relay.stats().peers > 1 {
        tokio::task::yield_now().await;
    }
    alice.link.close(PATIENCE).await.unwrap();
    assert_eq!(
        alice.link.connected().await.unwrap_err().kind(),
        ErrorKind::Closed
    );
}

#[tokio::test]
async fn a_link_goes_with_its_peer_and_comes_back_with_it() {
    let (relay, listening) = relay(ServerOptions::anyone()).await;
    let Side {
        bus, peer, link, ..
    } = Side::connected("alice", listening.url(), eager()).await;
    peer.close(PATIENCE).await.unwrap();
    drop(peer);
    while relay.stats().peers > 0 {
        tokio::task::yield_now().await;
    }
    let _again = bus.peer("alice").unwrap();
    link.connected().await.unwrap();
    while relay.stats().peers == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_gateway_brings_the_other_peers_of_its_bus() {
    let options = ServerOptions::new(|_: &PeerId, _: Option<&str>| Admission::Gateway);
    let (_relay, listening) = relay(options).await;
    let gate = Side::connected("gate", listening.url(), ClientOptions::default()).await;
    let carol = gate.bus.peer("carol").unwrap();
    let mut bob = Side::connected("bob", listening.url(), ClientOptions::default()).await;
    bob.peer.wait_for("carol", PATIENCE).await.unwrap();
    carol
        .send("bob", Intent::new("number", 7).unwrap())
        .await
        .unwrap();
    bob.hears("carol", [7]).await;
    drop(carol);
    while bob.peer.reachable("carol") {
        tokio::task::yield_now().await;
    }
}

/// Links with a certificate for `127.0.0.1`, which they trust.
fn tls_links() -> Links {
    use tokio_rustls::rustls::{
        ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer,
    };
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let key = PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (dials, accepts) = (Arc::new(client).into(), Arc::new(server).into());
    Links::new(Policy::Encrypted).with_tls_streams(Some(dials), Some(accepts))
}

#[tokio::test]
async fn links_over_tls_are_links() {
    let links = tls_links();
    let relay = WebSocketServer::relay(&id("relay"), ServerOptions::anyone()).unwrap();
    let url = "wss://127.0.0.1:0/bus";
    let listening = relay.listen(&links, url, Origins::none()).await.unwrap();
    assert!(listening.url().starts_with("wss://127.0.0.1:"));
    let connect = |links: Links| {
        let bus = Bus::new();
        let peer = bus.peer("alice").unwrap();
        let options = ClientOptions::default().reconnect(Reconnect::never());
        let link = WebSocketClient::new(listening.url(), &id("alice"), links, options).unwrap();
        let link = Arc::new(link);
        bus.attach(Arc::clone(&link) as Arc<dyn Link>, LinkOptions::default())
            .unwrap();
        (bus, peer, link)
    };
    let (_bus, _peer, link) = connect(links);
    link.connected().await.unwrap();
    // One that trusts another certificate, and one that has no TLS.
    let (_bus, _peer, distrusts) = connect(tls_links());
    assert_eq!(
        distrusts.connected().await.unwrap_err().kind(),
        ErrorKind::Network
    );
    let (_bus, _peer, plain) = connect(Links::new(Policy::Any));
    assert_eq!(
        plain.connected().await.unwrap_err().kind(),
        ErrorKind::Network
    );
    assert_eq!(relay.stats().peers, 1);
}

/// What a web server answers to this request.
async fn status(url: &str, path: &str, more: &str) -> String {
    let server = url.trim_start_matches("ws://").split('/').next().unwrap();
    let mut stream = TcpStream::connect(server).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn pages_of_other_sites_and_other_protocols_are_refused() {
    let relay = WebSocketServer::relay(&id("relay"), ServerOptions::anyone()).unwrap();
    let origins = Origins::only(["https://example.org"]);
    let listening = relay
        .listen(&links(), "ws://127.0.0.1:0/bus", origins)
        .await
        .unwrap();
    let url = listening.url();
    let bus = "Sec-WebSocket-Protocol: shiome-bus.1\r\n";
    let of = |origin: &str| format!("{bus}Origin: {origin}\r\n");
    assert_eq!(status(url, "/bus", bus).await, "HTTP/1.1 101");
    assert_eq!(
        status(url, "/bus", &of("https://example.org")).await,
        "HTTP/1.1 101"
    );
    assert_eq!(
        status(url, "/bus", &of("https://evil.example")).await,
        "HTTP/1.1 403"
    );
    assert_eq!(status(url, "/", bus).await, "HTTP/1.1 404");
    assert_eq!(status(url, "/bus", "").await, "HTTP/1.1 400");
    let cluster = "Sec-WebSocket-Protocol: shiome.1\r\n";
    assert_eq!(status(url, "/bus", cluster).await, "HTTP/1.1 400");
    assert_eq!(relay.stats().peers, 0);
}

#[tokio::test]
async fn a_web_server_hands_over_what_it_has_upgraded() {
    use hyper::{Request, body::Incoming, service::service_fn};
    use hyper_util::rt::TokioIo;

    let relay = Arc::new(WebSocketServer::relay(&id("relay"), ServerOptions::anyone()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/anywhere", listener.local_addr().unwrap());
    let serving = Arc::clone(&relay);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let answer = service_fn(move |mut request: Request<Incoming>| {
            let relay = Arc::clone(&serving);
            async move {
                let response = endpoint(Origins::none()).answer(&request).unwrap();
                tokio::spawn(async move {
                    let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
                    relay.serve(TokioIo::new(upgraded)).await;
                });
                Ok::<_, std::convert::Infallible>(response.map(|()| String::new()))
            }
        });
        let server = hyper::server::conn::http1::Builder::new();
        server
            .serve_connection(TokioIo::new(stream), answer)
            .with_upgrades()
            .await
            .unwrap();
    });
    let alice = Side::connected("alice", &url, ClientOptions::default()).await;
    assert_eq!(relay.stats().peers, 1);
    drop(alice);
}

#[tokio::test]
async fn addresses_that_are_none_are_refused() {
    for url in [
        "",
        "bus",
        "http://127.0.0.1:1/",
        "ws://127.0.0.1/",
        "tcp://127.0.0.1:1",
    ] {
        let client = WebSocketClient::new(url, &id("alice"), links(), ClientOptions::default());
        assert_eq!(client.unwrap_err().kind(), ErrorKind::Network, "{url}");
    }
}

#[tokio::test]
async fn a_client_that_only_talks_tcp_is_gone_without_a_trace() {
    let (relay, listening) = relay(ServerOptions::anyone()).await;
    let server = listening
        .url()
        .trim_start_matches("ws://")
        .split('/')
        .next()
        .unwrap();
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream
        .write_all(b"\0\0\0\0\0\0\0\x10 no web at all\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let relay = Arc::new(relay);
    let raw = Raw::enter(&relay, "alice").await;
    assert_eq!((relay.stats().peers, relay.stats().turned_away), (1, 1));
    drop(raw);
}
