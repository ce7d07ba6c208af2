//! Two connections over a network on virtual time.

use proptest::prelude::*;
use shiome_bus::{Envelope, Intent, MessageId, PeerId};

use super::*;
use crate::{
    chunk::CHUNK_LEN,
    sim::{Air, Weather},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config {
    Config {
        incarnation: Incarnation::new(7).unwrap(),
        max_message: 1_000_000,
        heartbeat: 2 * SECOND,
        connect_timeout: 15 * SECOND,
        cert: None,
        purpose: Purpose::Envelopes,
    }
}

fn host(addr: SocketAddr) -> Candidate {
    Candidate::host(addr, "udp").unwrap()
}

fn envelope(seq: u64, len: usize) -> Frame {
    let peer = |name| PeerId::new(name).unwrap();
    let incarnation = Incarnation::new(7).unwrap();
    let intent = Intent::new("x", "y".repeat(len)).unwrap();
    let id = MessageId { incarnation, seq };
    Frame::Envelope(Envelope::new(id, peer("a"), peer("b"), intent))
}

fn message(frame: &Frame) -> Message {
    let mut batch = Batch::new(Encoding::Binary);
    batch.push(frame);
    batch.finish()
}

/// What one end was told.
#[derive(Debug, Default)]
struct Told {
    ups: usize,
    losses: usize,
    seqs: Vec<u64>,
    ended: Option<Failure>,
}

/// Two ends, and what is between them. Signals take as long as datagrams and are not lost.
struct Pair {
    now: Instant,
    air: Air,
    ends: [Option<Connection>; 2],
    addrs: [SocketAddr; 2],
    told: [Told; 2],
    signals: VecDeque<(Instant, usize, Body)>,
    /// Whether signals arrive.
    signalling: bool,
}

impl Pair {
    fn new(weather: Weather) -> Self {
        let now = Instant::now();
        let addrs = ["192.0.2.1:1000", "192.0.2.2:2000"].map(|addr| addr.parse().unwrap());
        let mut pair = Self {
            now,
            air: Air::new(1, weather),
            ends: [None, None],
            addrs,
            told: [Told::default(), Told::default()],
            signals: VecDeque::new(),
            signalling: true,
        };
        let offer = Connection::offer(now, config(), vec![host(addrs[0])]).unwrap();
        pair.ends[0] = Some(offer);
        pair.collect(0);
        pair
    }

    fn end(&mut self, side: usize) -> &mut Connection {
        self.ends[side].as_mut().unwrap()
    }

    fn collect(&mut self, side: usize) {
        let Some(end) = &mut self.ends[side] else {
            return;
        };
        while let Some(transmit) = end.poll_transmit() {
            let Transmit {
                source,
                destination,
                contents,
                ..
            } = transmit;
            self.air.send(self.now, source, destination, &contents);
        }
        while let Some(event) = end.poll_event() {
            let told = &mut self.told[side];
            match event {
                Event::Signal(body) => {
                    let due = self.now + 10 * MS;
                    self.signals.push_back((due, 1 - side, body));
                }
                Event::Up => told.ups += 1,
                Event::Bytes(bytes) => panic!("{bytes:?}"),
                Event::Lost => told.losses += 1,
                Event::Heard { frames, .. } => told.seqs.extend(frames.iter().map(|f| match f {
                    Frame::Envelope(envelope) => envelope.id.seq,
                    other => panic!("{other:?}"),
                })),
                Event::Ended(failure) => told.ended = Some(failure),
            }
        }
    }

    /// Goes on to the next thing that happens. False when nothing will, or that is after `until`.
    fn step(&mut self, until: Instant) -> bool {
        let ends = self.ends.iter().flatten();
        let next = ends
            .filter_map(Connection::timeout)
            .chain(self.air.timeout())
            .chain(self.signals.front().map(|(due, ..)| *due))
            .min();
        let Some(next) = next.filter(|next| *next <= until) else {
            self.now = until;
            return false;
        };
        self.now = self.now.max(next);
        let now = self.now;
        while let Some(datagram) = self.air.receive(now) {
            let side = self.addrs.iter().position(|addr| *addr == datagram.to);
            if let Some(end) = side.and_then(|side| self.ends[side].as_mut()) {
                end.handle_datagram(now, datagram.to, datagram.source, &datagram.bytes);
            }
        }
        while self.signals.front().is_some_and(|(due, ..)| *due <= now) {
            let (_, to, body) = self.signals.pop_front().unwrap();
            if self.signalling {
                self.signal(to, body);
            }
        }
        for side in 0..2 {
            if let Some(end) = &mut self.ends[side]
                && end.timeout().is_some_and(|timeout| timeout <= now)
            {
                end.handle_timeout(now);
            }
            self.collect(side);
        }
        true
    }

    fn signal(&mut self, to: usize, body: Body) {
        let (now, addr) = (self.now, self.addrs[to]);
        match (&mut self.ends[to], body) {
            (Some(end), Body::Offer(offer)) => end.handle_offer(now, &offer),
            (none, Body::Offer(offer)) => {
                *none = Connection::answer(now, config(), vec![host(addr)], &offer).ok();
            }
            (Some(end), Body::Answer(answer)) => end.handle_answer(now, &answer),
            (Some(end), Body::Candidate(candidate)) => {
                end.add_remote_candidate(now, candidate.as_deref()).unwrap();
            }
            _ => {}
        }
        self.collect(to);
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    fn run_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let until = self.now + 60 * SECOND;
        while !done(self) {
            assert!(self.step(until), "{what}: {:?}", self.told);
        }
    }

    fn connected(weather: Weather) -> Self {
        let mut pair = Self::new(weather);
        pair.run_until("up", |pair| pair.told.iter().all(|told| told.ups == 1));
        pair
    }

    fn send(&mut self, side: usize, frame: &Frame) {
        let until = self.now + 60 * SECOND;
        while !self.end(side).has_room() {
            assert!(self.step(until), "no room");
        }
        let now = self.now;
        self.end(side).write(now, &message(frame));
        self.collect(side);
    }
}

#[test]
fn two_ends_meet_and_talk() {
    let start = Instant::now();
    let mut pair = Pair::connected(Weather::default());
    assert!(pair.now - start < 500 * MS, "{:?}", pair.now - start);
    for seq in 1..=50 {
        pair.send(0, &envelope(seq, 10));
        pair.send(1, &envelope(seq, 10));
    }
    pair.run(SECOND);
    let all: Vec<u64> = (1..=50).collect();
    assert_eq!(pair.told[0].seqs, all);
    assert_eq!(pair.told[1].seqs, all);
    assert_eq!(pair.end(0).remote().unwrap().max_message, 1_000_000);
}

#[test]
fn long_messages_come_whole_and_in_order_through_loss_and_reordering() {
    let weather = Weather {
        jitter: 20 * MS,
        loss: 5,
        ..Weather::default()
    };
    let mut pair = Pair::connected(weather);
    for seq in 1..=20 {
        let len = [10, 5 * CHUNK_LEN, 300_000][seq as usize % 3];
        pair.send(0, &envelope(seq, len));
    }
    pair.run_until("all", |pair| pair.told[1].seqs.len() == 20);
    assert_eq!(pair.told[1].seqs, (1..=20).collect::<Vec<_>>());
    assert_eq!(pair.told[1].losses, 0);
}

#[test]
fn what_may_be_lost_is_lost_and_holds_nothing_up() {
    let mut pair = Pair::connected(Weather::default());
    pair.air.set_weather(Weather {
        loss: 30,
        ..Weather::default()
    });
    for seq in 1..=100 {
        let now = pair.now;
        let loose = message(&envelope(seq, 10));
        pair.end(0).write_loose(now, &loose);
        pair.collect(0);
        pair.run(20 * MS);
    }
    let arrived = pair.told[1].seqs.len();
    assert!((30..100).contains(&arrived), "{arrived}");
}

#[test]
fn a_dead_way_is_noticed_and_comes_back_with_an_ice_restart() {
    let mut pair = Pair::connected(Weather::default());
    let address = pair.addrs[1].ip();
    pair.air.silence(address, true);
    pair.run_until("lost", |pair| pair.told.iter().all(|t| t.losses == 1));
    assert!(!pair.end(0).has_room());
    pair.air.silence(address, false);
    pair.run_until("up again", |pair| pair.told.iter().all(|t| t.ups == 2));
    pair.send(0, &envelope(1, 10));
    pair.run_until("said", |pair| pair.told[1].seqs == [1]);
    assert!(pair.told.iter().all(|told| told.ended.is_none()));
}

#[test]
fn an_end_that_vanishes_is_given_up() {
    let mut pair = Pair::connected(Weather::default());
    pair.ends[1] = None;
    pair.signalling = false;
    let start = pair.now;
    pair.run_until("ended", |pair| pair.told[0].ended.is_some());
    assert!(matches!(pair.told[0].ended, Some(Failure::Unresponsive)));
    let limit = 2 * config().heartbeat + RESTART_TIMEOUT + SECOND;
    assert!(pair.now - start < limit);
    assert_eq!(pair.end(0).timeout(), None);
}

impl Pair {
    /// Both have ended since one of them went away.
    fn assert_going_away(&self) {
        for told in &self.told {
            let reason = &told.ended;
            assert!(
                matches!(reason, Some(Failure::Closed(CloseReason::GoingAway))),
                "{reason:?}"
            );
        }
    }
}

#[test]
fn a_goodbye_ends_the_other_end_at_once() {
    let mut pair = Pair::connected(Weather::default());
    let now = pair.now;
    pair.end(0).close(now, CloseReason::GoingAway);
    pair.collect(0);
    pair.run(100 * MS);
    pair.assert_going_away();
}

#[test]
fn a_goodbye_gets_through_behind_what_was_said_before() {
    let mut pair = Pair::connected(Weather::default());
    for round in 0..5 {
        pair.send(0, &envelope(round, 10));
    }
    let now = pair.now;
    pair.end(0).finish(now, CloseReason::GoingAway, None);
    pair.collect(0);
    // Who ends before that is heard says it once, if at all.
    assert!(pair.told[0].ended.is_none());
    pair.run_until("heard", |pair| pair.told[1].ended.is_some());
    assert_eq!(pair.told[1].seqs, [0, 1, 2, 3, 4]);
    pair.run(GOODBYE_TIMEOUT / 2);
    pair.assert_going_away();
}

#[test]
fn a_goodbye_that_nobody_hears_is_waited_for_a_second() {
    let mut pair = Pair::connected(Weather::default());
    pair.air.silence(pair.addrs[1].ip(), true);
    let began = pair.now;
    pair.end(0).finish(began, CloseReason::Closed, None);
    pair.collect(0);
    // Saying it twice makes it no later.
    pair.end(0).finish(began, CloseReason::GoingAway, None);
    assert!(pair.told[0].ended.is_none());
    pair.run_until("given up", |pair| pair.told[0].ended.is_some());
    assert_eq!(pair.now - began, GOODBYE_TIMEOUT);
    let reason = pair.told[0].ended.clone();
    assert!(matches!(reason, Some(Failure::Closed(CloseReason::Closed))));
}

#[test]
fn what_comes_after_a_goodbye_is_not_taken() {
    let mut pair = Pair::connected(Weather::default());
    pair.send(1, &envelope(1, 10));
    let now = pair.now;
    pair.end(0).finish(now, CloseReason::Closed, None);
    pair.collect(0);
    pair.run(2 * SECOND);
    assert!(pair.told[0].seqs.is_empty(), "{:?}", pair.told[0].seqs);
    assert!(pair.told.iter().all(|told| told.ended.is_some()));
}

#[test]
fn silence_on_the_line_keeps_it_open() {
    let mut pair = Pair::connected(Weather::default());
    pair.run(120 * SECOND);
    assert!(pair.told.iter().all(|t| t.ups == 1 && t.losses == 0));
}

#[test]
fn a_connection_that_does_not_open_says_why() {
    let failure = |pair: &mut Pair| {
        pair.run_until("ended", |pair| pair.told[0].ended.is_some());
        pair.told[0].ended.clone().unwrap()
    };
    let mut pair = Pair::new(Weather::default());
    pair.signalling = false;
    assert!(matches!(failure(&mut pair), Failure::NoAnswer));

    let mut pair = Pair::new(Weather::default());
    let address = pair.addrs[1].ip();
    pair.air.silence(address, true);
    let start = pair.now;
    assert!(matches!(failure(&mut pair), Failure::ChecksFailed));
    assert!(pair.now - start <= config().connect_timeout);

    let now = Instant::now();
    let mut lonely = Connection::offer(now, config(), Vec::new()).unwrap();
    let Some(Event::Signal(Body::Offer(offer))) = lonely.poll_event() else {
        panic!("it offers");
    };
    let mut other = Connection::answer(now, config(), Vec::new(), &offer).unwrap();
    let Some(Event::Signal(Body::Answer(answer))) = other.poll_event() else {
        panic!("it answers");
    };
    lonely.handle_answer(now, &answer);
    lonely.handle_timeout(now + config().connect_timeout);
    let mut events = std::iter::from_fn(|| lonely.poll_event());
    let ended = events.find(|event| matches!(event, Event::Ended(_)));
    assert!(matches!(ended, Some(Event::Ended(Failure::NoCandidates))));
}

#[test]
fn checks_that_get_through_without_a_channel_end_in_time() {
    let mut pair = Pair::new(Weather::default());
    pair.run_until("reached", |pair| {
        pair.ends.iter().flatten().filter(|end| end.reached).count() == 2
    });
    // From here on only STUN gets through.
    let start = pair.now;
    while pair.told[0].ended.is_none() {
        let until = start + 60 * SECOND;
        let now = pair.now;
        pair.air
            .drop_where(|bytes| bytes.first().is_some_and(|first| *first > 3));
        assert!(pair.step(until), "{now:?}");
    }
    assert!(matches!(pair.told[0].ended, Some(Failure::Timeout)));
}

#[test]
fn malformed_descriptions_and_candidates_are_refused() {
    let now = Instant::now();
    let good = {
        let mut offer = Connection::offer(now, config(), Vec::new()).unwrap();
        match offer.poll_event() {
            Some(Event::Signal(Body::Offer(offer))) => offer,
            other => panic!("{other:?}"),
        }
    };
    let no_fingerprint: String = good
        .sdp
        .lines()
        .filter(|line| !line.starts_with("a=fingerprint"))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    for sdp in ["", "v=0", "nonsense", &good.sdp[..40], &no_fingerprint] {
        let offer = Description {
            sdp: sdp.to_owned(),
            ..good.clone()
        };
        let answered = Connection::answer(now, config(), Vec::new(), &offer);
        assert!(
            matches!(answered, Err(Failure::Malformed(_))),
            "{sdp:?}: {answered:?}"
        );
    }
    let mut answering = Connection::answer(now, config(), Vec::new(), &good).unwrap();
    for text in ["", "candidate:", "candidate:1 1 udp 1 999.0.0.1 1 typ host"] {
        let added = answering.add_remote_candidate(now, Some(text));
        assert!(matches!(added, Err(CandidateFault::Malformed(_))), "{text}");
    }
    let mdns = "candidate:1 1 udp 2113937151 0b1c.local 5000 typ host generation 0";
    assert_eq!(answering.add_remote_candidate(now, Some(mdns)), Ok(None));
    let tcp = "candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active";
    assert_eq!(answering.add_remote_candidate(now, Some(tcp)), Ok(None));
    let host = "candidate:1 1 udp 2113937151 192.0.2.9 5000 typ host";
    let added = answering.add_remote_candidate(now, Some(host));
    assert_eq!(added, Ok(Some("192.0.2.9:5000".parse().unwrap())));
    let added = (0..100).map(|n| {
        let text = format!(
            "candidate:1 1 udp 2113937151 192.0.2.9 {} typ host",
            6000 + n
        );
        answering.add_remote_candidate(now, Some(&text))
    });
    assert!(added.last() == Some(Err(CandidateFault::TooMany)));
}

#[test]
fn a_message_longer_than_agreed_ends_it() {
    let mut pair = Pair::connected(Weather::default());
    pair.send(0, &envelope(1, 1_000_001));
    pair.run_until("ended", |pair| pair.told[1].ended.is_some());
    assert!(matches!(pair.told[1].ended, Some(Failure::Malformed(_))));
    assert!(pair.told[1].seqs.is_empty());
}

#[test]
fn frames_that_have_no_place_here_end_it() {
    let mut pair = Pair::connected(Weather::default());
    pair.send(0, &Frame::Presence(Default::default()));
    pair.run_until("ended", |pair| pair.told[1].ended.is_some());
    assert!(matches!(pair.told[1].ended, Some(Failure::Malformed(_))));
}

#[test]
fn datagrams_of_strangers_change_nothing() {
    let mut pair = Pair::connected(Weather::default());
    let stranger: SocketAddr = "203.0.113.1:9".parse().unwrap();
    let (to, peer) = (pair.addrs[0], pair.addrs[1]);
    for first in 0..=255_u8 {
        let now = pair.now;
        for source in [stranger, peer] {
            pair.end(0).handle_datagram(now, to, source, &[first; 200]);
            pair.end(0).handle_datagram(now, to, source, &[first]);
        }
        pair.collect(0);
    }
    pair.send(1, &envelope(1, 10));
    pair.run_until("said", |pair| pair.told[0].seqs == [1]);
    assert!(pair.told[0].ended.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_description_and_no_datagram_makes_it_panic(
        cut in 0_usize..700,
        junk in prop::collection::vec(any::<u8>(), 0..60),
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..20),
    ) {
        let now = Instant::now();
        let addr: SocketAddr = "192.0.2.1:1000".parse().unwrap();
        let mut offering = Connection::offer(now, config(), vec![host(addr)]).unwrap();
        let Some(Event::Signal(Body::Offer(mut offer))) = offering.poll_event() else {
            panic!("it offers");
        };
        let at = cut.min(offer.sdp.len());
        offer.sdp.truncate(at);
        offer.sdp.push_str(&String::from_utf8_lossy(&junk));
        let _ = Connection::answer(now, config(), vec![host(addr)], &offer);
        offering.handle_answer(now, &offer);
        for datagram in &datagrams {
            offering.handle_datagram(now, addr, "192.0.2.2:5".parse().unwrap(), datagram);
        }
        offering.handle_timeout(now + config().connect_timeout);
        prop_assert_eq!(offering.timeout(), None);
    }
}

/// What an end tells of its addresses counts anew for each new way.
#[test]
fn a_candidate_is_taken_after_as_many_new_ways_as_there_are() {
    let mut pair = Pair::connected(Weather::default());
    for round in 0..20_u16 {
        let now = pair.now;
        pair.end(0).restart(now);
        pair.collect(0);
        pair.run(SECOND);
        for port in 0..5 {
            let port = 5000 + 10 * round + port;
            let text = format!("candidate:1 1 udp 2113937151 192.0.2.9 {port} typ host");
            let now = pair.now;
            let added = pair.end(1).add_remote_candidate(now, Some(&text));
            assert!(added.is_ok(), "{round}: {added:?}");
        }
    }
}

/// Browsers have names in their descriptions, too, and other things that are not tried.
#[test]
fn descriptions_of_browsers_are_understood() {
    let now = Instant::now();
    let mut offering = Connection::offer(now, config(), Vec::new()).unwrap();
    let Some(Event::Signal(Body::Offer(mut offer))) = offering.poll_event() else {
        panic!("it offers");
    };
    for line in [
        "a=candidate:1 1 udp 2113937151 0b1c7a3e-1111-2222-3333-444455556666.local 5000 typ host generation 0 network-cost 999",
        "a=candidate:2 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 network-id 1",
        "a=candidate:3 1 udp 1677729535 203.0.113.5 6000 typ srflx raddr 0.0.0.0 rport 0 generation 0 network-cost 999",
        "a=candidate:4 1 udp 1677729535 203.0.113.5 6001 typ srflx raddr 0b1c.local rport 0 generation 0",
    ] {
        offer.sdp.push_str(line);
        offer.sdp.push_str("\r\n");
    }
    let answered = Connection::answer(now, config(), Vec::new(), &offer);
    assert!(answered.is_ok(), "{answered:?}");
}

/// The limit holds wherever candidates are said.
#[test]
fn candidates_in_descriptions_are_limited_too() {
    let now = Instant::now();
    let addr: SocketAddr = "192.0.2.1:1000".parse().unwrap();
    let mut offering = Connection::offer(now, config(), Vec::new()).unwrap();
    let Some(Event::Signal(Body::Offer(mut offer))) = offering.poll_event() else {
        panic!("it offers");
    };
    for port in 5000..5200 {
        let line = format!("a=candidate:{port} 1 udp 2113937151 192.0.2.9 {port} typ host\r\n");
        offer.sdp.push_str(&line);
    }
    assert!(offer.sdp.len() <= crate::signal::MAX_SDP_LEN);
    let mut answering = Connection::answer(now, config(), vec![host(addr)], &offer).unwrap();
    let mut ports = std::collections::HashSet::new();
    let until = now + 14 * SECOND;
    while let Some(at) = answering.timeout().filter(|at| *at < until) {
        answering.handle_timeout(at);
        while let Some(transmit) = answering.poll_transmit() {
            ports.insert(transmit.destination.port());
        }
    }
    assert!(!ports.is_empty());
    assert!(ports.len() <= MAX_CANDIDATES, "{}", ports.len());
}
