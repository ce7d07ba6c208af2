//! Two nodes behind NAT, each in a network namespace of its own, with a relay and a STUN and TURN server (coturn) outside of both.
//! Where namespaces, iptables or coturn are not to be had nothing is checked, and that is said.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failed step fails the test; the other processes tell by their output"
)]

#[path = "nat/network.rs"]
mod network;
#[path = "data_channels/node.rs"]
#[expect(dead_code, reason = "the other test uses the rest")]
mod node;

use std::{
    env,
    error::Error,
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Stdio},
};

use ractor::Actor;
use shiome::{
    NodeEvent, RemoteRef,
    bus::{
        PeerId,
        websocket::{Links, Origins, Policy, ServerOptions, WebSocketServer},
    },
    webrtc::{IceServer, RtcOptions},
};

use network::{Network, Side, TURN};
use node::{COOKIE, Count, Counter, start_with};

/// Says to a process of this test which part it plays.
const PART: &str = "SHIOME_TEST_PART";

const RELAY: &str = "ws://198.51.100.1:8640/bus";

/// The relay, until it is killed.
async fn play_relay() {
    let id = PeerId::new("relay").unwrap();
    let relay = WebSocketServer::relay(&id, ServerOptions::anyone()).unwrap();
    let links = Links::new(Policy::Any);
    let listening = relay.listen(&links, RELAY, Origins::none()).await.unwrap();
    println!("part: listens at {}", listening.url());
    std::future::pending().await
}

/// A node with these servers, which dials another if there is one, and says what happens.
async fn play_node(name: &str, other: &str, servers: &[String]) {
    let mut options = RtcOptions::default();
    for url in servers {
        let server = match url.starts_with("turn") {
            true => IceServer::turn(url, "alice", "secret"),
            false => IceServer::stun(url),
        };
        options = options.ice_server(server.unwrap());
    }
    let own = start_with(name, COOKIE, RELAY, options).await;
    let mut events = own.node.events();
    let counter = Some(format!("counter-of-{name}"));
    Actor::spawn(counter, Counter, ()).await.unwrap();
    println!("part: is there");
    if other != "-" {
        own.node.keep_connected(format!("rtc:{other}")).unwrap();
    }
    loop {
        match events.next().await.unwrap() {
            NodeEvent::Ready(session) => {
                let counter = own.node.remote(&session, "counter-of-bob");
                let Some(counter): Option<RemoteRef<Count>> = counter else {
                    continue;
                };
                counter.cast(Count::Add(1)).await.unwrap();
                let total = counter.call(Count::Total, None).await.unwrap();
                println!("part: joined {}, total {total}", session.name);
            }
            NodeEvent::NodeDown { reason, .. } => println!("part: lost, {reason}"),
            NodeEvent::Reconnecting { error, .. } => {
                let mut why = error.to_string();
                let mut source = error.source();
                while let Some(error) = source {
                    why = format!("{why}: {error}");
                    source = error.source();
                }
                println!("part: dials again, {why}");
            }
            _ => {}
        }
    }
}

#[tokio::main]
async fn play(part: &str) {
    let words: Vec<_> = part.split(' ').map(str::to_owned).collect();
    match &words[..] {
        [name, other, servers @ ..] => play_node(name, other, servers).await,
        _ => play_relay().await,
    }
}

/// A process of this test in a namespace, killed when dropped.
struct Part {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Part {
    fn play(network: &Network, side: Side, test: &str, part: &str) -> Self {
        let own = env::current_exe().unwrap();
        let mut command = network.within(side, &own.display().to_string());
        command.args(["--exact", test, "--nocapture"]);
        let mut child = command
            .env(PART, part)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut part = Self { child, lines };
        part.says();
        part
    }

    /// What it says next.
    fn says(&mut self) -> String {
        for line in self.lines.by_ref() {
            if let Some((_, said)) = line.unwrap().split_once("part: ") {
                eprintln!("{said}");
                return said.to_owned();
            }
        }
        panic!("it says nothing more");
    }

    /// Waits until it says something that begins so.
    fn says_at_last(&mut self, what: &str) -> String {
        loop {
            let said = self.says();
            if said.starts_with(what) {
                return said;
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both nodes, the first of which dials the second.
fn nodes(network: &Network, test: &str, servers: &str) -> [Part; 2] {
    let play = |side, part: &str| Part::play(network, side, test, &format!("{part} {servers}"));
    let bob = play(Side::B, "bob -");
    [play(Side::A, "alice bob"), bob]
}

#[test]
fn nodes_behind_nat_join_directly_or_over_a_turn_server_and_come_back() {
    const TEST: &str = "nodes_behind_nat_join_directly_or_over_a_turn_server_and_come_back";
    if let Ok(part) = env::var(PART) {
        return play(&part);
    }
    let network = match Network::new() {
        Ok(network) => network,
        Err(missing) => return eprintln!("\n!!! NOTHING IS CHECKED of NAT: {missing}\n"),
    };
    let _relay = Part::play(&network, Side::Outside, TEST, "relay");
    let stun = format!("stun:{TURN}");
    let turn = format!("turn:{TURN}");

    // NATs that keep to one port for each socket: what a STUN server tells is enough.
    {
        let [mut alice, _bob] = nodes(&network, TEST, &stun);
        assert_eq!(alice.says_at_last("joined"), "joined bob@bob, total 1");
        network.cut(true);
        alice.says_at_last("lost, ");
        network.cut(false);
        assert_eq!(alice.says_at_last("joined"), "joined bob@bob, total 2");
    }
    // NATs that take another for each destination: it is not, and a TURN server is.
    network.scatter();
    {
        let [mut alice, _bob] = nodes(&network, TEST, &stun);
        let why = alice.says_at_last("dials again");
        assert!(
            why.contains("candidate pair") || why.contains("closed"),
            "{why}"
        );
    }
    {
        let [mut alice, _bob] = nodes(&network, TEST, &format!("{stun} {turn}"));
        assert_eq!(alice.says_at_last("joined"), "joined bob@bob, total 1");
    }
    // Nothing but TCP gets out.
    network.cut(true);
    {
        let [mut alice, _bob] = nodes(&network, TEST, &format!("{turn}?transport=tcp"));
        assert_eq!(alice.says_at_last("joined"), "joined bob@bob, total 1");
    }
}
