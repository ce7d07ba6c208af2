//! Gathering from a server on virtual time.

use turn_client_proto::stun::types::TransportType;
use turn_server_proto::{
    api::{Transmit, TurnServerApi, TurnServerPollRet},
    server::TurnServer,
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn asking(now: Instant, server: &Server, hosts: &[SocketAddr], relay_only: bool) -> Gatherer {
    let mut gatherer = Gatherer::new(now, hosts, relay_only);
    gatherer.add(now, server);
    gatherer
}

/// A server that tells and lends, and a gatherer that asks it without delay.
struct World {
    now: Instant,
    clock: Clock,
    server: TurnServer,
    address: SocketAddr,
    next_port: u16,
    deaf: bool,
    gatherer: Gatherer,
    /// What the server sent on from a lent address.
    sent_on: Vec<Packet>,
}

impl World {
    fn new(password: &str, relay_only: bool) -> Self {
        let (now, address) = (Instant::now(), addr("198.51.100.1:3478"));
        let mut server = TurnServer::new(TransportType::Udp, address, "shiome".to_owned());
        server.add_user("alice".to_owned(), "secret".to_owned());
        let asked = Server {
            address,
            over: Over::Datagrams,
            credentials: Some(("alice".to_owned(), password.to_owned())),
        };
        let hosts = [addr("10.0.0.2:5000")];
        Self {
            now,
            clock: Clock { base: now },
            server,
            address,
            next_port: 50_000,
            deaf: false,
            gatherer: asking(now, &asked, &hosts, relay_only),
            sent_on: Vec::new(),
        }
    }

    /// Lets both say what they have to say, with the pauses that they make.
    fn talk(&mut self) {
        self.say();
        self.pass(SECOND);
    }

    fn say(&mut self) {
        for _ in 0..100 {
            let mut said = false;
            while let Some(packet) = self.gatherer.poll_transmit() {
                said = true;
                if !self.deaf {
                    self.ask(&packet);
                }
            }
            self.serve();
            if !said {
                return;
            }
        }
        panic!("they talk for ever");
    }

    fn ask(&mut self, packet: &Packet) {
        assert_eq!(packet.to, self.address);
        // The server sees the address that NAT shows.
        let seen = addr("203.0.113.7:6000");
        let transmit = Transmit::new(&packet.bytes[..], TransportType::Udp, seen, packet.to);
        let then = self.clock.of(self.now);
        if let Some(out) = self.server.recv(transmit, then) {
            let out = out.build();
            self.deliver(out.from, out.to, out.data);
        }
        self.serve();
    }

    fn serve(&mut self) {
        let then = self.clock.of(self.now);
        while let TurnServerPollRet::AllocateSocket {
            transport,
            listen_addr,
            client_addr,
            allocation_transport,
            family,
        } = self.server.poll(then)
        {
            let lent = SocketAddr::new(self.address.ip(), self.next_port);
            self.next_port += 1;
            self.server.allocated_socket(
                transport,
                listen_addr,
                client_addr,
                allocation_transport,
                family,
                Ok(lent),
                then,
            );
        }
        while let Some(out) = self.server.poll_transmit(then) {
            self.deliver(out.from, out.to, out.data);
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        if from == self.address {
            let local = addr("10.0.0.2:5000");
            let routed = self.gatherer.handle_datagram(self.now, local, from, &bytes);
            assert!(!matches!(routed, Routed::Relayed { .. }));
        } else {
            let local = from;
            self.sent_on.push(Packet { local, to, bytes });
        }
    }

    fn candidates(&mut self) -> Vec<(SocketAddr, String)> {
        let found = std::iter::from_fn(|| self.gatherer.poll_candidate());
        found.map(|c| (c.addr(), c.kind().to_string())).collect()
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = self.gatherer.timeout().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.gatherer.handle_timeout(self.now);
            self.say();
        }
        self.now = until;
    }
}

#[test]
fn a_server_tells_an_address_and_lends_one() {
    let mut world = World::new("secret", false);
    world.talk();
    let mut found = world.candidates();
    found.sort();
    assert_eq!(
        found,
        [
            (addr("198.51.100.1:50000"), "relay".to_owned()),
            (addr("203.0.113.7:6000"), "srflx".to_owned()),
        ]
    );
    assert!(world.gatherer.is_done());
    assert!(world.gatherer.failure().is_none());
}

#[test]
fn relay_only_asks_for_no_other() {
    let mut world = World::new("secret", true);
    world.talk();
    let found = world.candidates();
    assert_eq!(found, [(addr("198.51.100.1:50000"), "relay".to_owned())]);
}

#[test]
fn what_goes_through_a_lent_address_goes_both_ways() {
    let mut world = World::new("secret", true);
    world.talk();
    let lent = world.candidates()[0].0;
    let peer = addr("192.0.2.9:7000");
    let now = world.now;
    assert!(world.gatherer.relay(now, lent, peer, b"too early"));
    world.talk();
    assert!(world.sent_on.is_empty(), "nobody permitted that yet");
    world.gatherer.permit(now, peer.ip());
    world.talk();
    assert!(world.gatherer.relay(now, lent, peer, b"there"));
    world.talk();
    assert_eq!(world.sent_on.len(), 1);
    assert_eq!((world.sent_on[0].local, world.sent_on[0].to), (lent, peer));
    assert_eq!(world.sent_on[0].bytes, b"there");

    let back = Transmit::new(&b"back"[..], TransportType::Udp, peer, lent);
    let then = world.clock.of(now);
    let out = world.server.recv(back, then).unwrap().build();
    let local = addr("10.0.0.2:5000");
    let routed = world
        .gatherer
        .handle_datagram(now, local, out.from, &out.data);
    assert_eq!(
        routed,
        Routed::Relayed {
            local: lent,
            source: peer,
            bytes: b"back".to_vec()
        }
    );
    assert!(!world.gatherer.relay(now, peer, lent, b"not lent"));
}

#[test]
fn a_lent_address_is_kept_as_long_as_it_is_wanted() {
    let mut world = World::new("secret", true);
    world.talk();
    let lent = world.candidates()[0].0;
    let peer = addr("192.0.2.9:7000");
    world.gatherer.permit(world.now, peer.ip());
    world.talk();
    world.pass(3600 * SECOND);
    assert!(world.gatherer.relay(world.now, lent, peer, b"still"));
    world.talk();
    assert_eq!(world.sent_on.len(), 1);
    world.gatherer.close(world.now);
    world.talk();
    assert!(!world.gatherer.relay(world.now, lent, peer, b"no more"));
}

#[test]
fn a_server_that_refuses_is_told_from_one_that_is_silent() {
    let mut world = World::new("wrong", true);
    world.talk();
    assert!(world.candidates().is_empty());
    assert!(world.gatherer.is_done());
    let failure = world.gatherer.failure();
    assert!(matches!(failure, Some(Failure::TurnRefused(server)) if server == world.address));

    let mut world = World::new("secret", false);
    world.deaf = true;
    world.talk();
    world.pass(10 * SECOND);
    assert!(world.gatherer.is_done());
    let failure = world.gatherer.failure();
    assert!(matches!(failure, Some(Failure::TurnUnreachable(_))));
}

#[test]
fn what_is_of_others_is_left_to_them() {
    let mut world = World::new("secret", false);
    let (local, stranger) = (addr("10.0.0.2:5000"), addr("192.0.2.9:7000"));
    let routed = |gatherer: &mut Gatherer, source, bytes: &[u8]| {
        gatherer.handle_datagram(world.now, local, source, bytes)
    };
    let gatherer = &mut world.gatherer;
    assert_eq!(routed(gatherer, stranger, b"hello"), Routed::Theirs);
    for bytes in [&b""[..], b"x", &[0; 20], &[0x40, 0, 0xff, 0xff], &[1; 100]] {
        assert_ne!(
            routed(gatherer, world.address, bytes),
            Routed::Relayed {
                local,
                source: stranger,
                bytes: bytes.to_vec()
            }
        );
    }
    assert!(!gatherer.is_done());
}

/// The first address of a machine need not be one that leads to the server.
#[test]
fn an_address_is_lent_over_whichever_interface_gets_through() {
    let mut world = World::new("secret", true);
    let [dead, alive] = [addr("172.17.0.1:5000"), addr("10.0.0.2:5000")];
    let asked = Server {
        address: world.address,
        over: Over::Datagrams,
        credentials: Some(("alice".to_owned(), "secret".to_owned())),
    };
    world.gatherer = asking(world.now, &asked, &[dead, alive], true);
    let until = world.now + 30 * SECOND;
    while world.now < until {
        while let Some(packet) = world.gatherer.poll_transmit() {
            if packet.local == alive {
                world.ask(&packet);
            }
        }
        world.now += SECOND / 10;
        world.gatherer.handle_timeout(world.now);
    }
    assert_eq!(
        world.candidates().len(),
        1,
        "{:?}",
        world.gatherer.failure()
    );
}
