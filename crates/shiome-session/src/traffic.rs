//! What has passed a session, and what waits in it.

use shiome_wire::{
    meta::{NetworkMessage, network_message},
    native::native_message,
    node::node_message,
};

use crate::{
    config::FRAGMENT_THRESHOLD,
    lanes::{Class, Leaving, content_len_of_cast},
};

/// Lanes by which messages leave, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "figures are kept for each")]
pub enum Lane {
    /// What the nodes tell each other: actors, groups, pings, credit.
    Control,
    /// Calls, replies, stops, monitors, and errors of calls.
    Express,
    /// Casts, and whatever is longer than [`FRAGMENT_THRESHOLD`].
    Bulk,
}

impl Lane {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Control, Self::Express, Self::Bulk];

    /// Where a message of that length belongs. One that waits behind bulk to the same actor still counts as its own kind.
    fn of(class: Class, len: usize) -> Self {
        match class {
            Class::Control | Class::Ping(_) => Self::Control,
            Class::Cast { .. } => Self::Bulk,
            _ if len > FRAGMENT_THRESHOLD => Self::Bulk,
            _ => Self::Express,
        }
    }

    /// Where a message of the peer has come from, and the length of its contents.
    fn of_arrival(message: &NetworkMessage) -> (Self, usize) {
        use network_message::Message;
        match &message.message {
            Some(Message::Node(node)) => match &node.msg {
                Some(node_message::Msg::Cast(cast)) => (Self::Bulk, content_len_of_cast(cast)),
                Some(node_message::Msg::Call(call)) => {
                    let metadata = call.metadata.as_ref().map_or(0, |metadata| metadata.len());
                    Self::by_length(call.what.len() + call.variant.len() + metadata)
                }
                Some(node_message::Msg::Reply(reply)) => Self::by_length(reply.what.len()),
                None => (Self::Express, 0),
            },
            Some(Message::Native(native)) => match &native.msg {
                Some(native_message::Msg::Fragment(fragment)) => (Self::Bulk, fragment.data.len()),
                Some(native_message::Msg::Credit(_) | native_message::Msg::Goodbye(_)) => {
                    (Self::Control, 0)
                }
                _ => (Self::Express, 0),
            },
            _ => (Self::Control, 0),
        }
    }

    fn by_length(len: usize) -> (Self, usize) {
        if len > FRAGMENT_THRESHOLD {
            (Self::Bulk, len)
        } else {
            (Self::Express, len)
        }
    }
}

/// What has passed one lane since the session began, and what waits in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneFigures {
    /// Messages that have left. One in fragments counts when its last has.
    pub sent: u64,
    /// Bytes of their encoding, and of fragments.
    pub sent_bytes: u64,
    /// Messages that have come, and fragments.
    pub received: u64,
    /// Bytes of what users put into them: arguments, names of kinds, metadata, data of fragments.
    pub received_bytes: u64,
    /// Messages that wait.
    pub queued: u64,
    /// Bytes of their encoding that have not left.
    pub queued_bytes: u64,
}

/// What a session is at, see [`Session::figures`](crate::Session::figures).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// One for each of [`Lane::ALL`].
    pub lanes: [LaneFigures; 3],
    /// Bytes of bulk that the peer takes before it grants more; `None`: it is a legacy one and grants none.
    pub credit: Option<u64>,
    /// Bytes of bulk that the peer may send before it is granted more.
    pub window: u64,
    /// Calls of this side that wait for a reply.
    pub calls_out: usize,
    /// Calls of the peer that wait for a reply.
    pub calls_in: usize,
    /// Actors that the peer has announced.
    pub remote_actors: usize,
    /// Whether casts are refused for want of room.
    pub is_full: bool,
}

/// Counts as messages pass. Whoever counts holds the session, so these are plain numbers.
#[derive(Debug, Default)]
pub(crate) struct Traffic([LaneFigures; 3]);

impl Traffic {
    /// A message waits from now on.
    pub(crate) fn queued(&mut self, class: Class, len: usize) {
        let lane = self.lane(Lane::of(class, len));
        lane.queued += 1;
        lane.queued_bytes += len as u64;
    }

    /// Messages that wait in that lane.
    pub(crate) fn waiting(&self, lane: Lane) -> u64 {
        self.0[lane as usize].queued
    }

    /// A message leaves, or a fragment of it.
    pub(crate) fn left(&mut self, leaving: &Leaving) {
        let lane = match leaving.whole {
            Some(class) if !leaving.is_piece => Lane::of(class, leaving.len),
            _ => Lane::Bulk,
        };
        let (lane, len) = (self.lane(lane), leaving.len as u64);
        lane.sent_bytes += len;
        lane.queued_bytes = lane.queued_bytes.saturating_sub(len);
        lane.sent += leaving.count as u64;
        lane.queued = lane.queued.saturating_sub(leaving.count as u64);
    }

    /// A message of the peer has come.
    pub(crate) fn arrived(&mut self, message: &NetworkMessage) {
        let (lane, len) = Lane::of_arrival(message);
        self.count_arrival(lane, len);
    }

    /// A cast of the peer has come, with content of that length.
    pub(crate) fn cast_arrived(&mut self, content_len: usize) {
        self.count_arrival(Lane::Bulk, content_len);
    }

    fn count_arrival(&mut self, lane: Lane, len: usize) {
        let lane = self.lane(lane);
        lane.received += 1;
        lane.received_bytes += len as u64;
    }

    /// Nothing waits any more.
    pub(crate) fn cleared(&mut self) {
        for lane in &mut self.0 {
            (lane.queued, lane.queued_bytes) = (0, 0);
        }
    }

    pub(crate) fn sent(&self, lane: Lane) -> u64 {
        self.0[lane as usize].sent
    }

    pub(crate) fn lanes(&self) -> [LaneFigures; 3] {
        self.0
    }

    fn lane(&mut self, lane: Lane) -> &mut LaneFigures {
        &mut self.0[lane as usize]
    }
}
