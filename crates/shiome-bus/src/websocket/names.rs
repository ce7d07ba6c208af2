//! Whose an id is, at a server.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use subtle::ConstantTimeEq;

use crate::{
    Incarnation, PeerId,
    wire::{CloseReason, Hello, Refused, Secret},
};

/// Bytes of the secret with which an id is reclaimed.
const RECLAIM_LEN: usize = 16;

/// The secret with which an id is reclaimed.
#[derive(Clone, Copy)]
pub(crate) struct Reclaim([u8; RECLAIM_LEN]);

impl Reclaim {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    pub(crate) fn secret(&self) -> Secret {
        use std::fmt::Write;
        let mut text = String::with_capacity(2 * RECLAIM_LEN);
        for byte in self.0 {
            write!(text, "{byte:02x}").expect("a String takes everything");
        }
        Secret::new(text)
    }

    /// In a time that tells nothing about the secret.
    fn is(&self, shown: Option<&Secret>) -> bool {
        shown.is_some_and(|shown| {
            let own = self.secret();
            own.reveal().as_bytes().ct_eq(shown.reveal().as_bytes()).into()
        })
    }
}

impl std::fmt::Debug for Reclaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reclaim(…)")
    }
}

/// How the one that has an id stands, for a newcomer that wants it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) incarnation: Incarnation,
    pub(crate) reclaim: Reclaim,
    /// Whether it has a link, as far as is known.
    pub(crate) linked: bool,
}

/// What a newcomer gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The id, and the session that goes with it.
    Resume,
    /// The id. The one that had it is to go.
    Replace,
    /// Nothing, for now: whether the other is there is to be found out.
    Probe,
    /// Nothing.
    Stale,
}

/// Whether a client that says `hello` gets the id that `holder` has.
pub(crate) fn claim(hello: &Hello, holder: &Holder) -> Claim {
    if !holder.reclaim.is(hello.reclaim.as_ref()) {
        return if holder.linked { Claim::Probe } else { Claim::Replace };
    }
    match hello.incarnation.cmp(&holder.incarnation) {
        std::cmp::Ordering::Less => Claim::Stale,
        std::cmp::Ordering::Greater => Claim::Replace,
        // Without a count it has nothing to go on with.
        std::cmp::Ordering::Equal if hello.received.is_none() => Claim::Replace,
        std::cmp::Ordering::Equal => Claim::Resume,
    }
}

pub(crate) fn name_taken(id: &PeerId, retry: Option<Duration>) -> Refused {
    Refused {
        retry_ms: retry.map(|retry| u64::try_from(retry.as_millis()).unwrap_or(u64::MAX)),
        detail: format!("{id} is taken"),
        ..Refused::new(CloseReason::NameTaken)
    }
}

/// Parts of a table that are locked apart.
const SHARDS: usize = 16;

/// Something for each id, shared by all tasks.
#[derive(Debug)]
pub(crate) struct Table<T> {
    shards: [std::sync::RwLock<HashMap<PeerId, T>>; SHARDS],
    hasher: RandomState,
}
