//! What waits to be said to one node, and how it is put into messages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use shiome_bus::{
    Envelope, Incarnation, MAX_PEER_ID_LEN, PeerId, Priority,
    wire::{
        Batch, CloseReason, Encoding, Frame, MAX_PRESENCE, Message, Presence, Refused,
        max_envelope_len,
    },
};

/// Envelopes that wait for one node in each lane, at most: as many as in a mailbox.
pub const LANE_CAPACITY: usize = 1024;

/// Bytes of envelopes that wait for one node, at most. One always finds room in an empty lane.
pub const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of a message to which what waits is put together.
const BATCH_LEN: usize = 32 * 1024;

/// Bytes that a presence frame takes, at most.
const MAX_PRESENCE_LEN: usize = MAX_PRESENCE * (MAX_PEER_ID_LEN + 10) + 16;

/// Room that a lane keeps when it is empty.
const KEPT_CAPACITY: usize = 64;

/// Answers that wait, at most. A node that makes this one answer more, and reads none, gets no more.
const MAX_ANSWERS: usize = 1024;

const LANES: usize = Priority::ALL.len();

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Envelopes by urgency, and around them what the other node has to know of: a peer is told before the first envelope from it and after the
/// last.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    lanes: [VecDeque<Waiting>; LANES],
    bytes: usize,
    /// How many were ever put in.
    pushed: u64,
    /// The peers here.
    local: BTreeMap<PeerId, Incarnation>,
    /// Those that went, and how many envelopes were put in before.
    gone: BTreeMap<PeerId, (Incarnation, u64)>,
    /// What the other node was told.
    told: BTreeMap<PeerId, Incarnation>,
    /// Peers of whom there may be news.
    news: BTreeSet<PeerId>,
    /// All are to be told anew.
    anew: bool,
    /// What is to be told of them before any envelope goes.
    presence: VecDeque<Presence>,
    answers: VecDeque<Frame>,
    /// Pings that follow so many envelopes.
    pings: VecDeque<(u64, u64)>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    len: usize,
    envelope: Envelope,
}

impl Outbox {
    /// Takes an envelope in, if there is room.
    pub(crate) fn push(&mut self, envelope: &Envelope) -> Result<(), Full> {
        let len = max_envelope_len(envelope);
        let lane = &mut self.lanes[envelope.priority as usize];
        let fits = lane.len() < LANE_CAPACITY && self.bytes + len <= MAX_QUEUED_BYTES;
        if !lane.is_empty() && !fits {
            return Err(Full);
        }
        lane.push_back(Waiting {
            number: self.pushed,
            len,
            envelope: envelope.clone(),
        });
        self.bytes += len;
        self.pushed += 1;
        Ok(())
    }

    /// A peer came or went here. What is told of an earlier life says nothing about a later one.
    pub(crate) fn local_peer(&mut self, peer: &PeerId, incarnation: Incarnation, present: bool) {
        let known = self.local.get(peer).copied();
        if known.is_some_and(|known| known > incarnation) {
            return;
        }
        match (present, known) {
            (true, _) => {
                self.local.insert(peer.clone(), incarnation);
                self.gone.remove(peer);
            }
            (false, Some(known)) => {
                self.local.remove(peer);
                self.gone.insert(peer.clone(), (known, self.pushed));
            }
            (false, None) => return,
        }
        self.news.insert(peer.clone());
    }

    pub(crate) fn has_local(&self, peer: &PeerId) -> bool {
        self.local.contains_key(peer)
    }

    /// Answers the other node. Whether there was room.
    pub(crate) fn answer(&mut self, frame: Frame) -> bool {
        let room = self.answers.len() < MAX_ANSWERS;
        if room {
            self.answers.push_back(frame);
        }
        room
    }

    /// Does not let the other node speak for a peer.
    pub(crate) fn refuse(&mut self, peer: PeerId, reason: CloseReason) {
        let mut refused = Refused::new(reason);
        refused.id = Some(peer);
        self.answer(Frame::Refused(refused));
    }

    /// Asks for an answer once all that is there has been taken.
    pub(crate) fn ping(&mut self, nonce: u64) {
        self.pings.push_back((nonce, self.pushed));
    }

    /// A new session: the other node knows nothing. What waited is forgotten; how many envelopes that were.
    pub(crate) fn renew(&mut self) -> usize {
        let lost = self.len();
        self.lanes = Default::default();
        self.bytes = 0;
        self.answers.clear();
        self.pings.clear();
        self.told.clear();
        self.gone.clear();
        self.news.clear();
        self.presence.clear();
        self.anew = true;
        lost
    }

    /// Envelopes that wait.
    pub(crate) fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// The next message, and how many envelopes are in it.
    pub(crate) fn next(&mut self) -> Option<(Bytes, usize)> {
        let mut batch = Batch::new(Encoding::Binary);
        while batch.len() < BATCH_LEN
            && !batch.is_full()
            && let Some(answer) = self.answers.pop_front()
        {
            batch.push(&answer);
        }
        self.look_around();
        while (batch.is_empty() || batch.len() + MAX_PRESENCE_LEN <= BATCH_LEN && !batch.is_full())
            && let Some(presence) = self.presence.pop_front()
        {
            batch.push(&Frame::Presence(presence));
        }
        let mut envelopes = 0;
        while self.presence.is_empty()
            && let Some(lane) = self.lanes.iter_mut().find(|lane| !lane.is_empty())
            && let Some(next) = lane.front()
            && (batch.is_empty() || batch.len() + next.len <= BATCH_LEN && !batch.is_full())
            && let Some(next) = lane.pop_front()
        {
            if lane.is_empty() {
                lane.shrink_to(KEPT_CAPACITY);
            }
            self.bytes -= next.len;
            batch.push_envelope(&next.envelope);
            envelopes += 1;
        }
        let first = self.first_waiting();
        while let Some((nonce, after)) = self.pings.front()
            && *after <= first
            && !batch.is_full()
        {
            batch.push(&Frame::Ping { nonce: *nonce });
            self.pings.pop_front();
        }
        (!batch.is_empty()).then(|| (bytes(batch), envelopes))
    }

    /// Number of the first envelope that waits, or would.
    fn first_waiting(&self) -> u64 {
        let heads = self.lanes.iter().filter_map(|lane| lane.front());
        heads.map(|head| head.number).min().unwrap_or(self.pushed)
    }

    /// Finds out what is to be told: who came, and who went and has nothing more to say.
    fn look_around(&mut self) {
        let first = self.first_waiting();
        if std::mem::take(&mut self.anew) {
            let mut all = Presence::default();
            all.all = true;
            self.presence.push_back(all);
            self.news.extend(self.local.keys().cloned());
        }
        let mut later = BTreeSet::new();
        for peer in std::mem::take(&mut self.news) {
            if let Some(incarnation) = self.local.get(&peer).copied() {
                self.tell_present(peer, incarnation);
                continue;
            }
            let Some((incarnation, after)) = self.gone.get(&peer).copied() else {
                continue;
            };
            if after > first {
                // It may have come and gone since, and what it said is still here.
                self.tell_present(peer.clone(), incarnation);
                later.insert(peer);
                continue;
            }
            self.gone.remove(&peer);
            if self.told.remove(&peer).is_some() {
                room(&mut self.presence).absent.push(peer);
            }
        }
        self.news = later;
    }

    fn tell_present(&mut self, peer: PeerId, incarnation: Incarnation) {
        if self.told.insert(peer.clone(), incarnation) != Some(incarnation) {
            room(&mut self.presence).present.push((peer, incarnation));
        }
    }
}

fn bytes(batch: Batch) -> Bytes {
    match batch.finish() {
        Message::Binary(bytes) | Message::Text(bytes) => bytes,
        _ => Bytes::new(),
    }
}

/// The last frame if there is room in it, else a new one.
fn room(frames: &mut VecDeque<Presence>) -> &mut Presence {
    let full = frames
        .back()
        .is_none_or(|frame| frame.present.len() + frame.absent.len() == MAX_PRESENCE);
    if full {
        frames.push_back(Presence::default());
    }
    frames.back_mut().expect("one was added if there was none")
}

#[cfg(test)]
mod tests;
