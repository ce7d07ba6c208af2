use std::{ops::Range, sync::Arc, time::Duration};

use super::{Reject, Security, envelope::Protection, header::DATAGRAM_TAG, senders::Senders};

/// What stands between the socket and the engine.
#[derive(Debug)]
pub(crate) struct Guard {
    protection: Arc<Protection>,
    senders: Senders,
}

impl Guard {
    pub(crate) fn new(protection: Arc<Protection>, security: &Security) -> Self {
        let max_clock_skew = match security {
            Security::Encrypted(encryption) => encryption.max_clock_skew,
            Security::Plaintext | Security::Hmac(_) => Duration::ZERO,
        };
        Self {
            protection,
            senders: Senders::new(max_clock_skew),
        }
    }

    /// As [`Protection::seal`], for a datagram. `now` is Unix time in seconds.
    #[must_use]
    pub(crate) fn seal(&self, now: u32, frame: &mut [u8], len: usize) -> Option<Range<usize>> {
        self.protection.seal(DATAGRAM_TAG, now, frame, len)
    }

    /// What a datagram says, if it is to be heard, and heard for the first time.
    pub(crate) fn open<'a>(
        &mut self,
        now: u32,
        datagram: &'a mut [u8],
    ) -> Result<&'a [u8], Reject> {
        let senders = &self.senders;
        let (header, message) = self
            .protection
            .open(DATAGRAM_TAG, datagram, |header| senders.check(header, now))?;
        if let Some(header) = header {
            self.senders.remember(&header);
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shiome_gossip::{NodeId, Secret};

    use super::*;
    use crate::security::{Encryption, HEADER_LEN, Key, Keyring};

    const NOW: u32 = 1_000_000;
    const MESSAGE: &[u8] = b"\x01 a ping";

    fn guard(security: &Security, node: u8) -> Guard {
        let node = NodeId::from([node; 16]);
        let protection = Protection::new(security, 0x5eed, &node, 1);
        Guard::new(Arc::new(protection), security)
    }

    fn send(guard: &Guard) -> Vec<u8> {
        let mut frame = vec![0; 128];
        frame[HEADER_LEN..][..MESSAGE.len()].copy_from_slice(MESSAGE);
        let range = guard.seal(NOW, &mut frame, MESSAGE.len()).unwrap();
        frame[range].to_vec()
    }

    fn hears(guard: &mut Guard, mut datagram: Vec<u8>) -> Result<(), Reject> {
        guard
            .open(NOW, &mut datagram)
            .map(|message| assert_eq!(message, MESSAGE))
    }

    fn keyring(byte: u8) -> Keyring {
        Keyring::new(&Key::from([byte; 32]))
    }

    #[test]
    fn each_mode_hears_itself_and_no_other() {
        let modes = [
            Security::Plaintext,
            Security::Hmac(Secret::new("hunter2").unwrap()),
            keyring(1).into(),
        ];
        for (to, receiver) in modes.iter().enumerate() {
            for (from, sender) in modes.iter().enumerate() {
                // A tag behind a message is what the format ignores.
                if (from, to) == (1, 0) {
                    continue;
                }
                let heard = hears(&mut guard(receiver, 1), send(&guard(sender, 2)));
                let expected = match (from, to) {
                    (2, 0) => Err(Reject::Encrypted),
                    (0, 1) => Err(Reject::Truncated),
                    (2, 1) => Err(Reject::Forged),
                    (0 | 1, 2) => Err(Reject::Plaintext),
                    _ => Ok(()),
                };
                assert_eq!(heard, expected, "from {from} to {to}");
            }
        }
    }

    #[test]
    fn the_steps_of_a_migration_hear_their_neighbours() {
        let step = |accept_plaintext, send_encrypted| {
            Security::Encrypted(Encryption {
                accept_plaintext,
                send_encrypted,
                ..Encryption::new(keyring(1))
            })
        };
        let steps = [
            Security::Plaintext,
            step(true, false),
            step(true, true),
            step(false, true),
        ];
        for (index, pair) in steps.windows(2).enumerate() {
            for (a, b) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
                let heard = hears(&mut guard(a, 1), send(&guard(b, 2)));
                assert_eq!(heard, Ok(()), "step {index}: {b:?} to {a:?}");
            }
        }
        // A step left out cuts nodes off, and the last one keeps plaintext out.
        let heard = |to: usize, from: usize| {
            hears(&mut guard(&steps[to], 1), send(&guard(&steps[from], 2)))
        };
        assert_eq!(heard(0, 2), Err(Reject::Encrypted));
        assert_eq!(heard(3, 1), Err(Reject::Plaintext));
        assert_eq!(heard(3, 0), Err(Reject::Plaintext));
    }

    #[test]
    fn a_datagram_is_heard_once() {
        let (sender, mut receiver) = (guard(&keyring(1).into(), 2), guard(&keyring(1).into(), 1));
        let datagram = send(&sender);
        assert_eq!(hears(&mut receiver, datagram.clone()), Ok(()));
        assert_eq!(hears(&mut receiver, datagram), Err(Reject::Replayed));
        assert_eq!(hears(&mut receiver, send(&sender)), Ok(()));
    }

    #[test]
    fn a_forged_datagram_does_not_make_the_true_one_a_replay() {
        let (sender, mut receiver) = (guard(&keyring(1).into(), 2), guard(&keyring(1).into(), 1));
        let datagram = send(&sender);
        let mut forged = datagram.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(hears(&mut receiver, forged), Err(Reject::Forged));
        assert_eq!(hears(&mut receiver, datagram), Ok(()));
    }

    #[test]
    fn old_recordings_do_not_open_a_new_nodes_ears() {
        let (sender, mut receiver) = (guard(&keyring(1).into(), 2), guard(&keyring(1).into(), 1));
        let mut datagram = send(&sender);
        let later = receiver.open(NOW + 301, &mut datagram);
        assert_eq!(later, Err(Reject::NotFresh));
    }

    #[test]
    fn a_rotation_loses_nothing() {
        let (old, new) = (Key::from([1; 32]), Key::from([2; 32]));
        let rings = [Keyring::new(&old), Keyring::new(&old)];
        let mut guards = [
            guard(&rings[0].clone().into(), 1),
            guard(&rings[1].clone().into(), 2),
        ];
        let mut talk = || {
            for (from, to) in [(0, 1), (1, 0)] {
                let datagram = send(&guards[from]);
                assert_eq!(hears(&mut guards[to], datagram), Ok(()));
            }
        };
        for ring in &rings {
            ring.add(&new).unwrap();
            talk();
        }
        for ring in &rings {
            ring.set_primary(new.id()).unwrap();
            talk();
        }
        for ring in &rings {
            ring.remove(old.id()).unwrap();
            talk();
        }
        let straggler = send(&guard(&Keyring::new(&old).into(), 3));
        assert_eq!(hears(&mut guards[0], straggler), Err(Reject::UnknownKey));
    }

    proptest! {
        /// Whatever comes in, only what was sealed with the key is heard.
        #[test]
        fn strangers_are_not_heard(
            tag in prop_oneof![Just(0x80u8), any::<u8>()],
            version in prop_oneof![Just(1u8), any::<u8>()],
            mut rest in prop::collection::vec(any::<u8>(), 0..2000),
        ) {
            rest.splice(..0, [tag, version]);
            for security in [keyring(1).into(), Security::Hmac(Secret::new("hunter2").unwrap())] {
                prop_assert!(guard(&security, 1).open(NOW, &mut rest.clone()).is_err());
            }
        }

        /// Whatever is changed in a datagram, it is heard only as it was.
        #[test]
        fn what_is_heard_is_what_was_said(at in 0..59usize, change in any::<u8>()) {
            let mut datagram = send(&guard(&keyring(1).into(), 2));
            datagram[at] ^= change;
            let heard = hears(&mut guard(&keyring(1).into(), 1), datagram);
            prop_assert_eq!(heard.is_ok(), change == 0);
        }
    }
}
