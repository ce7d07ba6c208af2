use std::{cell::RefCell, rc::Rc};

use super::{Memory, Out, World};
use crate::{
    engine::{Engine, Kind, Life},
    network::Conditions,
    pause::{Pause, SOCKET_BUFFER_LEN, Wake},
    time::{MILLISECOND, ORIGIN, SECOND, Time},
};

/// What the engines of a test did, and when: milliseconds, node, what.
type Log = Rc<RefCell<Vec<(Time, u32, &'static str)>>>;

/// Node 0 sends node 1 a datagram each second; both have a timer each second.
struct Ticking {
    size: usize,
}

struct Node {
    me: u32,
    next: Time,
    size: usize,
    log: Log,
}

thread_local! {
    static LOG: Log = Log::default();
}

impl Kind for Ticking {
    type Engine = Node;

    fn name(&self) -> &'static str {
        "ticking"
    }

    fn start(&self, now: Time, node: u32, _: Life, _: u32, _: [u8; 32]) -> Node {
        Node {
            me: node,
            next: now + SECOND,
            size: self.size,
            log: LOG.with(Rc::clone),
        }
    }
}

impl Node {
    fn note(&self, now: Time, what: &'static str) {
        let entry = ((now - ORIGIN) / MILLISECOND, self.me, what);
        self.log.borrow_mut().push(entry);
    }
}

impl Engine for Node {
    fn handle(&mut self, now: Time, from: u32, datagram: &[u8], _: &mut Out<'_>) {
        assert_eq!((from, datagram.len()), (0, self.size));
        self.note(now, "datagram");
    }

    fn timeout(&mut self, now: Time, out: &mut Out<'_>) {
        self.note(now, "timer");
        self.next = now + SECOND;
        if self.me == 0 {
            out.send(1, &vec![7; self.size]);
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        Some(self.next)
    }

    fn join(&mut self, _: Time, _: &[u32], _: &mut Out<'_>) {}

    fn leave(&mut self, _: Time, _: &mut Out<'_>) {}

    fn answered(&mut self, now: Time, _: u64, _: &mut Out<'_>) {
        self.note(now, "answer");
    }

    fn fill(&mut self, _: Time, _: &[u32], _: &mut Out<'_>) {}

    fn view(&self) -> Vec<u32> {
        Vec::new()
    }
}

/// A millisecond from each node to the other.
const EVEN: Conditions = Conditions {
    latency: (MILLISECOND, MILLISECOND),
    ..Conditions::LAN
};

fn world(kind: &Ticking) -> World<'_, Ticking> {
    let mut world = World::new(kind, 2, EVEN, 1);
    world.start(0, Memory::Lost);
    // Half a second later, so that the order of things is clear.
    world.run_for(SECOND / 2);
    world.start(1, Memory::Lost);
    world
}

/// What node 1 did, since the last question.
fn done() -> Vec<(Time, &'static str)> {
    let log = LOG.with(|log| log.take());
    let mine = log.into_iter().filter(|(_, node, _)| *node == 1);
    mine.map(|(at, _, what)| (at, what)).collect()
}

#[test]
fn datagrams_and_timers_come_in_time() {
    let kind = Ticking { size: 10 };
    let mut world = world(&kind);
    world.run_for(2 * SECOND);
    let expected = [
        (1001, "datagram"),
        (1500, "timer"),
        (2001, "datagram"),
        (2500, "timer"),
    ];
    assert_eq!(done(), expected);
    assert_eq!(world.events(), 6);
    assert_eq!(world.traffic(0).bytes, 2 * (10 + 28));
    assert_eq!(world.traffic(1).bytes, 0);
}

#[test]
fn timers_run_while_input_and_output_are_blocked() {
    let kind = Ticking { size: 10 };
    let mut world = world(&kind);
    world.pause(1, Pause::Io);
    world.run_for(2 * SECOND);
    assert_eq!(done(), [(1500, "timer"), (2500, "timer")]);
    world.resume(1);
    assert_eq!(done(), [(2500, "datagram"), (2500, "datagram")]);
    world.pause(0, Pause::Io);
    world.run_for(3 * SECOND);
    assert_eq!(done(), [(3500, "timer"), (4500, "timer"), (5500, "timer")]);
    world.resume(0);
    world.run_for(2 * MILLISECOND);
    assert_eq!(done(), [(5501, "datagram"); 3]);
}

#[test]
fn a_process_that_stopped_finds_its_work_in_the_order_asked_for() {
    let order = |wake| {
        let kind = Ticking { size: 10 };
        let mut world = world(&kind);
        world.pause(1, Pause::Process(wake));
        world.run_for(2 * SECOND + SECOND / 4);
        assert_eq!(done(), []);
        world.resume(1);
        assert!(LOG.with(|log| log.borrow().iter().all(|(at, _, _)| *at == 2750)));
        Vec::from_iter(done().into_iter().map(|(_, what)| what))
    };
    let (datagram, timer) = ("datagram", "timer");
    assert_eq!(order(Wake::InOrder), [datagram, timer, datagram]);
    assert_eq!(order(Wake::TimersFirst), [timer, datagram, datagram]);
    assert_eq!(order(Wake::PacketsFirst), [datagram, datagram, timer]);
}

#[test]
fn a_socket_holds_no_more_than_its_buffer() {
    let kind = Ticking { size: 1_400 };
    let mut world = world(&kind);
    world.pause(1, Pause::Process(Wake::PacketsFirst));
    world.run_for(400 * SECOND);
    world.resume(1);
    let datagrams = done()
        .iter()
        .filter(|(_, what)| *what == "datagram")
        .count();
    assert_eq!(datagrams as u64, SOCKET_BUFFER_LEN / 1_400);
}

#[test]
fn the_dead_neither_act_nor_answer() {
    let kind = Ticking { size: 10 };
    let mut world = world(&kind);
    world.crash(1);
    world.run_for(3 * SECOND);
    assert_eq!(done(), []);
    world.start(1, Memory::Lost);
    world.call(0, |_, _, out| out.reliable_ping(1, 5));
    world.crash(1);
    world.call(0, |_, _, out| out.reliable_ping(1, 6));
    world.run_for(SECOND / 4);
    let log = LOG.with(|log| log.take());
    let answers = log.iter().filter(|(_, _, what)| *what == "answer");
    // Two round trips of 2 ms.
    assert_eq!(Vec::from_iter(answers), [&(3504, 0, "answer")]);
}
