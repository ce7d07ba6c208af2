//! Addresses that a real server tells and lends: coturn, from Debian's packages. Without it nothing is checked, and that is said.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "support code of tests"
)]

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use shiome_bus::{Bus, Intent, Peer, memory::MemoryLink};
use shiome_transport::{Links, Policy, tls};
use shiome_webrtc::{Failure, IceServer, Path, Rtc, RtcOptions};
use tokio::time::timeout;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer},
};

const SOON: Duration = Duration::from_secs(30);

/// A server of this test alone.
struct Coturn {
    child: Child,
    port: u16,
    tls_port: u16,
    certificate: CertificateDer<'static>,
    _dir: tempfile::TempDir,
}

impl Coturn {
    /// One that runs and answers, unless it is not installed.
    fn start() -> Option<Self> {
        let (port, tls_port) = (free_port(), free_port());
        let dir = tempfile::tempdir().unwrap();
        let ip = ip();
        let names = [ip.to_string()];
        let own = rcgen::generate_simple_self_signed(names).unwrap();
        let file = |name, pem: String| {
            let path = dir.path().join(name);
            std::fs::write(&path, pem).unwrap();
            path.display().to_string()
        };
        let cert = file("cert.pem", own.cert.pem());
        let key = file("key.pem", own.signing_key.serialize_pem());
        let mut command = Command::new("turnserver");
        command
            .args(["--no-cli", "--no-dtls"])
            .args(["--lt-cred-mech", "--user=alice:secret", "--realm=shiome"])
            .arg(format!("--listening-ip={ip}"))
            .arg(format!("--relay-ip={ip}"))
            .args(["--allow-loopback-peers", "--log-file=stdout"])
            .args(["--pidfile=", "--userdb=/dev/null", "-n"])
            .arg(format!("--listening-port={port}"))
            .arg(format!("--tls-listening-port={tls_port}"))
            .args([format!("--cert={cert}"), format!("--pkey={key}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                eprintln!("\n!!! NOTHING IS CHECKED: no turnserver: {error}: install coturn\n");
                return None;
            }
        };
        let server = Self {
            child,
            port,
            tls_port,
            certificate: own.cert.der().clone(),
            _dir: dir,
        };
        assert!(server.answers(), "turnserver says nothing");
        Some(server)
    }

    /// Asks until it answers a STUN request (RFC 8489 §5).
    fn answers(&self) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let patience = Duration::from_millis(200);
        socket.set_read_timeout(Some(patience)).unwrap();
        let request: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xa4\x42shiome-tests";
        let accepts = |port| TcpStream::connect((ip(), port)).is_ok();
        (0..100).any(|_| {
            // Before it listens, its port refuses.
            let _ = socket.send_to(&request, (ip(), self.port));
            let answers = socket.recv_from(&mut [0; 200]).is_ok();
            answers && accepts(self.port) && accepts(self.tls_port)
        })
    }

    fn turn_over_tcp(&self, password: &str) -> IceServer {
        let url = format!("turn:{}:{}?transport=tcp", ip(), self.port);
        IceServer::turn(&url, "alice", password).unwrap()
    }

    fn turn_over_tls(&self) -> IceServer {
        let url = format!("turns:{}:{}", ip(), self.tls_port);
        IceServer::turn(&url, "alice", "secret").unwrap()
    }

    /// Links that believe its certificate.
    fn believing(&self) -> Links {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(tls::ring());
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        Links::new(Policy::Encrypted).with_tls_streams(Some(connector), None)
    }

    fn turn(&self, password: &str) -> IceServer {
        let url = format!("turn:{}:{}", ip(), self.port);
        IceServer::turn(&url, "alice", password).unwrap()
    }

    fn stun(&self) -> IceServer {
        IceServer::stun(&format!("stun:{}:{}", ip(), self.port)).unwrap()
    }
}

/// An address of this machine for this process alone: whoever is given a port on another does not take one of ours.
fn ip() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | high & 63, middle, low)
}

/// A port that is free now, and for as long as no other test of this process asks for one.
fn free_port() -> u16 {
    let udp = UdpSocket::bind((ip(), 0)).unwrap();
    let port = udp.local_addr().unwrap().port();
    // It is used for both.
    match TcpListener::bind((ip(), port)) {
        Ok(_) => port,
        Err(_) => free_port(),
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn options() -> RtcOptions {
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    RtcOptions::default().addresses([loopback]).admit(|_| true)
}

/// Two peers, and the first's way to the second once it is decided.
async fn meet(first: RtcOptions, second: RtcOptions) -> (Peer, Peer, [Rtc; 2], Path) {
    let buses = [Bus::new(), Bus::new()];
    let (a, b) = (buses[0].peer("a").unwrap(), buses[1].peer("b").unwrap());
    MemoryLink::new().connect(&buses[0], &buses[1]).unwrap();
    a.wait_for("b", SOON).await.unwrap();
    b.wait_for("a", SOON).await.unwrap();
    b.on("echo", |asked| {
        asked.try_respond(asked.payload().clone()).map(drop)
    })
    .unwrap()
    .detach();
    let rtc = [
        Rtc::start(&a, first).unwrap(),
        Rtc::start(&b, second).unwrap(),
    ];
    let mut events = rtc[0].events();
    rtc[0].connect("b").unwrap();
    let decided = async {
        loop {
            let event = events.next().await.unwrap();
            if !matches!(event.path, Path::Connecting) {
                return event.path;
            }
        }
    };
    let path = timeout(SOON, decided).await.unwrap();
    (a, b, rtc, path)
}

async fn talk(a: &Peer) {
    for number in 0..20_usize {
        let text = "x".repeat(2000 * number);
        let intent = Intent::new("echo", text.clone()).unwrap();
        let answer = a.request("b", intent).await.unwrap();
        assert_eq!(answer.payload().as_str(), Some(&*text));
        assert_eq!(answer.via().to_string(), "webrtc");
    }
}

#[tokio::test]
async fn addresses_that_a_server_lends_carry_at_both_ends_and_at_one() {
    let Some(server) = Coturn::start() else {
        return;
    };
    let lent = || options().ice_server(server.turn("secret")).relay_only();
    for other in [lent(), options(), options().ice_server(server.stun())] {
        let (a, _b, _rtc, path) = meet(lent(), other).await;
        assert!(path.is_direct(), "{path:?}");
        talk(&a).await;
    }
}

#[tokio::test]
async fn a_server_that_refuses_is_named() {
    let Some(server) = Coturn::start() else {
        return;
    };
    let wrong = options().ice_server(server.turn("wrong")).relay_only();
    let (.., path) = meet(wrong, options()).await;
    let Path::Relayed(Failure::TurnRefused(refused)) = path else {
        panic!("{path:?}");
    };
    assert_eq!(refused.port(), server.port);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    // Nobody listens there.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("turn:127.0.0.1:{}", socket.local_addr().unwrap().port());
    let server = IceServer::turn(&url, "alice", "secret").unwrap();
    let (.., path) = meet(options().ice_server(server).relay_only(), options()).await;
    assert!(
        matches!(path, Path::Relayed(Failure::TurnUnreachable(_))),
        "{path:?}"
    );
}

#[tokio::test]
async fn addresses_are_lent_over_tcp_and_tls_too() {
    let Some(server) = Coturn::start() else {
        return;
    };
    let tcp = || options().ice_server(server.turn_over_tcp("secret"));
    let tls = || options().ice_server(server.turn_over_tls());
    let tls = || tls().turn_links(server.believing());
    for (first, second) in [(tcp(), options()), (tls(), tcp().relay_only())] {
        let (a, _b, _rtc, path) = meet(first.relay_only(), second).await;
        assert!(path.is_direct(), "{path:?}");
        talk(&a).await;
    }
}

#[tokio::test]
async fn a_server_that_refuses_or_is_not_there_is_named_over_streams_too() {
    let Some(server) = Coturn::start() else {
        return;
    };
    let wrong = options().ice_server(server.turn_over_tcp("wrong"));
    let (.., path) = meet(wrong.relay_only(), options()).await;
    let Path::Relayed(Failure::TurnRefused(refused)) = path else {
        panic!("{path:?}");
    };
    assert_eq!(refused.port(), server.port);

    // Nobody listens there, and nobody believes that certificate.
    let gone = format!("turn:{}:{}?transport=tcp", ip(), free_port());
    let gone = IceServer::turn(&gone, "alice", "secret").unwrap();
    let strange = server.turn_over_tls();
    for server in [gone, strange] {
        let (.., path) = meet(options().ice_server(server).relay_only(), options()).await;
        let unreachable = matches!(path, Path::Relayed(Failure::TurnUnreachable(_)));
        assert!(unreachable, "{path:?}");
    }
}
