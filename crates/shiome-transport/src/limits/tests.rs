use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A connection from there lies.
fn fail(admission: &Admission, now: Instant, from: IpAddr) {
    let source = Some(Source::of(from));
    admission.table().failed(now, source, now, Failure::Lie);
}

fn limits() -> Limits {
    Limits {
        max_unauthenticated: 4,
        max_unauthenticated_per_source: 2,
        max_free_failures: 1,
        first_penalty: SECOND,
        longest_penalty: 8 * SECOND,
        memory: 60 * SECOND,
        max_remembered: 3,
    }
}

#[test]
fn a_source_and_all_sources_have_so_many_places() {
    let (admission, now) = (Admission::new(limits()), Instant::now());
    let admit = |text| admission.try_admit(now, ip(text));
    let first = admit("10.0.0.1").unwrap();
    let _second = admit("10.0.0.1").unwrap();
    assert_eq!(admit("10.0.0.1").unwrap_err(), Refusal::SourceFull);
    let _others = [admit("10.0.0.2").unwrap(), admit("10.0.0.3").unwrap()];
    assert_eq!(admit("10.0.0.4").unwrap_err(), Refusal::Full);
    assert_eq!(admission.unauthenticated(), 4);

    drop(first);
    assert_eq!(admission.unauthenticated(), 3);
    drop(admit("10.0.0.1").unwrap());
    assert!(admit("10.0.0.4").is_ok());
}

#[test]
fn a_source_is_an_ipv4_address_or_an_ipv6_network() {
    for (one, other, same) in [
        ("10.0.0.1", "10.0.0.2", false),
        ("10.0.0.1", "::ffff:10.0.0.1", true),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", false),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
    ] {
        assert_eq!(Source::of(ip(one)) == Source::of(ip(other)), same, "{one}");
    }
}

#[test]
fn each_failure_doubles_the_penalty_up_to_the_longest() {
    let (admission, from) = (Admission::new(limits()), ip("10.0.0.1"));
    let mut now = Instant::now();
    admission.try_admit(now, from).unwrap().failed(now);
    assert!(
        admission.try_admit(now, from).is_ok(),
        "one failure is free"
    );
    for seconds in [1, 2, 4, 8, 8, 8] {
        fail(&admission, now, from);
        let until = now + seconds * SECOND;
        let early = until - Duration::from_nanos(1);
        assert_eq!(
            admission.try_admit(early, from).unwrap_err(),
            Refusal::Penalty { until }
        );
        assert!(admission.try_admit(early, ip("10.0.0.2")).is_ok());
        assert!(admission.try_admit(until, from).is_ok());
        now = until;
    }
}

#[test]
fn who_wastes_places_waits_for_a_moment_however_often() {
    let (admission, from) = (Admission::new(limits()), ip("10.0.0.1"));
    let mut now = Instant::now();
    admission.try_admit(now, from).unwrap().wasted(now);
    for _ in 0..10 {
        admission.try_admit(now, from).unwrap().wasted(now);
        let until = now + SECOND;
        assert_eq!(
            admission.try_admit(now, from).unwrap_err(),
            Refusal::Penalty { until }
        );
        now = until;
    }
    // A lie does not count for less, or more, for that.
    for seconds in [1, 2] {
        admission.try_admit(now, from).unwrap().failed(now);
        let until = now + seconds * SECOND;
        assert_eq!(
            admission.try_admit(now, from).unwrap_err(),
            Refusal::Penalty { until }
        );
        now = until;
    }
}

#[test]
fn many_that_lie_at_once_are_punished_as_one() {
    let limits = Limits::default();
    let (admission, from) = (Admission::new(limits.clone()), ip("10.0.0.1"));
    let now = Instant::now();
    let at_once: Vec<_> = (0..limits.max_unauthenticated_per_source)
        .map(|_| admission.try_admit(now, from).unwrap())
        .collect();
    let later = now + SECOND;
    for ticket in at_once {
        ticket.failed(later);
    }
    let until = later + limits.first_penalty;
    let refused = admission.try_admit(later, from).unwrap_err();
    assert_eq!(refused, Refusal::Penalty { until });
    let again = admission.try_admit(until, from).unwrap();
    again.failed(until);
    let until = until + 2 * limits.first_penalty;
    let refused = admission.try_admit(later + SECOND, from).unwrap_err();
    assert_eq!(refused, Refusal::Penalty { until });
}

#[test]
fn who_fails_has_fewer_places_and_then_one() {
    let limits = Limits {
        max_unauthenticated: 100,
        max_unauthenticated_per_source: 8,
        ..limits()
    };
    let (admission, from) = (Admission::new(limits), ip("10.0.0.1"));
    let mut now = Instant::now();
    let places = |now| {
        let admit = || admission.try_admit(now, from);
        let tickets: Vec<_> = std::iter::from_fn(|| admit().ok()).collect();
        assert_eq!(admit().unwrap_err(), Refusal::SourceFull);
        tickets.len()
    };
    for expected in [8, 8, 4, 2, 1, 1] {
        assert_eq!(places(now), expected);
        admission.try_admit(now, from).unwrap().wasted(now);
        now += SECOND;
    }
    admission.try_admit(now, from).unwrap().succeeded();
    assert_eq!(places(now), 8);
}

#[test]
fn success_or_time_makes_a_source_new() {
    let (admission, now) = (Admission::new(limits()), Instant::now());
    let from = ip("10.0.0.1");
    let is_punished = |now| {
        fail(&admission, now, from);
        admission.try_admit(now, from).is_err()
    };
    let earlier = admission.try_admit(now, from).unwrap();
    assert!(!is_punished(now) && is_punished(now));
    earlier.succeeded();
    assert_eq!(admission.remembered(), 0);
    assert!(!is_punished(now) && is_punished(now));
    let (penalty, memory) = (limits().first_penalty, limits().memory);
    let forgotten = now + penalty + memory;
    assert!(!is_punished(forgotten), "forgotten");
    assert!(is_punished(forgotten + memory - SECOND), "remembered");
}

#[test]
fn who_failed_least_is_forgotten_first() {
    let (admission, now) = (Admission::new(limits()), Instant::now());
    let bad = ip("10.0.0.1");
    for n in 0..5 {
        fail(&admission, now + n * SECOND, bad);
    }
    // These would be remembered for longer.
    let later = now + 20 * SECOND;
    for n in 2..=200 {
        fail(&admission, later, IpAddr::from([10, 0, 0, n]));
        assert!(admission.remembered() <= limits().max_remembered);
    }
    fail(&admission, later, bad);
    // The fifth penalty of one that is remembered.
    let until = later + limits().longest_penalty;
    let refused = admission.try_admit(later, bad).unwrap_err();
    assert_eq!(refused, Refusal::Penalty { until });
}

#[test]
fn limits_of_any_size_do_no_harm() {
    let (admission, now) = (
        Admission::new(Limits {
            max_unauthenticated: usize::MAX,
            max_unauthenticated_per_source: usize::MAX,
            max_free_failures: 0,
            first_penalty: Duration::MAX,
            longest_penalty: Duration::MAX,
            memory: Duration::MAX,
            max_remembered: 0,
        }),
        Instant::now(),
    );
    let from = ip("10.0.0.1");
    fail(&admission, now, from);
    assert_eq!(admission.remembered(), 0);
    let harsh = Admission::new(Limits {
        longest_penalty: Duration::MAX,
        first_penalty: Duration::MAX,
        memory: Duration::MAX,
        ..limits()
    });
    for _ in 0..100 {
        fail(&harsh, now, from);
    }
    let until = now + MAX_PENALTY;
    let refused = harsh.try_admit(now, from).unwrap_err();
    assert_eq!(refused, Refusal::Penalty { until });
}

#[test]
fn who_has_no_address_counts_among_all_and_is_never_punished() {
    let (admission, now) = (Admission::new(limits()), Instant::now());
    let local: Vec<_> = (0..4)
        .map(|_| admission.try_admit(now, None).unwrap())
        .collect();
    let from = ip("10.0.0.1");
    assert_eq!(admission.try_admit(now, from).unwrap_err(), Refusal::Full);
    for ticket in local {
        ticket.failed(now);
    }
    assert_eq!(
        (admission.unauthenticated(), admission.remembered()),
        (0, 0)
    );
    assert!(admission.try_admit(now, None).is_ok());
    let counts = Counts {
        admitted: 5,
        failed: 4,
        refused_full: 1,
        ..Counts::default()
    };
    assert_eq!(admission.counts(), counts);
}

#[derive(Debug, Clone)]
enum Step {
    Admit(u8),
    Drop(usize),
    Failed(usize),
    Wasted(usize),
    Succeeded(usize),
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..8u8).prop_map(Step::Admit),
        3 => any::<usize>().prop_map(Step::Drop),
        2 => any::<usize>().prop_map(Step::Failed),
        2 => any::<usize>().prop_map(Step::Wasted),
        1 => any::<usize>().prop_map(Step::Succeeded),
        2 => (0..5000u16).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..200)
}

fn source(n: u8) -> IpAddr {
    match n % 2 {
        0 => IpAddr::from([10, 0, 0, n]),
        _ => IpAddr::from([0x2001, 0xdb8, 0, n.into(), 1, 2, 3, 4]),
    }
}

proptest! {
    /// Whatever happens, no limit is passed, no place is lost, and who never failed is refused for lack of room only.
    #[test]
    fn bounds_hold(steps in steps()) {
        let (admission, limits) = (Admission::new(limits()), limits());
        let mut now = Instant::now();
        let mut held: Vec<(u8, Ticket)> = Vec::new();
        let mut blamed: HashMap<u8, Instant> = HashMap::new();
        let mut counts = Counts::default();
        for step in steps {
            match step {
                Step::Admit(n) => {
                    let of_source = held.iter().filter(|(from, _)| *from == n).count();
                    match admission.try_admit(now, source(n)) {
                        Ok(ticket) => {
                            counts.admitted += 1;
                            prop_assert!(held.len() < limits.max_unauthenticated);
                            prop_assert!(of_source < limits.max_unauthenticated_per_source);
                            held.push((n, ticket));
                        }
                        Err(Refusal::Full) => {
                            counts.refused_full += 1;
                            prop_assert_eq!(held.len(), limits.max_unauthenticated);
                        }
                        Err(Refusal::SourceFull) => {
                            counts.refused_source += 1;
                            let is_known = blamed.contains_key(&n);
                            let least = if is_known { 1 } else { limits.max_unauthenticated_per_source };
                            prop_assert!(of_source >= least);
                        }
                        Err(Refusal::Penalty { until }) => {
                            counts.refused_penalty += 1;
                            prop_assert!(now < until && until <= now + limits.longest_penalty);
                            prop_assert!(until <= blamed[&n] + limits.longest_penalty);
                        }
                    }
                }
                Step::Drop(_) | Step::Failed(_) | Step::Wasted(_) | Step::Succeeded(_) if held.is_empty() => {}
                Step::Drop(n) => drop(held.swap_remove(n % held.len())),
                Step::Failed(n) => {
                    let (from, ticket) = held.swap_remove(n % held.len());
                    ticket.failed(now);
                    counts.failed += 1;
                    blamed.insert(from, now);
                }
                Step::Wasted(n) => {
                    let (from, ticket) = held.swap_remove(n % held.len());
                    ticket.wasted(now);
                    counts.failed += 1;
                    blamed.insert(from, now);
                }
                Step::Succeeded(n) => {
                    let (from, ticket) = held.swap_remove(n % held.len());
                    ticket.succeeded();
                    counts.authenticated += 1;
                    blamed.remove(&from);
                }
                Step::Wait(millis) => now += Duration::from_millis(millis.into()),
            }
            prop_assert_eq!(admission.counts(), counts);
            prop_assert_eq!(admission.unauthenticated(), held.len());
            prop_assert!(admission.remembered() <= limits.max_remembered);
        }
        held.clear();
        prop_assert_eq!(admission.unauthenticated(), 0);
        prop_assert_eq!(admission.table().open_sources(), 0);
    }
}
