use super::*;

fn accepted(id: u32, connection_id: u64) -> Candidate<u32> {
    Candidate {
        id,
        side: Side::Server,
        connection_id,
        seniority: id.into(),
        incarnation: 0,
        suspect: false,
    }
}

fn of_run(incarnation: u64, candidate: Candidate<u32>) -> Candidate<u32> {
    Candidate {
        incarnation,
        ..candidate
    }
}

fn suspect(candidate: Candidate<u32>) -> Candidate<u32> {
    Candidate {
        suspect: true,
        ..candidate
    }
}

fn dialled(id: u32, connection_id: u64) -> Candidate<u32> {
    Candidate {
        side: Side::Client,
        ..accepted(id, connection_id)
    }
}

#[test]
fn nobody_and_a_lone_candidate_need_no_rule() {
    assert_eq!(elect::<u32>("a", "b", &[]), []);
    assert_eq!(elect("a", "b", &[dialled(1, 0)]), [1]);
    assert_eq!(elect("a", "b", &[accepted(1, 9)]), [1]);
}

#[test]
fn of_both_directions_the_one_dialled_by_the_last_name_stays() {
    let both = [dialled(1, 1), accepted(2, 2)];
    assert_eq!(elect("a", "b", &both), [2]);
    assert_eq!(elect("b", "a", &both), [1]);
    // Bytes, not letters; a prefix sorts first.
    assert_eq!(elect("B", "a", &both), [2]);
    assert_eq!(elect("a", "a@h", &both), [2]);
    assert_eq!(elect("é", "z", &both), [1]);
}

#[test]
fn equal_names_go_by_nonce() {
    assert_eq!(elect("a", "a", &[dialled(1, 7), accepted(2, 3)]), [2]);
    assert_eq!(elect("a", "a", &[dialled(1, 0), accepted(2, 0)]), [1, 2]);
}

#[test]
fn of_one_direction_the_smallest_nonce_stays_and_none_is_not_small() {
    let three = [accepted(1, 0), accepted(2, 9), accepted(3, 4)];
    assert_eq!(elect("a", "b", &three), [3]);
    assert_eq!(elect("a", "b", &[dialled(1, 9), dialled(2, 4)]), [2]);
    assert_eq!(elect("a", "b", &[accepted(1, 0), accepted(2, 9)]), [2]);
}

#[test]
fn of_accepted_ties_the_oldest_stays_and_of_dialled_ties_all() {
    assert_eq!(elect("a", "b", &[accepted(2, 5), accepted(1, 5)]), [1]);
    assert_eq!(elect("a", "b", &[accepted(2, 0), accepted(1, 0)]), [1]);
    assert_eq!(elect("a", "b", &[dialled(2, 5), dialled(1, 5)]), [2, 1]);
}

#[test]
fn the_direction_counts_before_the_nonce() {
    let all = [dialled(1, 9), dialled(2, 8), accepted(3, 1), accepted(4, 2)];
    assert_eq!(elect("b", "a", &all), [2]);
    assert_eq!(elect("a", "b", &all), [3]);
}

#[test]
fn admission_foretells_the_election() {
    assert_eq!(admit("a", "b", &accepted(1, 5), &[]), Admission::Ok);
    let rivals = [dialled(1, 1)];
    assert_eq!(
        admit("a", "b", &accepted(2, 9), &rivals),
        Admission::OkSimultaneous
    );
    assert_eq!(admit("b", "a", &accepted(2, 9), &rivals), Admission::NotOk);
    let rivals = [accepted(1, 5)];
    assert_eq!(
        admit("a", "b", &accepted(2, 4), &rivals),
        Admission::OkSimultaneous
    );
    assert_eq!(admit("a", "b", &accepted(2, 6), &rivals), Admission::NotOk);
    assert_eq!(admit("a", "b", &accepted(2, 0), &rivals), Admission::NotOk);
}

#[test]
fn a_repeated_nonce_is_decided_later() {
    let rivals = [accepted(1, 5), accepted(2, 1)];
    assert_eq!(admit("a", "b", &accepted(3, 5), &rivals), Admission::Ok);
    assert_eq!(
        admit("a", "b", &accepted(3, 0), &[accepted(1, 0)]),
        Admission::Ok
    );
}

#[test]
fn a_session_that_does_not_answer_loses_whatever_speaks_for_it() {
    let dead = suspect(of_run(9, dialled(1, 1)));
    assert_eq!(elect("b", "a", &[dead, accepted(2, 9)]), [2]);
    assert_eq!(elect("b", "a", &[accepted(2, 0), dead]), [2]);
    // Where none answers, the other rules decide, and one stays all the same.
    let all = [suspect(accepted(1, 5)), suspect(accepted(2, 4))];
    assert_eq!(elect("a", "b", &all), [2]);
    assert_eq!(elect("a", "b", &[dead]), [1]);
}

#[test]
fn the_latest_run_wins_and_one_without_loses() {
    let runs = [
        of_run(3, dialled(1, 1)),
        of_run(4, accepted(2, 9)),
        accepted(3, 0),
    ];
    assert_eq!(elect("b", "a", &runs), [2]);
    assert_eq!(elect("a", "b", &runs), [2]);
    assert_eq!(elect("b", "a", &[runs[0], runs[2]]), [1]);
    let same = [of_run(4, dialled(1, 9)), of_run(4, accepted(2, 1))];
    assert_eq!(elect("b", "a", &same), [1], "names decide within a run");
    assert_eq!(elect("b", "a", &[of_run(u64::MAX, accepted(1, 0))]), [1]);
}

#[test]
fn a_restarted_peer_is_let_in_at_the_first_try() {
    let admit = |newcomer, rivals: &[_]| admit("b", "a", &newcomer, rivals);
    let [old, new] = [of_run(3, dialled(1, 1)), of_run(4, accepted(2, 9))];
    assert_eq!(admit(new, &[old]), Admission::OkSimultaneous);
    // The same nonce, drawn again.
    let again = of_run(4, accepted(2, 1));
    assert_eq!(admit(again, &[old]), Admission::OkSimultaneous);
    // Published nodes tell no run; the old session has to be found dead.
    let nonceless = accepted(2, 0);
    let rivals = [suspect(accepted(1, 0)), suspect(dialled(3, 1))];
    assert_eq!(admit(nonceless, &rivals), Admission::OkSimultaneous);
    assert_eq!(admit(accepted(2, 9), &rivals), Admission::OkSimultaneous);
}

#[test]
fn a_claim_of_an_earlier_run_or_of_none_does_not_get_past_a_session_that_answers() {
    let rivals = [of_run(4, accepted(1, 9)), suspect(dialled(3, 1))];
    for newcomer in [of_run(3, accepted(2, 1)), accepted(2, 1), accepted(2, 0)] {
        assert_eq!(admit("a", "b", &newcomer, &rivals), Admission::NotOk);
    }
    // Of the same run, the other rules decide.
    let newcomer = of_run(4, accepted(2, 1));
    let verdict = admit("a", "b", &newcomer, &rivals);
    assert_eq!(verdict, Admission::OkSimultaneous);
    let newcomer = of_run(4, accepted(2, 10));
    assert_eq!(admit("a", "b", &newcomer, &rivals), Admission::NotOk);
}

/// Each end of the same connections, however many: the same one stays, and exactly one.
#[test]
fn both_ends_keep_the_same_connection() {
    let connections = [
        (Side::Client, 3),
        (Side::Server, 1),
        (Side::Client, 2),
        (Side::Server, 4),
    ];
    for mask in 1_u32..16 {
        let end = |turned: bool| -> Vec<Candidate<usize>> {
            let seen = connections.iter().enumerate();
            seen.filter(|(i, _)| mask & (1 << i) != 0)
                .map(|(id, &(side, connection_id))| Candidate {
                    id,
                    side: if turned { other(side) } else { side },
                    connection_id,
                    seniority: if turned { 9 - id as u64 } else { id as u64 },
                    // Each end knows the other's run, which is one and the same on all connections.
                    incarnation: if turned { 5 } else { 7 },
                    suspect: false,
                })
                .collect()
        };
        for (a, b) in [("a", "b"), ("b", "a"), ("same", "same")] {
            let here = elect(a, b, &end(false));
            assert_eq!(here.len(), 1, "mask {mask:b}");
            assert_eq!(here, elect(b, a, &end(true)), "mask {mask:b}");
        }
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}
