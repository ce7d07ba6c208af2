//! What a call costs, by the number of members: `cargo bench -p shiome-swim`.
//!
//! Each line is the median and the minimum of some samples, in nanoseconds a call, everything that the call makes
//! to send included: it is written into a buffer, as a driver would have it. The costs should not grow with the table.
#![allow(clippy::print_stdout, reason = "a tool for the terminal")]
#![allow(clippy::unwrap_used, reason = "what is measured has been tested")]

use std::{
    alloc::System,
    hint::black_box,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use shiome_gossip::{
    NodeId,
    compact::{Handle, Header, Member, Packer, State, Update},
};
use shiome_swim::{Config, Identity, Swim};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SAMPLES: usize = 31;
const SAMPLE: Duration = Duration::from_millis(5);

fn main() {
    println!(
        "{:44} {:>7} {:>9} {:>9}",
        "ns a call", "members", "median", "min"
    );
    for members in [100, 1_000, 10_000] {
        let mut bench = Bench::new(members);
        bench.ping(0);
        bench.ping(8);
        bench.ack();
        bench.gossip_round();
        bench.turn();
        bench.join();
        let memory = bench.swim.memory();
        println!(
            "{:44} {members:7} {:9.1} {:>9}",
            "bytes of the table, a member",
            memory as f64 / members as f64,
            memory
        );
    }
}

struct Bench {
    now: Instant,
    members: usize,
    swim: Swim,
    buf: Vec<u8>,
}

impl Bench {
    fn new(members: usize) -> Self {
        let now = Instant::now();
        let me = Identity {
            id: id(0),
            addr: addr(0),
            incarnation: 1,
        };
        let swim = Swim::new(now, me, Config::default(), [7; 32]).unwrap();
        let mut bench = Self {
            now,
            members,
            swim,
            buf: vec![0; 1_400],
        };
        let seed = [addr(1)];
        bench.swim.join(now, &seed);
        bench.swim.handle_timeout(now);
        let mut next = 1;
        while next < members {
            let mut datagram = [0; 1_400];
            let mut records = Packer::records(&mut datagram, &header(1)).unwrap();
            while next < members && records.push(&Update::Member(member(next))).is_ok() {
                next += 1;
            }
            let len = records.finish();
            bench.swim.handle_datagram(now, addr(1), &datagram[..len]);
            bench.drain();
        }
        bench.quiet();
        assert_eq!(bench.swim.len(), members - 1);
        bench
    }

    /// Lets what is under way come to its end, with everybody answering.
    fn quiet(&mut self) {
        for _ in 0..100 {
            self.now += Duration::from_millis(100);
            self.swim.handle_timeout(self.now);
            self.answer();
        }
    }

    fn drain(&mut self) -> u64 {
        let mut sent = 0;
        while let Some(transmit) = self.swim.poll_transmit(&mut self.buf) {
            sent += transmit.len as u64;
        }
        while let Some(event) = self.swim.poll_event() {
            black_box(event);
        }
        sent
    }

    /// As drain, with an ack to each ping.
    fn answer(&mut self) -> u64 {
        let mut sent = 0;
        while let Some(transmit) = self.swim.poll_transmit(&mut self.buf) {
            sent += transmit.len as u64;
            if self.buf[0] == 0x40 {
                let seq = u32::from_le_bytes(self.buf[7..11].try_into().unwrap());
                let from = member_at(transmit.to);
                let digest = self.swim.digest();
                let mut ack = [0; 32];
                let len = Packer::ack(&mut ack, &header(from), seq, digest)
                    .unwrap()
                    .finish();
                self.swim
                    .handle_datagram(self.now, transmit.to, &ack[..len]);
            }
        }
        while let Some(event) = self.swim.poll_event() {
            black_box(event);
        }
        sent
    }

    /// Pings with updates that are known already, from one member after the other.
    fn ping(&mut self, updates: usize) {
        let digest = self.swim.digest();
        let pings: Vec<(SocketAddr, Vec<u8>)> = (0..512)
            .map(|n| {
                let from = 1 + n * 7 % (self.members - 1);
                let mut datagram = [0; 1_400];
                let mut ping = Packer::ping(&mut datagram, &header(from), 7, digest).unwrap();
                for update in 0..updates {
                    let node = 1 + (n * 31 + update * 97) % (self.members - 1);
                    let node = Handle::of(&id(node));
                    let known = Update::Alive {
                        node,
                        incarnation: 1,
                    };
                    ping.push(&known).unwrap();
                }
                let len = ping.finish();
                (addr(from), datagram[..len].to_vec())
            })
            .collect();
        let mut at = 0;
        self.report(
            &format!("ping with {updates} known updates, and its ack"),
            |bench| {
                at = (at + 1) % pings.len();
                let (from, ping) = &pings[at];
                bench.swim.handle_datagram(bench.now, *from, ping);
                bench.drain()
            },
        );
    }

    fn ack(&mut self) {
        let digest = self.swim.digest();
        let mut datagram = [0; 64];
        let len = Packer::ack(&mut datagram, &header(2), 1, digest)
            .unwrap()
            .finish();
        self.report("ack that nobody waits for", |bench| {
            bench
                .swim
                .handle_datagram(bench.now, addr(2), &datagram[..len]);
            bench.drain()
        });
    }

    /// News, and the datagrams that pass it on to three members.
    fn gossip_round(&mut self) {
        let mut incarnation = 1;
        let (members, mut at) = (self.members, 0);
        self.report("one news heard, and a round of gossip to 3", |bench| {
            at = at % (members - 1) + 1;
            incarnation += u64::from(at == 1);
            let mut datagram = [0; 64];
            let mut gossip = Packer::gossip(&mut datagram, &header(1)).unwrap();
            let news = Update::Alive {
                node: Handle::of(&id(at)),
                incarnation: incarnation + 1,
            };
            gossip.push(&news).unwrap();
            let len = gossip.finish();
            bench
                .swim
                .handle_datagram(bench.now, addr(1), &datagram[..len]);
            bench.now += Duration::from_millis(200);
            bench.swim.handle_timeout(bench.now);
            bench.answer()
        });
        self.quiet();
    }

    /// A period: the next member is pinged and answers.
    fn turn(&mut self) {
        self.report("period: a ping, and the ack to it", |bench| {
            bench.now += Duration::from_secs(1);
            bench.swim.handle_timeout(bench.now);
            bench.answer()
        });
    }

    fn join(&mut self) {
        let mut datagram = [0; 1_400];
        let other = Identity {
            id: id(1),
            addr: addr(1),
            incarnation: 1,
        };
        let mut joiner = Swim::new(self.now, other, Config::default(), [8; 32]).unwrap();
        let seed = [addr(0)];
        joiner.join(self.now, &seed);
        joiner.handle_timeout(self.now);
        let len = joiner.poll_transmit(&mut datagram).unwrap().len;
        self.report("join, and the welcome with records", |bench| {
            bench
                .swim
                .handle_datagram(bench.now, addr(1), &datagram[..len]);
            bench.drain()
        });
    }

    fn report(&mut self, name: &str, mut run: impl FnMut(&mut Self) -> u64) {
        let mut calls = 1_u32;
        let mut sample = |bench: &mut Self, calls: u32| {
            let start = Instant::now();
            for _ in 0..calls {
                black_box(run(bench));
            }
            start.elapsed()
        };
        while sample(self, calls) < SAMPLE {
            calls *= 2;
        }
        let mut samples: Vec<f64> = Vec::with_capacity(SAMPLES);
        let region = Region::new(ALLOCATOR);
        for _ in 0..SAMPLES {
            samples.push(sample(self, calls).as_secs_f64() * 1e9 / f64::from(calls));
        }
        let change = region.change();
        let allocated = change.allocations + change.reallocations;
        samples.sort_by(f64::total_cmp);
        let each = allocated as f64 / (f64::from(calls) * SAMPLES as f64);
        println!(
            "{name:44} {:7} {:9.1} {:9.1}   {each:.2} allocations",
            self.members,
            samples[SAMPLES / 2],
            samples[0]
        );
    }
}

fn header(n: usize) -> Header {
    Header {
        cluster: 0,
        sender: Handle::of(&id(n)),
    }
}

fn id(n: usize) -> NodeId {
    let mixed = (n as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    NodeId::from(mixed.to_be_bytes())
}

fn addr(n: usize) -> SocketAddr {
    (Ipv4Addr::from(0x0a00_0001 + n as u32), 7_946).into()
}

fn member_at(addr: SocketAddr) -> usize {
    match addr {
        SocketAddr::V4(addr) => (u32::from(*addr.ip()) - 0x0a00_0001) as usize,
        SocketAddr::V6(_) => unreachable!("all are IPv4"),
    }
}

fn member(n: usize) -> Member<'static> {
    Member {
        id: id(n),
        addr: addr(n),
        incarnation: 1,
        state: State::Alive,
        is_primary: true,
        compact: true,
        meta: None,
    }
}
