use super::*;

/// Nodes that run and all know each other.
fn converged(nodes: u32) -> Ledger {
    let mut ledger = Ledger::new(nodes);
    for node in 0..nodes {
        ledger.started(node);
    }
    for observer in 0..nodes {
        for subject in 0..nodes {
            ledger.told(0, observer, subject, Belief::Up);
        }
    }
    ledger
}

#[test]
fn it_is_complete_when_each_knows_all_who_run_and_nobody_else() {
    let mut ledger = converged(4);
    assert!(ledger.is_complete());
    ledger.stopped(3);
    assert!(!ledger.is_complete());
    for observer in 0..3 {
        assert_eq!(ledger.known_by(3), 3 - observer);
        ledger.told(1, observer, 3, Belief::Down);
    }
    assert!(ledger.is_complete());
    ledger.started(3);
    assert!(!ledger.is_complete());
    for other in 0..3 {
        ledger.told(2, other, 3, Belief::Up);
        assert!(!ledger.is_complete());
        ledger.told(2, 3, other, Belief::Up);
    }
    assert!(ledger.is_complete());
    assert_eq!(ledger.faults, Faults::default());
}

#[test]
fn only_who_runs_is_a_false_positive() {
    let mut ledger = converged(4);
    ledger.set_anomalous(1, true);
    ledger.told(1, 0, 2, Belief::Down);
    ledger.told(1, 1, 2, Belief::Down);
    ledger.told(1, 0, 1, Belief::Down);
    ledger.stopped(3);
    ledger.told(1, 0, 3, Belief::Down);
    assert_eq!(ledger.counts.false_positives, 2);
    assert_eq!(ledger.counts.healthy_false_positives, 1);
    assert_eq!(ledger.counts.downs, 4);
}

#[test]
fn the_dead_do_not_come_back_unless_they_start() {
    let mut ledger = converged(3);
    ledger.stopped(2);
    ledger.told(1, 0, 2, Belief::Down);
    ledger.told(2, 0, 2, Belief::Up);
    assert_eq!((ledger.faults.resurrections, ledger.faults.ghosts), (1, 0));
    ledger.told(3, 0, 2, Belief::Down);
    ledger.told(3, 1, 2, Belief::Down);
    ledger.told(4, 1, 2, Belief::Up);
    assert_eq!((ledger.faults.resurrections, ledger.faults.ghosts), (2, 1));
    ledger.told(5, 1, 2, Belief::Down);
    ledger.started(2);
    ledger.told(6, 1, 2, Belief::Up);
    assert_eq!((ledger.faults.resurrections, ledger.faults.ghosts), (2, 1));
    assert_eq!(ledger.faults.repetitions, 0);
}

#[test]
fn who_missed_the_last_incarnation_may_still_hear_of_it() {
    let mut ledger = converged(2);
    ledger.incarnation(1, 5);
    ledger.stopped(1);
    ledger.told_end(1, 0, 1, 4);
    ledger.told(2, 0, 1, Belief::Up);
    assert_eq!(ledger.faults.resurrections, 0);
    ledger.told_end(3, 0, 1, 5);
    ledger.told(4, 0, 1, Belief::Up);
    assert_eq!(ledger.faults.resurrections, 1);
}

#[test]
fn up_and_down_take_turns() {
    let mut ledger = converged(2);
    ledger.told(1, 0, 1, Belief::Up);
    ledger.told(2, 0, 1, Belief::Down);
    ledger.told(3, 0, 1, Belief::Down);
    assert_eq!(ledger.faults.repetitions, 2);
}

#[test]
fn incarnations_grow_within_a_life_and_across_lives() {
    let mut ledger = converged(1);
    ledger.incarnation(0, 7);
    ledger.stopped(0);
    ledger.started(0);
    assert_eq!(ledger.past_incarnation(0), Some(7));
    ledger.incarnation(0, 1);
    assert_eq!(ledger.incarnations_above_past(0), -6);
    ledger.incarnation(0, 8);
    assert_eq!(ledger.incarnations_above_past(0), 1);
    assert_eq!(ledger.faults.lost_incarnations, 0);
    ledger.incarnation(0, 7);
    assert_eq!(ledger.faults.lost_incarnations, 1);
}
