//! Two nodes, each a process, whose only way to each other is a WebRTC data channel that a relay has signalled.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed step fails the test; the other process tells by its output"
)]

#[path = "data_channels/node.rs"]
mod node;

use std::{env, future::Future, process::Stdio, time::Duration};

use ractor::{Actor, ActorRef, call_t, pg};
use shiome::{
    ConnectError, Connection, Down, Events, Node, NodeDown, NodeEvent, RemoteRef, RunEnd, Security,
    SessionInfo,
    bus::{
        PeerId,
        websocket::{Links, Listening, Origins, Policy, ServerOptions, WebSocketServer},
    },
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::mpsc,
    time::timeout,
};

use node::{COOKIE, COUNTERS, Count, Counter, Reached, WATCHERS, Watcher, start};

/// Nothing takes nearly as long, on any machine.
const SOON: Duration = Duration::from_secs(60);

/// Says to a process of this test that it is the other node, and where the relay is.
const RELAY: &str = "SHIOME_TEST_RELAY";

async fn soon<T>(what: &str, done: impl Future<Output = T>) -> T {
    let done = timeout(SOON, done).await;
    done.unwrap_or_else(|_| panic!("{what}: not in {SOON:?}"))
}

/// Plays the other node until it is killed: it says who has a session.
async fn play_bob(relay: &str) -> ! {
    let bob = start("bob", COOKIE, relay).await;
    let mut events = bob.node.events();
    Actor::spawn(Some("counter".to_owned()), Counter, ())
        .await
        .unwrap();
    println!("bob listens");
    loop {
        if let NodeEvent::Ready(session) = events.next().await.unwrap() {
            println!("bob has {}", session.name);
        }
    }
}

/// The process of the other node, killed when dropped.
struct Bob {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Bob {
    async fn run(test: &str, relay: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", test, "--nocapture"])
            .env(RELAY, relay)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut bob = Self { child, said };
        assert_eq!(bob.says().await, "listens");
        bob
    }

    /// What it says next.
    async fn says(&mut self) -> String {
        let said = async {
            loop {
                let line = self.said.next_line().await.unwrap().unwrap();
                if let Some((_, said)) = line.split_once("bob ") {
                    return said.to_owned();
                }
            }
        };
        soon("bob says something", said).await
    }

    /// Sends its process a signal.
    async fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        let mut kill = Command::new("kill");
        let sent = kill.args([signal, &pid]).status().await.unwrap();
        assert!(sent.success());
    }
}

struct Relay {
    server: WebSocketServer,
    listening: Listening,
}

impl Relay {
    async fn start() -> Self {
        let id = PeerId::new("relay").unwrap();
        // A name is free again soon after its process was killed.
        let options = ServerOptions::anyone().grace(Duration::from_millis(200));
        let server = WebSocketServer::relay(&id, options).unwrap();
        let links = Links::new(Policy::Any);
        let listening = server.listen(&links, "ws://127.0.0.1:0/bus", Origins::none());
        let listening = listening.await.unwrap();
        Self { server, listening }
    }
}

async fn total(counter: &RemoteRef<Count>) -> u64 {
    counter.call(Count::Total, None).await.unwrap()
}

/// Waits until the session with bob is gone; why.
async fn down(events: &mut Events) -> NodeDown {
    let down = async {
        loop {
            match events.next().await.unwrap() {
                NodeEvent::NodeDown { session, reason } if session.name == "bob@bob" => {
                    return reason;
                }
                _ => {}
            }
        }
    };
    soon("the session ends", down).await
}

/// Actors of both processes reach each other, by reference, by handle and by group.
async fn talk(alice: &Reached, session: &SessionInfo) -> RemoteRef<Count> {
    let members = pg::get_members(&COUNTERS.to_owned());
    assert_eq!(members.len(), 1, "bob's");
    let by_reference = ActorRef::<Count>::from(members[0].clone());
    by_reference.cast(Count::Add(5)).unwrap();
    assert_eq!(call_t!(by_reference, Count::Total, 30_000).unwrap(), 5);

    let counter: RemoteRef<Count> = alice.node.remote(session, "counter").unwrap();
    counter.cast(Count::Add(2)).await.unwrap();
    assert_eq!(total(&counter).await, 7);

    let (heard, mut hears) = mpsc::unbounded_channel();
    let (watcher, _) = Actor::spawn(None, Watcher, heard).await.unwrap();
    pg::join(WATCHERS.to_owned(), vec![watcher.get_cell()]);
    let counted = soon("bob has seen who joined", hears.recv()).await;
    assert_eq!(counted, Some(7));
    counter
}

/// Who does not know the cookie has a channel, and no session.
async fn is_refused_with_another_cookie(relay: &str) {
    let mallory = start("mallory", "another secret", relay).await;
    let mut events = mallory.node.events();
    let refused = soon("a refusal", mallory.node.connect("rtc:bob")).await;
    assert!(
        matches!(refused, Err(ConnectError::Handshake(_))),
        "{refused:?}"
    );
    assert!(mallory.node.sessions().await.unwrap().is_empty());
    let opened = soon("the channel was open", events.next()).await.unwrap();
    assert!(matches!(opened, NodeEvent::Opened(_)), "{opened:?}");
    mallory.node.stop().await;
}

/// Waits until bob is dialled again: the session that was is not taken for the next.
async fn dialled_again(events: &mut Events) {
    let again = async {
        let dials = |event: &NodeEvent| matches!(event, NodeEvent::Reconnecting { .. });
        while !dials(&events.next().await.unwrap()) {}
    };
    soon("it is dialled again", again).await;
}

async fn connected(kept: &Connection) -> SessionInfo {
    soon("a session", kept.connected()).await.unwrap()
}

/// A channel that nothing comes through ends the session; another is made when it is possible again, with the same run of bob.
async fn comes_back_after_silence(
    bob: &mut Bob,
    kept: &Connection,
    events: &mut Events,
    counter: &RemoteRef<Count>,
) {
    let gone = counter.monitor();
    bob.signal("-STOP").await;
    assert_eq!(down(events).await, NodeDown::Unresponsive);
    let gone = soon("the monitor tells", gone).await;
    assert_eq!(gone, Down::NodeDown(NodeDown::Unresponsive));
    dialled_again(events).await;
    bob.signal("-CONT").await;
    connected(kept).await;
    assert_eq!(total(counter).await, 7, "the handle is good again");
}

/// A node that is killed is dialled again when it runs anew.
async fn comes_back_anew(
    test: &str,
    relay: &str,
    mut bob: Bob,
    (kept, events): (&Connection, &mut Events),
    (node, counter): (&Node, &RemoteRef<Count>),
) -> Bob {
    bob.child.kill().await.unwrap();
    drop(bob);
    down(events).await;
    dialled_again(events).await;
    let bob = Bob::run(test, relay).await;
    let session = connected(kept).await;
    let end = soon("the run has ended", counter.ended()).await;
    assert_eq!(end, RunEnd::Restarted);
    let counter: RemoteRef<Count> = node.remote(&session, "counter").unwrap();
    assert_eq!(total(&counter).await, 0);
    bob
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actors_reach_each_other_over_a_data_channel_that_a_relay_has_signalled() {
    const TEST: &str = "actors_reach_each_other_over_a_data_channel_that_a_relay_has_signalled";
    if let Ok(relay) = env::var(RELAY) {
        play_bob(&relay).await;
    }
    let relay = Relay::start().await;
    let url = relay.listening.url().to_owned();
    let mut bob = Bob::run(TEST, &url).await;
    is_refused_with_another_cookie(&url).await;

    let alice = start("alice", COOKIE, &url).await;
    let mut events = alice.node.events();
    let kept = alice.node.keep_connected("rtc:bob").unwrap();
    let session = connected(&kept).await;
    assert_eq!(
        (&*session.name, &*session.peer_addr),
        ("bob@bob", "rtc:bob")
    );
    assert_eq!(bob.says().await, "has alice@alice", "and nobody before");
    let link = alice.node.link(&session).unwrap();
    assert_eq!(link.security, Security::Tls);
    assert!(link.native.is_some());

    let counter = talk(&alice, &session).await;
    comes_back_after_silence(&mut bob, &kept, &mut events, &counter).await;
    let ways = (&kept, &mut events);
    let bob = comes_back_anew(TEST, &url, bob, ways, (&alice.node, &counter)).await;

    // Without the relay nobody comes anew, and who is there stays.
    relay.server.close();
    drop(relay);
    let session = connected(&kept).await;
    let counter: RemoteRef<Count> = alice.node.remote(&session, "counter").unwrap();
    counter.cast(Count::Add(9)).await.unwrap();
    assert_eq!(total(&counter).await, 9);

    alice.node.stop().await;
    let links_end = async {
        while !alice.rtc.is_empty() {
            // There is no event for the last of a link: it is looked for.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("nothing is left", links_end).await;
    drop(bob);
}
