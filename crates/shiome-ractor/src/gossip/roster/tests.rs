use super::*;
use crate::backoff::FIRST_PAUSE;

const PERIOD: Duration = Duration::from_secs(1);

/// Session numbers, as `ractor` gives them.
fn session(number: u64) -> ActorId {
    ActorId::Local(number)
}

fn member(n: u8) -> NodeId {
    NodeId::from([n; 16])
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 4697))
}

/// A roster on virtual time.
struct Table {
    roster: Roster,
    now: Instant,
}

impl Table {
    /// Of the member 5, with the least time to a verdict of two seconds.
    fn new(seed: u64) -> Self {
        Self {
            roster: Roster::new(member(5), address(5), 2 * PERIOD, seed),
            now: Instant::now(),
        }
    }

    fn up(&mut self, n: u8) {
        self.roster.member_up(self.now, member(n), address(n));
    }

    fn down(&mut self, n: u8, reason: DownReason) -> Option<String> {
        self.roster.member_down(self.now, member(n), reason)
    }

    fn session(&mut self, number: u64, n: u8) {
        let name = format!("n{n}@h");
        self.roster
            .session_up(self.now, session(number), &name, [address(n)]);
    }

    fn lost(&mut self, number: u64) {
        self.roster.session_down(self.now, session(number));
    }

    fn dialled(&mut self, n: u8, dialled: Dialled) {
        self.roster.dial_ended(self.now, member(n), dialled);
    }

    fn actions(&mut self) -> Vec<Action> {
        self.roster.handle_timeout(self.now);
        std::iter::from_fn(|| self.roster.poll_action()).collect()
    }

    fn wait(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.actions()
    }

    /// Lets time pass until there is something to do; `None` if there never will be.
    fn next(&mut self) -> Option<(Duration, Vec<Action>)> {
        let due = self.roster.poll_timeout()?;
        let passed = due.saturating_duration_since(self.now);
        Some((passed, self.wait(passed)))
    }
}

fn dial(n: u8) -> Action {
    Action::Dial {
        member: member(n),
        address: address(n),
    }
}

fn close(number: u64, reason: DownReason) -> Action {
    Action::Close {
        session: session(number),
        reason,
    }
}

#[test]
fn the_smaller_id_dials_at_once_and_the_greater_gives_it_time() {
    let mut table = Table::new(1);
    table.up(9);
    assert_eq!(table.actions(), [dial(9)]);
    table.up(1);
    assert_eq!(table.actions(), []);
    let (passed, actions) = table.next().unwrap();
    assert_eq!(actions, [dial(1)]);
    assert!((HEADSTART..=HEADSTART * 2).contains(&passed), "{passed:?}");
}

#[test]
fn who_is_connected_is_not_dialled() {
    let mut table = Table::new(1);
    table.session(1, 9);
    table.up(9);
    table.up(1);
    table.session(2, 1);
    assert_eq!(table.next(), None);
    assert_eq!(table.actions(), []);
    assert_eq!(table.roster.name(member(9)).as_deref(), Some("n9@h"));
    // Another session with it, or the end of one of two, changes nothing.
    table.session(3, 9);
    table.lost(1);
    assert_eq!(table.next(), None);
}

#[test]
fn a_session_that_is_lost_is_dialled_again_while_the_member_is_up() {
    let mut table = Table::new(1);
    table.up(9);
    assert_eq!(table.actions(), [dial(9)]);
    table.session(1, 9);
    table.dialled(9, Dialled::Connected);
    assert_eq!(table.next(), None);
    table.wait(STABLE_AFTER);
    table.lost(1);
    assert_eq!(table.actions(), []);
    let (passed, actions) = table.next().unwrap();
    assert_eq!(actions, [dial(9)]);
    assert!(passed <= FIRST_PAUSE);

    assert_eq!(table.down(9, DownReason::Left).as_deref(), Some("n9@h"));
    table.dialled(9, Dialled::Failed);
    assert_eq!(table.next(), None);
}

#[test]
fn pauses_grow_to_a_minute_and_differ_by_chance() {
    let pauses = |seed| {
        let mut table = Table::new(seed);
        table.up(9);
        assert_eq!(table.actions(), [dial(9)]);
        let mut due = FIRST_PAUSE;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            table.dialled(9, Dialled::Failed);
            let (passed, actions) = table.next().unwrap();
            assert_eq!(actions, [dial(9)]);
            assert!(passed <= due, "{passed:?} of {due:?}");
            due = (due * 2).min(LONGEST_PAUSE);
            pauses.push(passed);
        }
        assert_eq!(due, Duration::from_secs(60));
        pauses
    };
    assert_ne!(pauses(1), pauses(2));
}

#[test]
fn sessions_that_do_not_last_are_dialled_less_and_less() {
    let mut table = Table::new(1);
    table.up(9);
    table.actions();
    let mut total = Duration::ZERO;
    for number in 0..10 {
        table.session(number, 9);
        table.dialled(9, Dialled::Connected);
        table.lost(number);
        total += table.next().unwrap().0;
    }
    assert!(total > LONGEST_PAUSE, "{total:?}");
    // One that lasts makes up for it.
    table.session(10, 9);
    table.dialled(9, Dialled::Connected);
    table.wait(STABLE_AFTER);
    table.lost(10);
    assert!(table.next().unwrap().0 <= FIRST_PAUSE);
}

#[test]
fn only_so_many_are_dialled_at_a_time() {
    let mut table = Table::new(1);
    for n in 6..66 {
        table.up(n);
    }
    let mut dialled = Vec::new();
    let mut actions = table.actions();
    while !actions.is_empty() {
        assert!(actions.len() <= MAX_DIALS);
        assert_eq!(table.roster.poll_timeout(), None, "no room");
        for action in actions {
            let Action::Dial { member, .. } = action else {
                panic!("{action:?}");
            };
            table
                .roster
                .member_down(table.now, member, DownReason::Failed);
            table.roster.dial_ended(table.now, member, Dialled::Failed);
            dialled.push(member);
        }
        actions = table.actions();
    }
    dialled.sort();
    assert_eq!(dialled, (6..66).map(member).collect::<Vec<_>>());
}

#[test]
fn the_session_of_a_dead_member_is_closed_and_of_nobody_else() {
    for reason in [DownReason::Failed, DownReason::Left, DownReason::Replaced] {
        let mut table = Table::new(1);
        for n in [1, 9] {
            table.up(n);
            table.session(n.into(), n);
        }
        // No member: a node that does not gossip.
        table.session(77, 77);
        table.wait(2 * PERIOD);
        table.down(9, reason);
        assert_eq!(table.actions(), [close(9, reason)]);
        table.lost(9);
        assert_eq!(table.next(), None);
    }
}

#[test]
fn who_proved_the_cookie_after_the_last_sign_of_life_is_spared() {
    let mut table = Table::new(1);
    table.up(9);
    table.actions();
    table.wait(10 * PERIOD);
    table.session(1, 9);
    table.dialled(9, Dialled::Connected);
    table.wait(PERIOD);
    table.down(9, DownReason::Failed);
    assert_eq!(table.actions(), []);
    // It is back: that session is its own.
    table.up(9);
    assert_eq!(table.next(), None);
    table.wait(2 * PERIOD);
    table.down(9, DownReason::Failed);
    assert_eq!(table.actions(), [close(1, DownReason::Failed)]);
}

#[test]
fn a_restarted_node_gets_a_session_of_its_own() {
    let mut table = Table::new(1);
    table.up(9);
    table.actions();
    table.session(1, 9);
    table.dialled(9, Dialled::Connected);
    table.wait(10 * PERIOD);
    // It is there under another id, and the session is still that of its predecessor.
    let (successor, at) = (member(8), address(9));
    table.roster.member_up(table.now, successor, at);
    let redial = Action::Dial {
        member: successor,
        address: at,
    };
    assert_eq!(table.actions(), [redial]);
    table.session(2, 9);
    table.dialled(8, Dialled::Connected);
    table.lost(1);
    assert_eq!(table.down(9, DownReason::Replaced).as_deref(), Some("n9@h"));
    assert_eq!(table.next(), None);
    assert_eq!(table.actions(), []);
    assert_eq!(table.roster.name(successor).as_deref(), Some("n9@h"));
}

#[test]
fn a_restarted_node_that_dials_first_keeps_its_session() {
    let mut table = Table::new(1);
    table.up(9);
    table.actions();
    table.session(1, 9);
    table.dialled(9, Dialled::Connected);
    table.wait(10 * PERIOD);
    table.lost(1);
    table.session(2, 9);
    table.wait(PERIOD / 10);
    table.roster.member_up(table.now, member(8), address(9));
    assert_eq!(table.next(), None);
    table.wait(10 * PERIOD);
    table.down(9, DownReason::Failed);
    assert_eq!(table.actions(), []);
    table.down(8, DownReason::Failed);
    assert_eq!(table.actions(), [close(2, DownReason::Failed)]);
}

#[test]
fn a_session_under_another_address_is_found_by_the_dial_that_ends_in_it() {
    let mut table = Table::new(1);
    table
        .roster
        .session_up(table.now, session(1), "n9@h", [address(90)]);
    table.up(9);
    assert_eq!(table.actions(), [dial(9)]);
    table.roster.session_at(session(1), [address(9)]);
    table.dialled(9, Dialled::Connected);
    assert_eq!(table.next(), None);
    assert_eq!(table.roster.name(member(9)).as_deref(), Some("n9@h"));
}

#[test]
fn a_connected_member_whose_session_is_not_known_is_left_alone_for_long() {
    let mut table = Table::new(1);
    table.up(9);
    table.actions();
    table.dialled(9, Dialled::Connected);
    let (passed, actions) = table.next().unwrap();
    assert_eq!(actions, [dial(9)]);
    assert!(passed >= LONGEST_PAUSE / 2);
    // It was only late. Its loss is the first there is.
    table.session(1, 9);
    assert_eq!(table.next(), None);
    table.lost(1);
    assert!(table.next().unwrap().0 <= FIRST_PAUSE);
}

#[test]
fn ipv4_in_ipv6_is_ipv4() {
    let mut table = Table::new(1);
    let mapped = "[::ffff:10.0.0.9]:4697".parse().unwrap();
    table
        .roster
        .session_up(table.now, session(1), "n9@h", [mapped]);
    table.up(9);
    assert_eq!(table.next(), None);
}

#[test]
fn this_node_and_what_is_no_node_are_not_dialled() {
    let mut table = Table::new(1);
    // This node before its restart.
    table.roster.member_up(table.now, member(7), address(5));
    let nowhere = SocketAddr::new(address(9).ip(), 0);
    table.roster.member_up(table.now, member(9), nowhere);
    assert_eq!(table.next(), None);
    assert_eq!(table.actions(), []);
}

#[test]
fn a_member_that_moves_is_dialled_where_it_is() {
    let mut table = Table::new(1);
    table.up(1);
    table.roster.member_up(table.now, member(1), address(11));
    let (_, actions) = table.next().unwrap();
    let there = Action::Dial {
        member: member(1),
        address: address(11),
    };
    assert_eq!(actions, [there]);
    assert_eq!(table.next(), None);
}

#[test]
fn missed_ends_are_made_up_for() {
    let mut table = Table::new(1);
    for n in [7, 9] {
        table.session(n.into(), n);
        table.up(n);
    }
    table.roster.sessions_are(table.now, &[session(7)]);
    let (_, actions) = table.next().unwrap();
    assert_eq!(actions, [dial(9)]);
    assert_eq!(table.next(), None);
}

/// What must hold whatever has happened: nobody who can be dialled is forgotten, and nobody who is connected is dialled.
fn check(roster: &Roster) {
    let mut due = 0;
    for (id, contact) in &roster.contacts {
        let linked = roster.is_linked(*id);
        let there = roster.at.get(&contact.address) == Some(id);
        let can_be_dialled = there && contact.address != roster.own;
        match contact.phase {
            Phase::Linked => assert!(linked, "{contact:?}"),
            Phase::Waiting(Some(at)) => {
                assert!(!linked && can_be_dialled, "{contact:?}");
                assert!(roster.due.contains(&(at, *id)));
                due += 1;
            }
            Phase::Waiting(None) => assert!(linked || !can_be_dialled, "{contact:?}"),
            Phase::Dialling => {}
        }
    }
    for contact in roster.contacts.values() {
        assert!(roster.at.contains_key(&contact.address), "{contact:?}");
    }
    assert_eq!(roster.due.len(), due);
    assert!(roster.dials <= MAX_DIALS);
    for session in roster.sessions.values() {
        assert!(session.member.is_none_or(|id| roster.contains(id)));
    }
}

#[test]
fn nobody_is_forgotten_whatever_happens() {
    use rand::RngExt as _;

    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut table = Table::new(seed);
        let mut dials = Vec::new();
        for _ in 0..300 {
            table.now += Duration::from_millis(rng.random_range(0..3_000));
            let now = table.now;
            let (n, at) = (rng.random_range(3..9), rng.random_range(3..9));
            let number = rng.random_range(0..6);
            match rng.random_range(0..8) {
                0 | 1 => table.roster.member_up(now, member(n), address(at)),
                2 => drop(table.down(n, DownReason::Failed)),
                3 => table.session(number, at),
                4 => table.lost(number),
                5 => table.roster.session_at(session(number), [address(at)]),
                6 => table.roster.sessions_are(now, &[session(number)]),
                _ if dials.is_empty() => {}
                _ => {
                    let member = dials.swap_remove(0);
                    let connected = rng.random_range(0..2) == 0;
                    let dialled = if connected {
                        Dialled::Connected
                    } else {
                        Dialled::Failed
                    };
                    table.roster.dial_ended(now, member, dialled);
                }
            }
            check(&table.roster);
            for action in table.actions() {
                if let Action::Dial { member, address } = action {
                    assert!(!table.roster.is_linked(member) && address != table.roster.own);
                    dials.push(member);
                }
            }
            check(&table.roster);
        }
    }
}
