use std::collections::VecDeque;

use prost_types::Timestamp;
use shiome_wire::node::Cast;

use super::{Class, Queued};
use crate::config::{LEGACY_WINDOW, MIN_WINDOW};

/// What a message takes of a window at least, in bytes: an event at the receiver is larger than an empty cast.
const MIN_COST: u64 = 64;

/// What a message takes of a window besides its content, in bytes. No more than what its encoding adds, so that one of
/// [`FRAGMENT_THRESHOLD`](crate::FRAGMENT_THRESHOLD) fits [`MIN_WINDOW`].
const COST_OVERHEAD: u64 = 8;

/// Pings that are remembered as marks. The last always is, and its pong stands for all before it.
const MAX_MARKS: usize = 64;

/// What a cast takes of the window. Both ends compute it from the fields that they know, so that fields of later
/// versions do not let their counts drift apart.
pub(crate) fn cost_of_cast(cast: &Cast) -> u64 {
    cost(content_len_of_cast(cast))
}

/// Length of what a user has put into a cast.
pub(crate) fn content_len_of_cast(cast: &Cast) -> usize {
    let metadata = cast.metadata.as_ref().map_or(0, |metadata| metadata.len());
    cast.what.len() + cast.variant.len() + metadata
}

/// What a fragment with so much data takes of the window.
pub(crate) fn cost_of_fragment(data_len: usize) -> u64 {
    cost(data_len)
}

/// What content of that length takes of the window.
pub(crate) fn cost(content: usize) -> u64 {
    (content as u64 + COST_OVERHEAD).max(MIN_COST)
}

/// What a message of the bulk lane takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Of the credit.
    pub(super) credit: u64,
    /// Of the link.
    pub(super) len: u64,
}

impl Cost {
    /// Of credit only casts take any.
    pub(super) fn of_message(queued: Queued) -> Self {
        let credit = match queued.class {
            Class::Cast { credit, .. } => credit,
            _ => 0,
        };
        Self {
            credit,
            len: queued.len as u64,
        }
    }

    pub(super) fn of_fragment(data_len: usize) -> Self {
        Self {
            credit: cost_of_fragment(data_len),
            len: data_len as u64,
        }
    }
}

/// How much bulk the peer takes.
#[derive(Debug)]
pub(crate) enum Flow {
    /// As much as it has granted, in bytes.
    Credit { available: u64 },
    /// [`LEGACY_WINDOW`] beyond the last ping that it answered.
    Pongs(Pongs),
}

/// Counts what goes out between pings, in bytes since the session began.
#[derive(Debug, Default)]
pub(crate) struct Pongs {
    sent: u64,
    /// What the last ping that is under way, or asked for, comes behind.
    marked: u64,
    /// What has been taken in, by the last pong.
    taken: u64,
    marks: VecDeque<(Timestamp, u64)>,
    ping_wanted: bool,
}

impl Flow {
    /// Up to this peer window.
    pub(crate) fn credit(window: u64) -> Self {
        let available = window.max(MIN_WINDOW);
        Self::Credit { available }
    }

    /// As the peer answers pings.
    pub(crate) fn pongs() -> Self {
        Self::Pongs(Pongs::default())
    }

    /// Takes the message from the window, if it fits.
    pub(super) fn admit(&mut self, cost: Cost) -> bool {
        match self {
            Self::Credit { available } => match available.checked_sub(cost.credit) {
                Some(left) => {
                    *available = left;
                    true
                }
                None => false,
            },
            Self::Pongs(pongs) => pongs.admit(cost.len),
        }
    }

    /// The peer grants more.
    pub(crate) fn granted(&mut self, bytes: u64) {
        if let Self::Credit { available } = self {
            *available = available.saturating_add(bytes);
        }
    }

    /// A ping leaves.
    pub(super) fn pinged(&mut self, timestamp: Timestamp) {
        if let Self::Pongs(pongs) = self {
            pongs.pinged(timestamp);
        }
    }

    /// The peer has answered a ping.
    pub(crate) fn ponged(&mut self, timestamp: Timestamp) {
        if let Self::Pongs(pongs) = self {
            pongs.ponged(timestamp);
        }
    }

    pub(super) fn is_ping_wanted(&self) -> bool {
        match self {
            Self::Pongs(pongs) => pongs.ping_wanted,
            Self::Credit { .. } => false,
        }
    }

    /// See [`Lanes::take_ping_wanted`](super::Lanes::take_ping_wanted).
    pub(super) fn take_ping_wanted(&mut self) -> bool {
        match self {
            Self::Pongs(pongs) => std::mem::take(&mut pongs.ping_wanted),
            Self::Credit { .. } => false,
        }
    }
}

impl Pongs {
    /// A message that is longer than the window goes when nothing is under way.
    fn admit(&mut self, len: u64) -> bool {
        let under_way = self.sent - self.taken;
        if under_way > 0 && under_way + len > LEGACY_WINDOW {
            // Whoever waits, waits for a pong.
            self.mark();
            return false;
        }
        self.sent += len;
        if self.sent - self.marked >= LEGACY_WINDOW / 2 {
            self.mark();
        }
        true
    }

    fn mark(&mut self) {
        if self.marked < self.sent {
            self.marked = self.sent;
            self.ping_wanted = true;
        }
    }

    fn pinged(&mut self, timestamp: Timestamp) {
        if self.marks.len() == MAX_MARKS {
            self.marks.pop_back();
        }
        self.marks.push_back((timestamp, self.sent));
        self.marked = self.sent;
    }

    fn ponged(&mut self, timestamp: Timestamp) {
        let Some(index) = self.marks.iter().position(|(ping, _)| *ping == timestamp) else {
            return;
        };
        if let Some((_, taken)) = self.marks.drain(..=index).next_back() {
            self.taken = taken;
        }
    }
}
