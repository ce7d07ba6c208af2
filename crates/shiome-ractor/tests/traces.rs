//! One trace spans two processes, as OpenTelemetry sees it.
//!
//! The other process is this program, too: its test [`callee`].

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![cfg(feature = "opentelemetry")]

use std::{
    io::{BufRead, Write},
    marker::PhantomData,
    process::{Command, Stdio},
    time::Duration,
};

use opentelemetry::trace::SpanKind;
use ractor::{Actor, ActorProcessingErr, ActorRef, Message, RpcReplyPort, pg};
use shiome_ractor::{CallError, Node, RactorClusterMessage, RemoteRef};
use tracing::{Instrument, info_span};

use self::spans::{Seen, Spans};

#[path = "traces/spans.rs"]
mod spans;

const COOKIE: &str = "the cookie of the traces";

/// Set in the environment of the other process.
const IS_CALLEE: &str = "SHIOME_TEST_CALLEE";

#[derive(RactorClusterMessage)]
#[cluster(trace = ::shiome_ractor)]
enum Count {
    Add(u64),
    #[rpc]
    Total(RpcReplyPort<u64>),
    #[rpc]
    Forget(RpcReplyPort<u64>),
}

/// The same, of which nothing is known before an actor takes it.
#[derive(RactorClusterMessage)]
enum Quiet {
    Add(u64),
    #[rpc]
    Total(RpcReplyPort<u64>),
}

impl From<Quiet> for Count {
    fn from(message: Quiet) -> Self {
        match message {
            Quiet::Add(n) => Self::Add(n),
            Quiet::Total(port) => Self::Total(port),
        }
    }
}

/// Says in a span of its own that it handles a message.
struct Counter<M>(PhantomData<fn(M)>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<M: Message + Into<Count>> Actor for Counter<M> {
    type Msg = M;
    type State = u64;
    type Arguments = &'static str;

    async fn pre_start(
        &self,
        myself: ActorRef<M>,
        group: &'static str,
    ) -> Result<u64, ActorProcessingErr> {
        pg::join(group.to_owned(), vec![myself.get_cell()]);
        Ok(0)
    }

    async fn handle(
        &self,
        _myself: ActorRef<M>,
        message: M,
        total: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        let _span = info_span!("handler").entered();
        match message.into() {
            Count::Add(n) => *total += n,
            Count::Total(port) => port.send(*total)?,
            Count::Forget(port) => drop(port),
        }
        Ok(())
    }
}

/// A counter with that name, in a group of that name.
async fn counter<M: Message + Into<Count>>(name: &'static str) -> ActorRef<M> {
    let counter = Counter(PhantomData);
    let spawned = Actor::spawn(Some(name.to_owned()), counter, name).await;
    spawned.unwrap().0
}

/// The other process: has counters until its input ends, then tells its spans.
#[tokio::test]
#[ignore = "a part of the other tests"]
async fn callee() {
    if std::env::var_os(IS_CALLEE).is_none() {
        return;
    }
    let spans = Spans::install();
    let node = Node::builder("callee@127.0.0.1:0").cookie(COOKIE);
    let node = node.start().await.unwrap();
    let exported = counter::<Count>("exported").await;
    node.export(&exported).unwrap();
    counter::<Count>("plain").await;
    counter::<Quiet>("quiet").await;
    tell(&format!("listening {}", node.local_addr()));
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().count());
    ended.await.unwrap();
    node.stop().await;
    for seen in spans.take() {
        tell(&format!("span {}", seen.to_line()));
    }
}

/// A line of its own, whatever the test harness has begun.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

/// What both processes have seen of what this one does with the other one's actors.
struct Both {
    here: Vec<Seen>,
    there: Vec<Seen>,
}

async fn run<F: Future<Output = ()>>(work: impl FnOnce(Node, String) -> F) -> Both {
    let spans = Spans::install();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "callee", "--ignored", "--nocapture"])
        .env(IS_CALLEE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(other.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| Some(line.unwrap().strip_prefix("listening ")?.to_owned()));
    let node = Node::builder("caller@127.0.0.1:0").cookie(COOKIE);
    let node = node.start().await.unwrap();
    work(node, address.expect("the other node is up")).await;
    drop(other.stdin.take());
    let there = lines.filter_map(|line| Seen::from_line(line.unwrap().strip_prefix("span ")?));
    let there = there.collect();
    assert!(other.wait().unwrap().success());
    let here = spans.take();
    Both { here, there }
}

impl Both {
    fn one<'a>(seen: &'a [Seen], what: &str, is: impl Fn(&Seen) -> bool) -> &'a Seen {
        let found: Vec<_> = seen.iter().filter(|seen| is(seen)).collect();
        assert_eq!(found.len(), 1, "{what}: {found:?} of {seen:#?}");
        found[0]
    }

    /// The span of a message in this process, below `parent`, and that of its handling in the other.
    fn pair(&self, parent: &Seen, kinds: [SpanKind; 2], names: [&str; 2]) -> (&Seen, &Seen) {
        let [here, there] = kinds;
        let sent = Self::one(&self.here, names[0], |seen| {
            seen.name == names[0] && seen.kind == here && seen.parent == parent.span
        });
        assert_eq!((&sent.trace, sent.is_remote), (&parent.trace, false));
        let handled = Self::one(&self.there, names[1], |seen| seen.parent == sent.span);
        assert_eq!((&*handled.name, &handled.kind), (names[1], &there));
        assert_eq!((&handled.trace, handled.is_remote), (&parent.trace, true));
        (sent, handled)
    }

    /// What runs within a span of the other process.
    fn within(&self, parent: &Seen) -> Vec<&str> {
        let children = self.there.iter().filter(|seen| seen.parent == parent.span);
        children.map(|seen| seen.name.as_str()).collect()
    }
}

const CALL: [SpanKind; 2] = [SpanKind::Client, SpanKind::Server];
const CAST: [SpanKind; 2] = [SpanKind::Producer, SpanKind::Consumer];

/// One test, since the subscriber is the process's.
#[tokio::test]
async fn what_is_sent_in_a_span_is_handled_below_it_in_the_other_process() {
    let seen = run(async |node, address| {
        let peer = node.connect(&address).await.unwrap();
        let handle: RemoteRef<Count> = node.remote(&peer, "exported").unwrap();
        let plain: RemoteRef<Count> = node.remote(&peer, "plain").unwrap();
        let quiet: RemoteRef<Quiet> = node.remote(&peer, "quiet").unwrap();
        let actor: ActorRef<Count> = pg::get_members(&"exported".to_owned()).remove(0).into();
        let limit = Some(Duration::from_secs(30));

        let by_handle = async {
            handle.cast(Count::Add(1)).await.unwrap();
            assert_eq!(handle.call(Count::Total, limit).await, Ok(1));
        };
        by_handle.instrument(info_span!("by handle")).await;
        let by_actor = async {
            actor.cast(Count::Add(2)).unwrap();
            let total = actor.call(Count::Total, limit).await.unwrap();
            assert_eq!(total.unwrap(), 3);
        };
        by_actor.instrument(info_span!("by actor")).await;
        let to_plain = async {
            plain.try_cast(Count::Add(4)).unwrap();
            assert_eq!(plain.call(Count::Total, limit).await, Ok(4));
        };
        to_plain.instrument(info_span!("to plain")).await;
        let to_quiet = async {
            quiet.cast(Quiet::Add(8)).await.unwrap();
            assert_eq!(quiet.call(Quiet::Total, limit).await, Ok(8));
        };
        to_quiet.instrument(info_span!("to quiet")).await;
        let failing = async {
            let forgotten = handle.call(Count::Forget, limit).await;
            assert_eq!(forgotten, Err(CallError::NoReply));
        };
        failing.instrument(info_span!("failing")).await;
        assert!(node.connect("127.0.0.1:1").await.is_err());
        let views = node.inspect().sessions();
        assert_eq!(views[0].malformed_traces, 0);
        assert!(
            views[0]
                .capabilities
                .iter()
                .any(|one| one == "trace_context")
        );
        node.stop().await;
    })
    .await;

    let root = |name: &str| Both::one(&seen.here, name, |seen| seen.name == name);
    for (name, handlers) in [
        ("by handle", ["handler"].as_slice()),
        ("by actor", &["handler"]),
        ("to plain", &["handler"]),
        // `ractor` hands it over without a span.
        ("to quiet", &[]),
    ] {
        let (sent, handled) = seen.pair(root(name), CAST, ["send Add", "process Add"]);
        assert_eq!(sent.attribute("messaging.operation.type"), "send");
        assert_eq!(
            sent.attribute("messaging.destination.name"),
            "callee@127.0.0.1"
        );
        assert_eq!(handled.attribute("messaging.operation.type"), "process");
        assert_eq!(seen.within(handled), handlers, "{name}");
        let (called, handled) = seen.pair(root(name), CALL, ["Total", "Total"]);
        assert_eq!(called.attribute("rpc.system.name"), "shiome");
        assert_eq!(called.attribute("server.address"), "callee@127.0.0.1");
        assert_eq!(handled.attribute("rpc.method"), "Total");
        assert_eq!(handled.attribute("client.address"), "caller@127.0.0.1");
        assert_eq!(seen.within(handled), handlers, "{name}");
        assert!(!called.failed && !handled.failed);
    }
    let (called, handled) = seen.pair(root("failing"), CALL, ["Forget", "Forget"]);
    assert!(called.failed && handled.failed);
    assert_eq!(called.attribute("error.type"), "refused");
    assert_eq!(handled.attribute("error.type"), "no_reply");

    // What that one does is part of none of these traces.
    let handlers = seen.there.iter().filter(|seen| seen.name == "handler");
    let is_ours = |one: &Seen| seen.here.iter().any(|here| here.trace == one.trace);
    assert_eq!(handlers.clone().count(), 9);
    assert_eq!(handlers.filter(|handler| is_ours(handler)).count(), 7);

    let dials: Vec<_> = seen
        .here
        .iter()
        .filter(|seen| seen.name == "dial")
        .collect();
    let [good, bad] = dials[..] else {
        panic!("{dials:?}");
    };
    assert_eq!((good.failed, bad.failed), (false, true));
    assert_eq!(bad.attribute("server.port"), "1");
    let shaken = Both::one(&seen.here, "handshake", |seen| seen.name == "handshake");
    assert_eq!((&shaken.kind, shaken.failed), (&SpanKind::Client, false));
    assert_eq!(shaken.attribute("server.address"), "callee@127.0.0.1");
    let shaken = Both::one(&seen.there, "handshake", |seen| seen.name == "handshake");
    assert_eq!((&shaken.kind, shaken.failed), (&SpanKind::Server, false));
    assert_eq!(shaken.attribute("client.address"), "caller@127.0.0.1");
}
