use std::{collections::HashMap, time::Duration};

use super::{
    Reject,
    header::{Header, SenderId},
    replay::Window,
};

/// Most senders whose datagrams are remembered: about 10 MiB, and as many as the members of a large cluster.
pub(crate) const MAX_SENDERS: usize = 65_536;

/// What was heard of each sender, so that nothing is heard twice.
///
/// * Of the sender's current epoch, a datagram is taken once, if it is at most [`WINDOW_LEN`](super::replay::WINDOW_LEN)
///   behind the newest. Clocks do not matter.
/// * An epoch below the current one is refused.
/// * The first datagram of a higher epoch, or of a sender that is not remembered, has to be fresh: sent not longer ago,
///   nor further ahead, than clocks may differ. It opens the window; nothing sent before it is taken.
///
/// Senders are kept in two halves. One that is heard is in the recent half; when that is full, the older half is
/// forgotten and the recent one takes its place. So a sender is forgotten only after half of [`MAX_SENDERS`] others were
/// heard since, and starts over as one that is not remembered.
#[derive(Debug)]
pub(crate) struct Senders {
    recent: HashMap<SenderId, Heard>,
    older: HashMap<SenderId, Heard>,
    /// Most in each half.
    half: usize,
    /// How far apart clocks may be, in seconds.
    max_skew: u32,
}

#[derive(Debug, Clone)]
struct Heard {
    epoch: u64,
    window: Window,
}

impl Senders {
    pub(crate) fn new(max_clock_skew: Duration) -> Self {
        Self::with_capacity(MAX_SENDERS, max_clock_skew)
    }

    fn with_capacity(most: usize, max_clock_skew: Duration) -> Self {
        Self {
            recent: HashMap::new(),
            older: HashMap::new(),
            half: (most / 2).max(1),
            max_skew: u32::try_from(max_clock_skew.as_secs()).unwrap_or(u32::MAX),
        }
    }

    /// Whether a datagram of this header would be taken. `now` is Unix time in seconds.
    pub(crate) fn check(&self, header: &Header, now: u32) -> Result<(), Reject> {
        match self.heard(&header.sender) {
            Some(heard) if header.epoch < heard.epoch => Err(Reject::OldEpoch),
            Some(heard) if header.epoch == heard.epoch => {
                let is_new = heard.window.is_new(header.counter);
                is_new.then_some(()).ok_or(Reject::Replayed)
            }
            // The difference of a clock that counts modulo 2^32.
            _ if skew(now, header.sent) <= self.max_skew => Ok(()),
            _ => Err(Reject::NotFresh),
        }
    }

    /// Remembers a datagram that passed [`check`](Self::check) and proved to be from the sender.
    pub(crate) fn remember(&mut self, header: &Header) {
        let (sender, counter) = (header.sender, header.counter);
        if let Some(heard) = self.recent.get_mut(&sender) {
            heard.take(header);
            return;
        }
        let heard = match self.older.remove(&sender) {
            Some(mut heard) => {
                heard.take(header);
                heard
            }
            None => Heard {
                epoch: header.epoch,
                window: Window::starting_with(counter),
            },
        };
        if self.recent.len() >= self.half {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(sender, heard);
    }

    fn heard(&self, sender: &SenderId) -> Option<&Heard> {
        self.recent.get(sender).or_else(|| self.older.get(sender))
    }
}

impl Heard {
    fn take(&mut self, header: &Header) {
        if header.epoch == self.epoch {
            self.window.mark(header.counter);
        } else {
            self.epoch = header.epoch;
            self.window = Window::starting_with(header.counter);
        }
    }
}

fn skew(now: u32, sent: u32) -> u32 {
    let ahead = now.wrapping_sub(sent);
    ahead.min(ahead.wrapping_neg())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{header::DATAGRAM_TAG, key::KeyId};

    const NOW: u32 = 1_000_000;

    fn header(sender: u16, epoch: u64, counter: u64, sent: u32) -> Header {
        let mut id = [0; 8];
        id[..2].copy_from_slice(&sender.to_le_bytes());
        Header {
            tag: DATAGRAM_TAG,
            cluster: 0,
            key: KeyId(0),
            sent,
            sender: SenderId(id),
            epoch,
            counter,
        }
    }

    fn senders(most: usize) -> Senders {
        Senders::with_capacity(most, Duration::from_secs(300))
    }

    fn hear(senders: &mut Senders, header: &Header) -> Result<(), Reject> {
        senders.check(header, NOW)?;
        senders.remember(header);
        Ok(())
    }

    #[test]
    fn nothing_is_heard_twice() {
        let mut senders = senders(8);
        for counter in [5, 7, 6] {
            let header = header(1, 1, counter, NOW);
            assert_eq!(hear(&mut senders, &header), Ok(()));
            assert_eq!(hear(&mut senders, &header), Err(Reject::Replayed));
        }
        assert_eq!(
            hear(&mut senders, &header(1, 1, 4, NOW)),
            Err(Reject::Replayed)
        );
        assert_eq!(hear(&mut senders, &header(2, 1, 5, NOW)), Ok(()));
    }

    #[test]
    fn a_restarted_sender_is_heard_and_its_former_self_is_not() {
        let mut senders = senders(8);
        hear(&mut senders, &header(1, 10, 500, NOW)).unwrap();
        hear(&mut senders, &header(1, 11, 0, NOW)).unwrap();
        let former = header(1, 10, 501, NOW);
        assert_eq!(hear(&mut senders, &former), Err(Reject::OldEpoch));
        assert_eq!(hear(&mut senders, &header(1, 11, 1, NOW)), Ok(()));
    }

    #[test]
    fn only_the_first_datagram_of_an_epoch_has_to_be_fresh() {
        let mut senders = senders(8);
        for sent in [NOW - 301, NOW + 301, NOW ^ 0x8000_0000] {
            let stale = header(1, 10, 0, sent);
            assert_eq!(hear(&mut senders, &stale), Err(Reject::NotFresh));
        }
        hear(&mut senders, &header(1, 10, 0, NOW - 300)).unwrap();
        hear(&mut senders, &header(1, 10, 1, 0)).unwrap();
        let stale = header(1, 11, 0, NOW - 301);
        assert_eq!(hear(&mut senders, &stale), Err(Reject::NotFresh));
        assert_eq!(hear(&mut senders, &header(1, 10, 2, 0)), Ok(()));
    }

    #[test]
    fn clocks_that_wrap_are_compared_rightly() {
        assert_eq!(skew(3, u32::MAX - 1), 5);
        assert_eq!(skew(u32::MAX - 1, 3), 5);
        assert_eq!(skew(0, 1 << 31), 1 << 31);
    }

    #[test]
    fn those_heard_longest_ago_are_forgotten_and_the_rest_is_not() {
        let mut senders = senders(8);
        for sender in 0..1000 {
            hear(&mut senders, &header(sender, 1, 0, NOW)).unwrap();
            assert!(senders.recent.len() + senders.older.len() <= 8);
            // Sender 0 goes on speaking, so it stays.
            if sender > 0 {
                hear(&mut senders, &header(0, 1, sender.into(), NOW)).unwrap();
            }
        }
        assert_eq!(
            hear(&mut senders, &header(0, 1, 999, NOW)),
            Err(Reject::Replayed)
        );
        assert_eq!(
            hear(&mut senders, &header(999, 1, 0, NOW)),
            Err(Reject::Replayed)
        );
        // A forgotten one is a stranger again: it has to be fresh.
        assert_eq!(
            hear(&mut senders, &header(1, 1, 0, NOW - 301)),
            Err(Reject::NotFresh)
        );
    }
}
