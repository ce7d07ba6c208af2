//! Sessions of a cluster over data channels, through NAT.

#[path = "../../../shiome-transport/tests/links/endpoint.rs"]
#[allow(dead_code, unreachable_pub, reason = "other suites use the rest")]
mod endpoint;

use std::{net::IpAddr, sync::Arc};

use shiome_bus::{
    Bus, Peer,
    memory::{Conditions, Connected, MemoryLink},
};
use shiome_session::CallEnd;
use shiome_transport::{Link, LinkEnd, Links, Policy, Security, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::endpoint::Endpoint;
use super::{MS, SECOND, friendly, wait};
use crate::{
    Failure, IceServer, RtcLinks, RtcOptions,
    sim::{Sky, Weather},
};

const SERVER: &str = "198.51.100.9:3478";

/// One machine, behind NAT.
struct Machine {
    _bus: Bus,
    peer: Peer,
    rtc: RtcLinks,
    links: Links,
}

impl Machine {
    fn new(sky: &Arc<Sky>, bus: Bus, name: &str, address: &str, options: RtcOptions) -> Self {
        let peer = bus.peer(name).unwrap();
        let rtc = RtcLinks::start_on(&peer, options, sky.net(address)).unwrap();
        let links = Links::new(Policy::Encrypted).with_dial_timeout(30 * SECOND);
        Self {
            links: links.with_scheme("rtc", rtc.scheme()),
            _bus: bus,
            peer,
            rtc,
        }
    }

    async fn dial(&self, to: &str) -> Result<Link, TransportError> {
        self.links.dial(&self.links.address(to)?).await
    }
}

struct World {
    sky: Arc<Sky>,
    a: Machine,
    b: Machine,
    _relay: Connected,
}

impl World {
    fn new(options: impl Fn() -> RtcOptions) -> Self {
        let sky = Sky::new(3, Weather::default());
        sky.serve(SERVER);
        sky.air(|air| {
            air.nat("10.0.0.2", "203.0.113.1", false);
            air.nat("10.0.1.2", "203.0.113.2", false);
        });
        let buses = [Bus::new(), Bus::new()];
        let conditions = Conditions::default().latency(50 * MS);
        let link = MemoryLink::new().conditions(conditions);
        let relay = link.connect(&buses[0], &buses[1]).unwrap();
        let [first, second] = buses;
        Self {
            a: Machine::new(&sky, first, "a", "10.0.0.2", options()),
            b: Machine::new(&sky, second, "b", "10.0.1.2", options()),
            sky,
            _relay: relay,
        }
    }

    async fn met(self) -> Self {
        self.a.peer.wait_for("b", SECOND).await.unwrap();
        self.b.peer.wait_for("a", SECOND).await.unwrap();
        self
    }

    /// `a` dials `b`.
    async fn open(&self) -> (Link, Link) {
        let listens = self.b.links.address("rtc:b").unwrap();
        let mut listener = self.b.links.listen(&listens).await.unwrap();
        let accepts = async { listener.accept().await?.establish().await };
        let (here, there) = tokio::join!(self.a.dial("rtc:b"), accepts);
        (here.unwrap(), there.unwrap())
    }

    fn silence(&self, silent: bool) {
        let outside: IpAddr = "203.0.113.1".parse().unwrap();
        self.sky.air(|air| {
            air.silence(outside, silent);
            air.silence("10.0.0.2".parse().unwrap(), silent);
        });
    }

    async fn is_empty(&self) {
        wait("no links", || {
            self.a.rtc.is_empty() && self.b.rtc.is_empty()
        })
        .await;
        wait("no sockets", || self.sky.sockets() == 0).await;
    }
}

fn stun() -> RtcOptions {
    friendly().ice_server(IceServer::stun("stun:198.51.100.9").unwrap())
}

async fn call_each_other(a: &Endpoint, b: &Endpoint) {
    let asked = [a.call("are you there?"), b.call("and you?")];
    let [first, second] = asked;
    assert_eq!(first.await.unwrap().unwrap(), "are you there?");
    assert_eq!(second.await.unwrap().unwrap(), "and you?");
}

#[tokio::test(start_paused = true)]
async fn nodes_behind_nat_join_call_lose_each_other_and_come_back() {
    let world = World::new(stun).met().await;
    let (a, b) = Endpoint::native_pair(world.open().await).await;
    call_each_other(&a, &b).await;

    world.silence(true);
    let unanswered = a.call("still there?");
    for end in [a.end, b.end] {
        let end = end.await.unwrap();
        assert!(matches!(end, LinkEnd::Unresponsive { .. }), "{end:?}");
    }
    let lost = unanswered.await.unwrap();
    assert!(matches!(lost, Err(CallEnd::Closed { .. })), "{lost:?}");
    world.is_empty().await;

    world.silence(false);
    let (a, b) = Endpoint::native_pair(world.open().await).await;
    call_each_other(&a, &b).await;
    a.peer.close();
    assert!(matches!(a.end.await.unwrap(), LinkEnd::Closed));
    assert!(matches!(b.end.await.unwrap(), LinkEnd::Goodbye { .. }));
    world.is_empty().await;
}

/// A link that is lost does not end as if the peer had said all.
#[tokio::test(start_paused = true)]
async fn a_loss_is_an_error() {
    let world = World::new(stun).met().await;
    let (mut here, mut there) = world.open().await;
    here.writer.write_all(b"the beginning of").await.unwrap();
    let mut read = [0; 16];
    there.reader.read_exact(&mut read).await.unwrap();
    world.silence(true);
    let error = there.reader.read(&mut read).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(error.to_string(), "nothing was heard");
    let error = there.writer.write_all(b"what?").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    drop((here, there));
    world.is_empty().await;
}

/// For a while nothing gets through, and all that was written arrives afterwards.
#[tokio::test(start_paused = true)]
async fn a_pause_loses_nothing() {
    let world = World::new(stun).met().await;
    let (mut here, mut there) = world.open().await;
    here.writer.write_all(b"before, ").await.unwrap();
    world.silence(true);
    here.writer.write_all(b"within").await.unwrap();
    tokio::time::sleep(5 * SECOND).await;
    world.silence(false);
    here.writer.write_all(b" and after").await.unwrap();
    here.writer.shutdown().await.unwrap();
    let mut read = String::new();
    there.reader.read_to_string(&mut read).await.unwrap();
    assert_eq!(read, "before, within and after");
    assert_eq!(world.a.rtc.len(), 1, "the other direction is open");
    drop((here, there));
    world.is_empty().await;
}

/// What is said through another channel proves nothing in this one.
#[tokio::test(start_paused = true)]
async fn a_handshake_is_bound_to_its_channel() {
    let world = World::new(stun).met().await;
    let (here, there) = world.open().await;
    let (other, _there) = world.open().await;
    assert_eq!(here.security, Security::Tls);
    assert!(here.channel_binding.is_some());
    assert_eq!(here.channel_binding, there.channel_binding);
    assert_ne!(here.channel_binding, other.channel_binding);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_or_finds_nobody_is_told_and_leaves_nothing() {
    let world = World::new(stun).met().await;
    let failure = |dialled: Result<Link, TransportError>| match dialled {
        Err(TransportError::Other(error)) => *error.downcast::<Failure>().unwrap(),
        other => panic!("{other:?}"),
    };
    let refused = failure(world.a.dial("rtc:b").await);
    assert!(
        matches!(&refused, Failure::Refused(why) if &**why == "nobody listens"),
        "{refused}"
    );
    let missing = failure(world.a.dial("rtc:c").await);
    assert!(matches!(missing, Failure::Signalling(_)), "{missing}");
    world.is_empty().await;

    let strangers = World::new(RtcOptions::default).met().await;
    let address = strangers.b.links.address("rtc:b").unwrap();
    let _listener = strangers.b.links.listen(&address).await.unwrap();
    let taken = strangers.b.links.listen(&address).await;
    assert!(matches!(taken, Err(TransportError::Listen(_))));
    let refused = failure(strangers.a.dial("rtc:b").await);
    assert!(
        matches!(&refused, Failure::Refused(why) if &**why == "not allowed"),
        "{refused}"
    );
    strangers.is_empty().await;
}

/// A dial that is given up, and one that nothing comes of, leave nothing at either end.
#[tokio::test(start_paused = true)]
async fn what_does_not_open_is_given_up() {
    let world = World::new(stun).met().await;
    let address = world.b.links.address("rtc:b").unwrap();
    let mut listener = world.b.links.listen(&address).await.unwrap();
    world.silence(true);
    let impatient = Links::new(Policy::Encrypted)
        .with_scheme("rtc", world.a.rtc.scheme())
        .with_dial_timeout(SECOND);
    let address = impatient.address("rtc:b").unwrap();
    let (dialled, accepted) = tokio::join!(impatient.dial(&address), listener.accept());
    assert!(matches!(dialled, Err(TransportError::Timeout { .. })));
    assert!(accepted.unwrap().establish().await.is_err());
    world.is_empty().await;
}

/// For logs, and for who dials anew.
#[tokio::test(start_paused = true)]
async fn labels_are_addresses() {
    let world = World::new(stun).met().await;
    let (here, there) = world.open().await;
    assert_eq!([&here.peer[..], &here.local], ["rtc:b", "rtc:a"]);
    assert_eq!([&there.peer[..], &there.local], ["rtc:a", "rtc:b"]);
}

/// Any peer may be a node.
#[tokio::test(start_paused = true)]
async fn every_name_of_a_peer_is_an_address() {
    let world = World::new(stun).met().await;
    let long = "x".repeat(shiome_bus::MAX_PEER_ID_LEN);
    for name in [
        "Alice", "a@b", "node~1", "-", "a.b_c-D", "10.0.0.1", "@", &long,
    ] {
        assert!(shiome_bus::PeerId::new(name).is_ok());
        let address = world.a.links.address(&format!("rtc:{name}"));
        let address = address.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(address.rest(), name);
    }
}

/// Links that come and go leave nothing.
#[tokio::test(start_paused = true)]
async fn many_links_leave_nothing_behind() {
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let world = World::new(stun).met().await;
    let mut before = 0;
    for round in 0..120 {
        if round == 20 {
            before = tasks();
        }
        let (mut here, mut there) = world.open().await;
        here.writer.write_all(b"hello").await.unwrap();
        let mut read = [0; 5];
        there.reader.read_exact(&mut read).await.unwrap();
        if round % 2 == 0 {
            drop(here);
            there.writer.write_all(b"too late").await.unwrap();
        } else {
            drop((here, there));
        }
        world.is_empty().await;
    }
    assert!(tasks() <= before, "{} tasks, {before} before", tasks());
}
