use rand::RngExt as _;

use super::*;

/// A keeper on virtual time. It checks what must hold after each step.
struct Table {
    keeper: Keeper<u32>,
    config: Reconnect,
    now: Instant,
    dials: usize,
    pauses: Vec<Duration>,
    ends: Vec<u32>,
}

impl Table {
    fn new(seed: u64, config: Reconnect) -> Self {
        let now = Instant::now();
        let keeper = Keeper::new(now, config.clone(), seed);
        let mut table = Self {
            keeper,
            config,
            now,
            dials: 0,
            pauses: Vec::new(),
            ends: Vec::new(),
        };
        table.settle();
        table
    }

    /// Does what is due, and counts what the keeper says.
    fn settle(&mut self) {
        let free = self.dials == 0 && self.keeper.session().is_none() && self.ends.is_empty();
        self.keeper.handle_timeout(self.now);
        while let Some(action) = self.keeper.poll_action() {
            match action {
                Action::Dial => {
                    assert!(free, "dials only while nothing is there or under way");
                    self.dials += 1;
                    assert_eq!(self.dials, 1);
                }
                Action::Pause { pause, .. } => {
                    assert!(pause <= self.config.longest);
                    self.pauses.push(pause);
                }
                Action::GiveUp { attempts } => self.ends.push(attempts),
            }
        }
        assert!(self.ends.len() <= 1, "gives up once");
        let ended = !self.ends.is_empty();
        assert!(!ended || self.keeper.poll_timeout().is_none());
    }

    fn fail(&mut self, never: bool) {
        assert_eq!(std::mem::take(&mut self.dials), 1);
        self.keeper.dial_failed(self.now, never);
        self.settle();
    }

    fn link(&mut self, session: u32) {
        assert_eq!(std::mem::take(&mut self.dials), 1);
        self.keeper.linked(self.now, session);
        self.settle();
    }

    fn up(&mut self, session: u32) {
        self.keeper.session_up(self.now, session);
        self.settle();
    }

    fn down(&mut self, session: u32) {
        self.keeper.session_down(self.now, session);
        self.settle();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.settle();
    }

    /// Lets time pass until the next dial.
    fn next_dial(&mut self) {
        let due = self.keeper.poll_timeout().expect("there is a dial to come");
        self.now = due.max(self.now);
        self.settle();
        assert_eq!(self.dials, 1);
    }
}

fn limits(max_attempts: Option<u32>, give_up_after: Option<Duration>) -> Reconnect {
    Reconnect {
        max_attempts,
        give_up_after,
        ..Reconnect::default()
    }
}

#[test]
fn the_first_dial_is_at_once_and_each_pause_within_a_bound_that_doubles() {
    for seed in 0..200 {
        let mut table = Table::new(seed, Reconnect::default());
        assert_eq!(table.dials, 1);
        let mut bound = table.config.first;
        for attempt in 1..20 {
            assert_eq!(table.keeper.attempt(), attempt);
            table.fail(false);
            assert!(table.pauses.pop().unwrap() <= bound);
            bound = (bound * 2).min(table.config.longest);
            table.next_dial();
        }
        assert_eq!(bound, Duration::from_secs(60));
    }
}

#[test]
fn an_error_that_stays_is_dialled_at_the_slowest_pace_at_once() {
    let long = (0..100).filter(|seed| {
        let mut table = Table::new(*seed, Reconnect::default());
        table.fail(true);
        table.pauses[0] > Duration::from_secs(30)
    });
    // Half of them, by chance.
    assert!((30..70).contains(&long.count()));
}

#[test]
fn who_is_connected_is_not_dialled_until_that_session_ends() {
    let mut table = Table::new(1, Reconnect::default());
    table.link(1);
    table.wait(Duration::from_secs(3600));
    assert_eq!(table.keeper.poll_timeout(), None);
    // The end of another is not its end.
    table.down(2);
    assert_eq!(table.keeper.session(), Some(1));
    table.down(1);
    assert!(table.pauses[0] <= table.config.first);
    table.next_dial();
}

#[test]
fn a_session_that_the_peer_dialled_is_as_good() {
    let mut table = Table::new(1, Reconnect::default());
    table.fail(false);
    table.up(7);
    table.wait(Duration::from_secs(3600));
    assert_eq!((table.dials, table.keeper.session()), (0, Some(7)));
    table.down(7);
    table.next_dial();
}

#[test]
fn a_dial_that_is_overtaken_by_a_session_is_not_doubled() {
    let mut table = Table::new(1, Reconnect::default());
    table.up(7);
    table.wait(Duration::from_secs(1));
    table.down(7);
    // The dial is under way still, and decides.
    assert_eq!(table.keeper.poll_timeout(), None);
    table.fail(false);
    table.next_dial();
    table.up(8);
    table.fail(false);
    assert_eq!(table.keeper.session(), Some(8));
    assert_eq!(table.keeper.poll_timeout(), None);
}

#[test]
fn one_session_takes_over_from_another() {
    let mut table = Table::new(1, limits(Some(1), None));
    table.link(1);
    table.wait(table.config.stable_after);
    table.up(2);
    table.down(1);
    assert_eq!(table.keeper.session(), Some(2));
    // It has lasted, together with the one before.
    table.down(2);
    assert!(table.ends.is_empty());
    table.next_dial();
}

#[test]
fn sessions_that_do_not_last_are_dialled_less_and_less_and_count() {
    let mut table = Table::new(1, limits(Some(12), None));
    for session in 0..12 {
        table.link(session);
        table.down(session);
        if session < 11 {
            table.next_dial();
        }
    }
    assert_eq!(table.ends, [12]);
    let total: Duration = table.pauses.iter().sum();
    assert!(total > table.config.longest, "{total:?}");
}

#[test]
fn a_session_that_lasts_starts_over() {
    let mut table = Table::new(1, limits(Some(3), None));
    table.fail(false);
    table.next_dial();
    table.fail(false);
    table.next_dial();
    table.link(1);
    table.wait(table.config.stable_after);
    table.down(1);
    for _ in 0..2 {
        table.next_dial();
        table.fail(false);
    }
    assert!(table.ends.is_empty());
    table.next_dial();
    table.fail(false);
    assert_eq!(table.ends, [3]);
}

#[test]
fn gives_up_after_so_many_dials_and_says_nothing_more() {
    for (limit, dials) in [(0, 1), (1, 1), (5, 5)] {
        let mut table = Table::new(1, limits(Some(limit), None));
        for dial in 1..=dials {
            assert!(table.ends.is_empty());
            table.fail(false);
            if dial < dials {
                table.next_dial();
            }
        }
        assert_eq!(table.ends, [dials]);
        table.up(1);
        table.down(1);
        table.wait(Duration::from_secs(3600));
        assert_eq!((table.dials, table.keeper.session()), (0, None));
    }
}

#[test]
fn gives_up_after_so_long_with_a_last_dial_at_the_end() {
    let limit = Duration::from_secs(100);
    for seed in 0..50 {
        let mut table = Table::new(seed, limits(None, Some(limit)));
        let began = table.now;
        loop {
            let dialled = table.now;
            table.fail(false);
            if !table.ends.is_empty() {
                assert_eq!(dialled, began + limit);
                break;
            }
            table.next_dial();
        }
    }
}

#[test]
fn nothing_happens_after_a_cancel() {
    for dialling in [true, false] {
        let mut table = Table::new(1, limits(Some(1), None));
        if !dialling {
            table.link(1);
        }
        table.keeper.cancel();
        table.keeper.dial_failed(table.now, false);
        table.down(1);
        table.up(2);
        table.wait(Duration::from_secs(3600));
        assert!(table.ends.is_empty() && table.pauses.is_empty());
        assert_eq!(table.keeper.session(), None);
    }
}

#[test]
fn times_that_no_clock_reaches_are_taken() {
    let config = Reconnect {
        first: Duration::MAX,
        longest: Duration::ZERO,
        stable_after: Duration::MAX,
        max_attempts: Some(u32::MAX),
        give_up_after: Some(Duration::MAX),
    };
    let mut table = Table::new(1, config.clone().bounded());
    assert_eq!(table.config.first, table.config.longest);
    for _ in 0..10 {
        table.fail(false);
        table.next_dial();
    }
    let tight = Reconnect {
        first: Duration::ZERO,
        ..config
    };
    assert!(tight.bounded().first > Duration::ZERO);
}

#[test]
fn whatever_happens_there_is_one_dial_or_session_or_a_time_for_the_next() {
    for seed in 0..500 {
        let mut rng = StdRng::seed_from_u64(seed);
        let attempts = (seed % 3 == 0).then_some(6);
        let time = (seed % 5 == 0).then_some(Duration::from_secs(90));
        let mut table = Table::new(seed, limits(attempts, time));
        for _ in 0..200 {
            table.wait(Duration::from_millis(rng.random_range(0..15_000)));
            let session = rng.random_range(0..3);
            match rng.random_range(0..5) {
                0 => table.up(session),
                1 => table.down(session),
                2 if table.dials == 1 => table.link(session),
                3 if table.dials == 1 => table.fail(rng.random_range(0..4) == 0),
                _ => {}
            }
            let waits = table.keeper.poll_timeout().is_some();
            let linked = table.keeper.session().is_some();
            if table.ends.is_empty() {
                assert!(waits || linked || table.dials == 1);
                assert!(!(waits && (linked || table.dials == 1)));
            } else {
                assert!(!waits && !linked && table.dials == 0);
            }
        }
        let limited = attempts.is_some() || time.is_some();
        assert!(limited || table.ends.is_empty());
    }
}
