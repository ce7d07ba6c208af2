//! Which of several connections between two nodes stays.
//!
//! Side and nonce decide as in `ractor_cluster` 0.16.5. Both ends know these of every connection, so both keep the same
//! one without a word. Before that goes what only this end knows: which connections do not answer, and which belong to
//! a run of the peer that is over.

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
    /// Run of the peer, from its [`Hello`](shiome_wire::native::Hello): the greater, the later. Zero: it told none. Of
    /// a newcomer, see [`read_hello`](crate::read_hello), it is a claim as its name is.
    pub incarnation: u64,
    /// The peer did not answer a probe on this session.
    pub suspect: bool,
}

/// The sessions that stay, in the order given. The others are to be closed.
///
/// `candidates` are all the authenticated sessions with one peer. Each rule applies only while more than one is left:
///
/// 1. If the peer answers on some: those.
/// 2. If the incarnation of any is known: those of the greatest.
/// 3. If both nodes have dialled: those dialled by the node whose full name sorts last, byte by byte.
/// 4. If any has a nonce: those with the smallest one.
/// 5. If all were accepted here: the oldest.
///
/// Rule 5 leaves several when they were dialled here: the peer decides between those.
pub fn elect<Id: Copy + Eq>(
    our_name: &str,
    peer_name: &str,
    candidates: &[Candidate<Id>],
) -> Vec<Id> {
    survivors(our_name, peer_name, current(candidates.iter()))
        .into_iter()
        .map(|survivor| survivor.id)
        .collect()
}

/// The verdict on a connection that is not authenticated yet.
///
/// `rivals` are the authenticated sessions with the peer that the newcomer claims to be. The claim is not proven, so
/// nothing happens to the rivals yet: [`elect`] again once it is.
///
/// A newcomer whose rivals are all suspect, or of earlier incarnations than it claims, is let in; one of an earlier
/// incarnation than a rival that answers is not. One with the nonce of a rival is let in otherwise, for the election to
/// decide when it has proven itself.
pub fn admit<Id>(
    our_name: &str,
    peer_name: &str,
    newcomer: &Candidate<Id>,
    rivals: &[Candidate<Id>],
) -> Admission {
    if rivals.is_empty() {
        return Admission::Ok;
    }
    let is_newcomer = |one: &&Candidate<Id>| std::ptr::eq(*one, newcomer);
    let current = current(rivals.iter().chain([newcomer]));
    if !current.iter().any(is_newcomer) {
        return Admission::NotOk;
    }
    let nonce = newcomer.connection_id;
    let mut others = current.iter().filter(|one| !is_newcomer(one));
    if others.any(|rival| rival.connection_id == nonce) {
        return Admission::Ok;
    }
    let survivors = survivors(our_name, peer_name, current);
    if survivors.iter().any(is_newcomer) {
        Admission::OkSimultaneous
    } else {
        Admission::NotOk
    }
}

fn survivors<'a, Id>(
    our_name: &str,
    peer_name: &str,
    mut left: Vec<&'a Candidate<Id>>,
) -> Vec<&'a Candidate<Id>> {
    keep_direction(our_name, peer_name, &mut left);
    keep_smallest_nonce(&mut left);
    keep_oldest_accepted(&mut left);
    left
}

/// Those that answer, of the peer's latest run: what is left belongs to one process.
fn current<'a, Id>(candidates: impl Iterator<Item = &'a Candidate<Id>>) -> Vec<&'a Candidate<Id>> {
    let mut left: Vec<_> = candidates.collect();
    if left.iter().any(|candidate| !candidate.suspect) {
        left.retain(|candidate| !candidate.suspect);
    }
    let latest = left.iter().map(|candidate| candidate.incarnation).max();
    left.retain(|candidate| Some(candidate.incarnation) == latest);
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
mod tests;
