//! Which of several connections between two nodes stays.
//!
//! These are the rules of `ractor_cluster` 0.16.5. Both ends know the side and the nonce of every connection, so both
//! keep the same one without a word.

use crate::event::{Admission, Side};

/// One session with the peer in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<Id> {
    /// The owner's handle.
    pub id: Id,
    /// Our side of the session.
    pub side: Side,
    /// Nonce of the end that dialled. Zero: it drew none.
    pub connection_id: u64,
    /// Age: lower is older.
    pub seniority: u64,
}

/// The sessions that stay, in the order given. The others are to be closed.
///
/// `candidates` are all the authenticated sessions with one peer. Each rule applies only while more than one is left:
///
/// 1. If both nodes have dialled: those dialled by the node whose full name sorts last, byte by byte.
/// 2. If any has a nonce: those with the smallest one.
/// 3. If all were accepted here: the oldest.
///
/// Rule 3 leaves several when they were dialled here: the peer decides between those.
pub fn elect<Id: Copy + Eq>(
    our_name: &str,
    peer_name: &str,
    candidates: &[Candidate<Id>],
) -> Vec<Id> {
    survivors(our_name, peer_name, candidates.iter())
        .into_iter()
        .map(|survivor| survivor.id)
        .collect()
}

/// The verdict on a connection that is not authenticated yet.
///
/// `rivals` are the authenticated sessions with the peer that the newcomer claims to be. The claim is not proven, so
/// nothing happens to the rivals yet: [`elect`] again once it is.
///
/// A newcomer with the nonce of a rival is let in, for the election to decide when it has proven itself.
pub fn admit<Id>(
    our_name: &str,
    peer_name: &str,
    newcomer: &Candidate<Id>,
    rivals: &[Candidate<Id>],
) -> Admission {
    if rivals.is_empty() {
        return Admission::Ok;
    }
    let nonce = newcomer.connection_id;
    if rivals.iter().any(|rival| rival.connection_id == nonce) {
        return Admission::Ok;
    }
    let all = rivals.iter().chain([newcomer]);
    let stays = survivors(our_name, peer_name, all)
        .into_iter()
        .any(|survivor| std::ptr::eq(survivor, newcomer));
    if stays {
        Admission::OkSimultaneous
    } else {
        Admission::NotOk
    }
}

fn survivors<'a, Id>(
    our_name: &str,
    peer_name: &str,
    candidates: impl Iterator<Item = &'a Candidate<Id>>,
) -> Vec<&'a Candidate<Id>> {
    let mut left: Vec<_> = candidates.collect();
    keep_direction(our_name, peer_name, &mut left);
    keep_smallest_nonce(&mut left);
    keep_oldest_accepted(&mut left);
    left
}

fn keep_direction<Id>(our_name: &str, peer_name: &str, left: &mut Vec<&Candidate<Id>>) {
    let both = [Side::Client, Side::Server]
        .iter()
        .all(|&side| left.iter().any(|candidate| candidate.side == side));
    if !both || our_name == peer_name {
        return;
    }
    let side = if our_name > peer_name {
        Side::Client
    } else {
        Side::Server
    };
    left.retain(|candidate| candidate.side == side);
}

fn keep_smallest_nonce<Id>(left: &mut Vec<&Candidate<Id>>) {
    let nonces = left.iter().map(|candidate| candidate.connection_id);
    if let Some(smallest) = nonces.filter(|&nonce| nonce != 0).min() {
        left.retain(|candidate| candidate.connection_id == smallest);
    }
}

fn keep_oldest_accepted<Id>(left: &mut Vec<&Candidate<Id>>) {
    if left.iter().any(|candidate| candidate.side == Side::Client) {
        return;
    }
    if let Some(oldest) = left.iter().map(|candidate| candidate.seniority).min() {
        left.retain(|candidate| candidate.seniority == oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(id: u32, connection_id: u64) -> Candidate<u32> {
        Candidate {
            id,
            side: Side::Server,
            connection_id,
            seniority: id.into(),
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
}
