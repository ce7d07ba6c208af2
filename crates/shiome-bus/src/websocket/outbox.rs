//! What waits to be sent on a session, and what was sent and may have to be sent again: written already, as the messages that it
//! goes out in.

use std::collections::VecDeque;

use crate::{
    Envelope, Priority,
    wire::{Batch, Encoding, Frame, Message, decode_apart, max_envelope_len},
};

/// Bytes of a message to which envelopes are put together while they wait.
const BATCH_LEN: usize = 32 * 1024;

/// Room that a queue keeps when it is empty.
const KEPT_CAPACITY: usize = 8;

/// Part of the limits that answers and envelopes of the system have beyond them.
const RESERVED_PART: usize = 4;

/// What may wait for a link and for its acknowledgement, together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLimits {
    /// Envelopes. Default: 8192. Answers, and what is of [`Priority::System`], have a quarter more, and of the bytes, too.
    pub envelopes: usize,
    /// Bytes, as they are sent. Default: 4 MiB, for the clients of a relay 1 MiB. One envelope always finds room in an empty
    /// queue.
    pub bytes: usize,
}

impl QueueLimits {
    /// These.
    #[must_use]
    pub fn new(envelopes: usize, bytes: usize) -> Self {
        Self { envelopes, bytes }
    }
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self::new(8192, 4 * 1024 * 1024)
    }
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// An acknowledgement of what was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotSent;

/// Envelopes in the order of their lanes until they are sent, and in the order of their numbers from then on.
#[derive(Debug)]
pub(crate) struct Outbox {
    limits: QueueLimits,
    encoding: Encoding,
    waiting: [VecDeque<Waiting>; Priority::ALL.len()],
    /// Messages with the numbers from `acknowledged - head + 1` on.
    numbered: VecDeque<Sent>,
    /// How many of the numbered messages were sent on this link, and how many envelopes are in them.
    sent: (usize, u64),
    /// How many envelopes of the first message are acknowledged.
    head: u64,
    acknowledged: u64,
    envelopes: usize,
    bytes: usize,
    /// How many were ever taken.
    taken: u64,
    /// Bytes of the last message: the next is likely to be as long.
    usual_len: usize,
}

/// A message that is still being put together.
#[derive(Debug)]
struct Waiting {
    batch: Batch,
    envelopes: u64,
    /// Bytes of its envelopes.
    len: usize,
    /// How many were taken before the first of it.
    before: u64,
}

/// A message that was put together.
#[derive(Debug)]
struct Sent {
    message: Message,
    envelopes: u64,
    len: usize,
    before: u64,
}

impl Outbox {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            encoding: Encoding::Json,
            waiting: [const { VecDeque::new() }; Priority::ALL.len()],
            numbered: VecDeque::new(),
            sent: (0, 0),
            head: 0,
            acknowledged: 0,
            envelopes: 0,
            bytes: 0,
            taken: 0,
            usual_len: 0,
        }
    }

    /// Whether there is room for an envelope of `len` bytes.
    fn has_room(&self, envelope: &Envelope, len: usize) -> bool {
        // What somebody waits for is not kept out by what nobody does.
        let urgent = envelope.reply_to.is_some() || envelope.priority == Priority::System;
        let limit = |limit: usize| match urgent {
            true => limit.saturating_add(limit / RESERVED_PART),
            false => limit,
        };
        let fits = self.bytes.saturating_add(len) <= limit(self.limits.bytes);
        self.envelopes == 0 || (fits && self.envelopes < limit(self.limits.envelopes))
    }

    /// Takes an envelope, of which `len` is the [most that it takes](max_envelope_len).
    pub(crate) fn push_of(&mut self, envelope: &Envelope, len: usize) -> Result<(), Full> {
        if !self.has_room(envelope, len) {
            return Err(Full);
        }
        let lane = &mut self.waiting[envelope.priority.lane()];
        // One that grows is copied: what was half full may well be full now.
        let capacity = match self.usual_len > BATCH_LEN / 2 {
            true => BATCH_LEN,
            false => self.usual_len,
        };
        let new = || Waiting::new(self.encoding, capacity, self.taken);
        self.bytes += append(lane, envelope, len, new);
        self.envelopes += 1;
        self.taken += 1;
        Ok(())
    }

    #[cfg(test)]
    fn push(&mut self, envelope: &Envelope) -> Result<(), Full> {
        self.push_of(envelope, max_envelope_len(envelope))
    }

    /// The next message to be sent on this link. Where it has room, an acknowledgement rides along.
    pub(crate) fn next(&mut self, ack: &mut Option<u64>) -> Option<Message> {
        if self.sent.0 == self.numbered.len() {
            let lane = self.waiting.iter_mut().find(|lane| !lane.is_empty())?;
            let waiting = lane.pop_front()?;
            release(lane);
            self.usual_len = waiting.batch.len();
            self.numbered.push_back(waiting.finish(ack));
        }
        let sent = self.numbered.get(self.sent.0)?;
        self.sent.0 += 1;
        self.sent.1 += sent.envelopes;
        Some(sent.message.clone())
    }

    /// Whether something is to be sent.
    pub(crate) fn has_next(&self) -> bool {
        self.sent.0 < self.numbered.len() || self.waiting.iter().any(|lane| !lane.is_empty())
    }

    /// The other end has had the first `received` of this session. Whether there is more room than before.
    pub(crate) fn acknowledge(&mut self, received: u64) -> Result<bool, NotSent> {
        let news = received.saturating_sub(self.acknowledged);
        if self.head + news > self.sent.1 {
            return Err(NotSent);
        }
        self.acknowledged += news;
        self.head += news;
        self.envelopes -= usize::try_from(news).map_err(|_| NotSent)?;
        while let Some(first) = self.numbered.front()
            && self.sent.0 > 0
            && first.envelopes <= self.head
        {
            self.head -= first.envelopes;
            self.sent.0 -= 1;
            self.sent.1 -= first.envelopes;
            self.bytes -= first.len;
            self.numbered.pop_front();
        }
        release(&mut self.numbered);
        Ok(news > 0)
    }

    /// The same session on a new link, of which the other end has had `received`.
    pub(crate) fn resume(&mut self, received: u64, encoding: Encoding) -> Result<(), NotSent> {
        // It may have had all that was ever sent, and no more.
        self.sent = (
            self.numbered.len(),
            self.numbered.iter().map(|sent| sent.envelopes).sum(),
        );
        self.acknowledge(received)?;
        self.sent = (0, 0);
        if encoding != self.encoding || self.head > 0 {
            self.rewrite(encoding, usize::MAX);
        }
        Ok(())
    }

    /// A new session: all that is left is sent again, from number 1, but what is longer than `max_len`. Those are returned.
    pub(crate) fn restart(&mut self, encoding: Encoding, max_len: usize) -> Vec<Envelope> {
        self.sent = (0, 0);
        let longer = match self.envelopes {
            0 => Vec::new(),
            _ => self.rewrite(encoding, max_len),
        };
        self.encoding = encoding;
        self.acknowledged = 0;
        longer
    }

    /// Writes all that is left anew, but what is longer than `max_len`, which is returned.
    fn rewrite(&mut self, encoding: Encoding, max_len: usize) -> Vec<Envelope> {
        let (numbered, waiting) = self.take_all();
        self.encoding = encoding;
        let mut longer = Vec::new();
        let mut again = VecDeque::new();
        for envelope in numbered {
            let len = max_envelope_len(&envelope);
            if len > max_len {
                longer.push(envelope);
            } else {
                self.bytes += append(&mut again, &envelope, len, || Waiting::new(encoding, 0, 0));
                self.envelopes += 1;
            }
        }
        self.numbered = again
            .into_iter()
            .map(|message| message.finish(&mut None))
            .collect();
        for envelope in waiting {
            let len = max_envelope_len(&envelope);
            if len > max_len {
                longer.push(envelope);
            } else {
                let lane = &mut self.waiting[envelope.priority.lane()];
                self.bytes += append(lane, &envelope, len, || Waiting::new(encoding, 0, 0));
                self.envelopes += 1;
            }
        }
        longer
    }

    /// Takes all that is numbered and not acknowledged, and all that waits.
    fn take_all(&mut self) -> (Vec<Envelope>, Vec<Envelope>) {
        let numbered = std::mem::take(&mut self.numbered);
        let waiting = std::mem::take(&mut self.waiting).into_iter().flatten();
        let numbered = numbered.iter().flat_map(|sent| envelopes(&sent.message));
        let skipped = usize::try_from(self.head).unwrap_or(usize::MAX);
        let numbered = numbered.skip(skipped).collect();
        let waiting = waiting.flat_map(|waiting| envelopes(&waiting.finish(&mut None).message));
        self.head = 0;
        self.sent = (0, 0);
        (self.envelopes, self.bytes) = (0, 0);
        (numbered, waiting.collect())
    }

    /// Takes all that is left, in order: first what was sent and not acknowledged.
    pub(crate) fn drain(&mut self) -> Vec<Envelope> {
        let (mut all, waiting) = self.take_all();
        all.extend(waiting);
        all
    }

    /// How many were ever taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether all of the first `taken` are acknowledged.
    pub(crate) fn has_flushed(&self, taken: u64) -> bool {
        let waiting = self.waiting.iter().filter_map(|lane| lane.front());
        let sent = self.numbered.iter().map(|sent| sent.before);
        waiting
            .map(|waiting| waiting.before)
            .chain(sent)
            .all(|before| before >= taken)
    }

    /// How many wait or are not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.envelopes
    }
}

/// Adds an envelope to the last message of a queue, or to the new one. How many bytes that took.
fn append(
    queue: &mut VecDeque<Waiting>,
    envelope: &Envelope,
    len: usize,
    new: impl FnOnce() -> Waiting,
) -> usize {
    let fits =
        |waiting: &Waiting| !waiting.batch.is_full() && waiting.batch.len() + len <= BATCH_LEN;
    if !queue.back().is_some_and(fits) {
        queue.push_back(new());
    }
    let waiting = queue.back_mut().expect("one was added if there was none");
    let without = waiting.batch.len();
    waiting.batch.push_envelope(envelope);
    let took = waiting.batch.len() - without;
    waiting.envelopes += 1;
    waiting.len += took;
    took
}

impl Waiting {
    fn new(encoding: Encoding, capacity: usize, before: u64) -> Self {
        Self {
            batch: Batch::with_capacity(encoding, capacity),
            envelopes: 0,
            len: 0,
            before,
        }
    }

    fn finish(self, ack: &mut Option<u64>) -> Sent {
        let mut batch = self.batch;
        if !batch.is_full()
            && let Some(received) = ack.take()
        {
            batch.push(&Frame::Ack { received });
        }
        Sent {
            message: batch.finish(),
            envelopes: self.envelopes,
            len: self.len,
            before: self.before,
        }
    }
}

/// The envelopes of a message of one's own.
fn envelopes(message: &Message) -> impl Iterator<Item = Envelope> + use<> {
    let frames = decode_apart(message).unwrap_or_default();
    frames.envelopes.into_iter()
}

/// A queue that was long once does not keep its memory for ever.
fn release<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > KEPT_CAPACITY {
        *queue = VecDeque::new();
    }
}

#[cfg(test)]
mod tests;
