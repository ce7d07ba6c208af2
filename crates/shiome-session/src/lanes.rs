use prost_types::Timestamp;
use shiome_wire::{Encode, Frames, node::Cast};

use crate::{
    Length,
    config::{FRAGMENT_THRESHOLD, MAX_CONTROL_BACKLOG, MAX_EXPRESS_BACKLOG, MESSAGE_OVERHEAD},
    terms::Terms,
};

mod bulk;
mod fifo;
mod flow;
mod in_turn;
mod queues;

use bulk::Bulk;
use fifo::{Fifo, Queued};
pub(crate) use flow::{Flow, content_len_of_cast, cost, cost_of_cast, cost_of_fragment};
use in_turn::InTurn;
use queues::Key;

/// What waits to be sent, encoded, by urgency.
///
/// ```text
///  1 control   one queue                       what this side tells, pings, pongs, credit
///  2 express   one queue                       calls, replies, their errors, stops, monitors
///  3 bulk      a queue an actor, in turn       casts, and whatever is longer than FRAGMENT_THRESHOLD
/// ```
///
/// A message leaves when nothing waits in the lanes above it. Bulk also waits for what the peer takes, see [`Flow`].
///
/// What goes to one remote actor keeps its order: while something to it waits in bulk, calls and stops queue behind that,
/// and they change over to the express lane as soon as nothing but calls and stops is ahead of them. (A kill waits for
/// nothing.)
#[derive(Debug)]
pub(crate) struct Lanes {
    control: Fifo,
    express: Express,
    bulk: Bulk,
    /// Bytes that wait, with the overhead of each message.
    queued: usize,
    /// Those of them that nobody waits for room with.
    backlog: usize,
    /// Those of casts whose senders wait for their turn.
    in_turn: InTurn,
    tally: Tally,
}

/// The express lane.
#[derive(Debug, Default)]
struct Express {
    items: Fifo,
    /// Bytes in it, with the overhead of each message.
    queued: usize,
}

impl Express {
    fn push(&mut self, message: impl Encode, queued: Queued) {
        self.queued += Self::cost(queued);
        self.items.push(message, queued);
    }

    /// Takes over the first message of another lane.
    fn take_front_of(&mut self, items: &mut Fifo) {
        if let Some(queued) = items.move_front(&mut self.items) {
            self.queued += Self::cost(queued);
        }
    }

    fn pop(&mut self, frames: &mut Frames) -> Option<Queued> {
        let queued = self.items.pop(frames)?;
        self.queued -= Self::cost(queued);
        Some(queued)
    }

    fn cost(queued: Queued) -> usize {
        queued.len + MESSAGE_OVERHEAD
    }
}

/// What a message is, as far as its way out depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// What this side tells about itself.
    Control,
    /// A ping, with its timestamp.
    Ping(Timestamp),
    /// Something that is asked for at once.
    Request,
    /// A call of the peer to this local actor is not answered.
    CallError {
        pid: u64,
    },
    /// A stop that this remote actor gets in turn.
    Stop {
        pid: u64,
    },
    Cast {
        pid: u64,
        /// What it takes of the peer's window.
        credit: u64,
        /// What it counts as with those whose senders wait for their turn; `None`: its sender does not.
        turn: Option<Length>,
    },
    Call {
        pid: u64,
        tag: u64,
    },
    /// A reply of this local actor.
    Reply {
        pid: u64,
    },
}

/// A frame that leaves, or frames of one kind.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// What has left with it; `None`: a piece of something of which more follows.
    pub(crate) whole: Option<Class>,
    /// How many of that kind: several are casts to one actor.
    pub(crate) count: usize,
    /// Whether it is a piece of something, be it the last.
    pub(crate) is_piece: bool,
    pub(crate) len: usize,
    /// Bytes of casts whose senders wait for their turn, with the overhead of each that is whole.
    in_turn: InTurn,
}

/// Messages of users, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) casts: usize,
    pub(crate) calls: usize,
    pub(crate) replies: usize,
    /// Their length.
    pub(crate) bytes: usize,
}

/// More is to be told than a peer that reads would leave untold; the message was dropped.
#[derive(Debug)]
pub(crate) struct Overflow;

impl Lanes {
    /// Lanes towards a legacy peer.
    pub(crate) fn new() -> Self {
        Self {
            control: Fifo::default(),
            express: Express::default(),
            bulk: Bulk::new(),
            queued: 0,
            backlog: 0,
            in_turn: InTurn::default(),
            tally: Tally::default(),
        }
    }

    /// Changes the rules to those of a native peer, before anything waits in bulk.
    pub(crate) fn negotiated(&mut self, terms: &Terms) {
        self.bulk.negotiated(terms);
    }

    /// Takes a message, the body of which is `len` long.
    pub(crate) fn push(
        &mut self,
        message: impl Encode,
        len: usize,
        class: Class,
    ) -> Result<(), Overflow> {
        if class.is_untold() && self.backlog > MAX_CONTROL_BACKLOG {
            return Err(Overflow);
        }
        self.tally.add(class, 1, len);
        self.in_turn += InTurn::of(class, len + MESSAGE_OVERHEAD);
        self.charge(class, len + MESSAGE_OVERHEAD);
        let queued = Queued { class, len };
        match class {
            Class::Control | Class::Ping(_) => self.control.push(message, queued),
            _ => match self.bulk.accepts(queued) {
                Some(key) => self.bulk.push(key, message, queued, &mut self.express),
                None => self.express.push(message, queued),
            },
        }
        Ok(())
    }

    /// Moves the next frame to `frames`, or those of the next casts to one actor that take `run_len` bytes together.
    pub(crate) fn pop(&mut self, run_len: usize, frames: &mut Frames) -> Option<Leaving> {
        let urgent = self.control.pop(frames);
        let leaving = match urgent.or_else(|| self.express.pop(frames)) {
            Some(queued) => queued.into(),
            None => self.bulk.pop(run_len, &mut self.express, frames)?,
        };
        if let Some(Class::Ping(timestamp)) = leaving.whole {
            self.bulk.pinged(timestamp);
        }
        self.in_turn -= leaving.in_turn;
        match leaving.whole {
            Some(class) => {
                self.discharge(class, leaving.len + leaving.count * MESSAGE_OVERHEAD);
                self.tally.sub(class, leaving.count, leaving.len);
            }
            None => {
                self.queued -= leaving.len;
                self.tally.bytes -= leaving.len;
            }
        }
        Some(leaving)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.control = Fifo::default();
        self.express = Express::default();
        self.bulk.clear();
        (self.queued, self.backlog) = (0, 0);
        self.in_turn = InTurn::default();
        self.tally = Tally::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.express.items.is_empty() && self.bulk.is_empty()
    }

    /// Whether something waits that goes before all bulk.
    pub(crate) fn is_urgent(&self) -> bool {
        !self.control.is_empty() || !self.express.items.is_empty()
    }

    /// Whether something waits in bulk.
    pub(crate) fn has_bulk(&self) -> bool {
        !self.bulk.is_empty()
    }

    /// Bytes that wait, with [`MESSAGE_OVERHEAD`] a message.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Those of them that are casts whose senders wait for their turn.
    pub(crate) fn in_turn(&self, length: Length) -> usize {
        self.in_turn.len_of(length)
    }

    /// Whether the express lane has room for a message of that length.
    pub(crate) fn has_express_room(&self, len: usize) -> bool {
        len <= FRAGMENT_THRESHOLD && self.express.queued < MAX_EXPRESS_BACKLOG
    }

    /// Whether something to that actor waits in bulk, and calls to it wait behind.
    pub(crate) fn has_bulk_to(&self, pid: u64) -> bool {
        self.bulk.has(Key::To(pid))
    }

    /// Whether more is to be told than may be.
    pub(crate) fn is_backlogged(&self) -> bool {
        self.backlog > MAX_CONTROL_BACKLOG
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether [`pop`](Self::pop) has something, as far as is known: what the peer takes may be less than is next.
    pub(crate) fn is_ready(&self) -> bool {
        !self.control.is_empty() || !self.express.items.is_empty() || self.bulk.is_ready()
    }

    /// How much the peer takes, to be changed by what it says.
    pub(crate) fn flow(&mut self) -> &mut Flow {
        self.bulk.flow()
    }

    /// Whether a ping has to go now, to learn what the peer has taken in. Once.
    pub(crate) fn take_ping_wanted(&mut self) -> bool {
        self.bulk.take_ping_wanted()
    }

    fn charge(&mut self, class: Class, cost: usize) {
        self.queued += cost;
        if class.is_untold() {
            self.backlog += cost;
        }
    }

    fn discharge(&mut self, class: Class, cost: usize) {
        self.queued -= cost;
        if class.is_untold() {
            self.backlog -= cost;
        }
    }

    /// Recounts, and returns how many replies and call errors wait, by actor.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) -> crate::numbers::NumberMap<usize> {
        let mut answers = crate::numbers::NumberMap::default();
        let (mut queued, mut backlog, mut tally) = (0, 0, Tally::default());
        let mut in_turn = InTurn::default();
        self.control.check_invariants(0);
        self.express.items.check_invariants(0);
        let urgent = self.control.iter().chain(self.express.items.iter());
        for (item, left) in urgent
            .map(|item| (item, 0))
            .chain(self.bulk.check_invariants())
        {
            let cost = item.len - left + MESSAGE_OVERHEAD;
            queued += cost;
            in_turn += InTurn::of(item.class, cost);
            backlog += usize::from(item.class.is_untold()) * cost;
            tally.add(item.class, 1, item.len - left);
            if let Class::Reply { pid } | Class::CallError { pid } = item.class {
                *answers.entry(pid).or_default() += 1;
            }
        }
        assert_eq!(
            (self.queued, self.backlog, self.in_turn, self.tally),
            (queued, backlog, in_turn, tally)
        );
        let express = self.express.items.iter().copied().map(Express::cost);
        assert_eq!(self.express.queued, express.sum::<usize>());
        assert!(
            self.express
                .items
                .iter()
                .all(|item| item.len <= FRAGMENT_THRESHOLD)
        );
        answers
    }
}

impl Class {
    pub(crate) fn of_cast(cast: &Cast) -> Self {
        Self::Cast {
            pid: cast.to,
            credit: cost_of_cast(cast),
            turn: None,
        }
    }

    /// The same, of a sender that waits for its turn.
    pub(crate) fn of_cast_in_turn(cast: &Cast) -> Self {
        Self::Cast {
            pid: cast.to,
            credit: cost_of_cast(cast),
            turn: Some(Length::of(cast)),
        }
    }

    /// Whether nobody who makes such messages waits for room.
    fn is_untold(self) -> bool {
        !matches!(
            self,
            Self::Cast { .. } | Self::Call { .. } | Self::Reply { .. }
        )
    }
}

impl Tally {
    pub(crate) fn add(&mut self, class: Class, count: usize, len: usize) {
        if let Some(counted) = self.count(class) {
            *counted += count;
            self.bytes += len;
        }
    }

    fn sub(&mut self, class: Class, count: usize, len: usize) {
        if let Some(counted) = self.count(class) {
            *counted -= count;
            self.bytes -= len;
        }
    }

    fn count(&mut self, class: Class) -> Option<&mut usize> {
        match class {
            Class::Cast { .. } => Some(&mut self.casts),
            Class::Call { .. } => Some(&mut self.calls),
            Class::Reply { .. } => Some(&mut self.replies),
            _ => None,
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.casts + self.calls + self.replies == 0
    }
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            casts: self.casts + other.casts,
            calls: self.calls + other.calls,
            replies: self.replies + other.replies,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl From<Queued> for Leaving {
    fn from(queued: Queued) -> Self {
        Self {
            whole: Some(queued.class),
            count: 1,
            is_piece: false,
            len: queued.len,
            in_turn: InTurn::of(queued.class, queued.len + MESSAGE_OVERHEAD),
        }
    }
}
