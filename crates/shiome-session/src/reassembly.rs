use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use shiome_wire::native::Fragment;

use crate::{
    config::{Config, MAX_FRAGMENTED},
    error::FragmentError,
};

/// Messages of the peer that have not come whole yet.
///
/// Memory grows with what has come: a message has room for twice as much, and never for more than it has announced.
#[derive(Debug)]
pub(crate) struct Reassembly {
    max_message_len: u64,
    max_reassembly_len: u64,
    timeout: Duration,
    unfinished: HashMap<u64, Unfinished>,
    /// Lengths of all unfinished messages, as announced.
    announced: u64,
    /// When a fragment came last, while messages are unfinished.
    last: Option<Instant>,
}

#[derive(Debug)]
struct Unfinished {
    total: usize,
    received: Vec<u8>,
}

impl Reassembly {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            max_message_len: config.max_message_len,
            max_reassembly_len: config.max_reassembly_len,
            timeout: config.reassembly_timeout,
            unfinished: HashMap::new(),
            announced: 0,
            last: None,
        }
    }

    /// Takes a fragment in; the message, once it is whole.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        fragment: Fragment,
    ) -> Result<Option<Bytes>, FragmentError> {
        let Fragment {
            id,
            offset,
            total,
            data,
        } = fragment;
        if data.is_empty() {
            return Err(FragmentError::Empty);
        }
        let message = if offset == 0 {
            self.begin(id, total)?
        } else {
            self.go_on(id, offset, total)?
        };
        message.append(&data)?;
        let whole = message.received.len() == message.total;
        self.last = Some(now);
        Ok(whole.then(|| self.finish(id)).flatten())
    }

    fn begin(&mut self, id: u64, total: u64) -> Result<&mut Unfinished, FragmentError> {
        if total == 0 {
            return Err(FragmentError::NoTotal);
        }
        let limit = self.max_message_len;
        let too_long = FragmentError::TooLong { total, limit };
        if total > limit {
            return Err(too_long);
        }
        // A limit above the address space does not help a message above it.
        let len = usize::try_from(total).map_err(|_| too_long)?;
        if self.unfinished.contains_key(&id) {
            return Err(FragmentError::NumberReused);
        }
        if self.unfinished.len() == MAX_FRAGMENTED {
            let limit = MAX_FRAGMENTED;
            return Err(FragmentError::TooMany { limit });
        }
        let limit = self.max_reassembly_len;
        if total > limit - self.announced {
            return Err(FragmentError::OverBudget { limit });
        }
        self.announced += total;
        Ok(self.unfinished.entry(id).or_insert_with(|| Unfinished {
            total: len,
            received: Vec::new(),
        }))
    }

    fn go_on(
        &mut self,
        id: u64,
        offset: u64,
        total: u64,
    ) -> Result<&mut Unfinished, FragmentError> {
        if total != 0 {
            return Err(FragmentError::TotalAgain);
        }
        let message = self.unfinished.get_mut(&id).ok_or(FragmentError::Gap)?;
        match offset.cmp(&(message.received.len() as u64)) {
            std::cmp::Ordering::Less => Err(FragmentError::Repeated),
            std::cmp::Ordering::Greater => Err(FragmentError::Gap),
            std::cmp::Ordering::Equal => Ok(message),
        }
    }

    fn finish(&mut self, id: u64) -> Option<Bytes> {
        let message = self.unfinished.remove(&id)?;
        self.announced -= message.total as u64;
        if self.unfinished.is_empty() {
            self.last = None;
        }
        Some(message.received.into())
    }

    /// When unfinished messages are given up, if no fragment comes.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.last.map(|last| last + self.timeout)
    }

    /// Starts the wait anew: it was this side that let none come.
    pub(crate) fn excuse(&mut self, now: Instant) {
        if self.last.is_some() {
            self.last = Some(now);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.unfinished = HashMap::new();
        self.announced = 0;
        self.last = None;
    }

    /// Recounts.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        let messages = || self.unfinished.values();
        assert!(self.unfinished.len() <= MAX_FRAGMENTED);
        assert_eq!(
            self.announced,
            messages().map(|m| m.total as u64).sum::<u64>()
        );
        assert!(self.announced <= self.max_reassembly_len);
        for message in messages() {
            assert!((1..message.total).contains(&message.received.len()));
            assert!(message.received.capacity() <= message.total);
            let grown = 2 * message.received.len();
            assert!(
                message.received.capacity() <= grown,
                "more than twice what has come"
            );
        }
        assert_eq!(self.last.is_some(), !self.unfinished.is_empty());
    }
}

impl Unfinished {
    fn append(&mut self, data: &[u8]) -> Result<(), FragmentError> {
        let len = self.received.len() + data.len();
        if len > self.total {
            return Err(FragmentError::BeyondTotal);
        }
        if len > self.received.capacity() {
            let room = len.max(2 * self.received.len());
            let more = room.min(self.total) - self.received.len();
            self.received.reserve_exact(more);
        }
        self.received.extend_from_slice(data);
        Ok(())
    }
}
