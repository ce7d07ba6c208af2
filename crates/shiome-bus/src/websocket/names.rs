//! Whose an id is, at a server.

use std::time::Duration;

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
            own.reveal()
                .as_bytes()
                .ct_eq(shown.reveal().as_bytes())
                .into()
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
        return if holder.linked {
            Claim::Probe
        } else {
            Claim::Replace
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Batch, Encoding, Frame, decode};

    /// A hello as it comes over a link.
    fn hello(incarnation: u64, reclaim: Option<Secret>, received: Option<u64>) -> Hello {
        let hello = Hello {
            version: 1,
            id: PeerId::new("alice").unwrap(),
            incarnation: Incarnation::new(incarnation).unwrap(),
            token: None,
            reclaim,
            received,
            encodings: vec![Encoding::Json],
            max_message: 4096,
            heartbeat_ms: 1000,
        };
        let mut batch = Batch::new(Encoding::Json);
        batch.push(&Frame::Hello(Box::new(hello)));
        match decode(&batch.finish()).unwrap().remove(0) {
            Frame::Hello(hello) => *hello,
            other => panic!("{other:?}"),
        }
    }

    fn holder(linked: bool) -> Holder {
        Holder {
            incarnation: Incarnation::new(5).unwrap(),
            reclaim: Reclaim::random(),
            linked,
        }
    }

    #[test]
    fn the_owner_comes_in_whether_its_old_link_lives_or_not() {
        for linked in [true, false] {
            let holder = holder(linked);
            let secret = || Some(holder.reclaim.secret());
            for (hello, expected) in [
                (hello(5, secret(), Some(0)), Claim::Resume),
                (hello(5, secret(), None), Claim::Replace),
                (hello(6, secret(), Some(9)), Claim::Replace),
                (hello(4, secret(), Some(9)), Claim::Stale),
            ] {
                assert_eq!(claim(&hello, &holder), expected);
            }
        }
    }

    #[test]
    fn another_comes_in_only_when_the_owner_is_away() {
        for secret in [
            None,
            Some(Reclaim::random().secret()),
            Some(Secret::new("")),
        ] {
            for incarnation in [4, 5, 6] {
                let hello = hello(incarnation, secret.clone(), Some(0));
                assert_eq!(claim(&hello, &holder(true)), Claim::Probe);
                assert_eq!(claim(&hello, &holder(false)), Claim::Replace);
            }
        }
    }

    #[test]
    fn secrets_are_long_and_each_is_another() {
        let (one, other) = (Reclaim::random(), Reclaim::random());
        assert_eq!(one.secret().reveal().len(), 2 * RECLAIM_LEN);
        assert_ne!(one.secret(), other.secret());
        assert!(!format!("{one:?}").contains(one.secret().reveal()));
    }
}
