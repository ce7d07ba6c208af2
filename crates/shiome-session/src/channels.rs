//! Messages of the programs beside those of the actors.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use shiome_wire::native;

use crate::{config::FRAGMENT_THRESHOLD, lanes::cost_of_fragment, window::Window};

mod config;
mod fault;
mod incoming;
mod outgoing;

pub use config::{ChannelConfig, MAX_CHANNEL_MESSAGE_LEN, MAX_CHANNEL_NAME_LEN, MAX_CHANNELS};
pub use fault::{ChannelError, ChannelFault};
use incoming::Incoming;
use outgoing::Outgoing;

/// Names one end of a channel, for as long as the session lasts. Of this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub(crate) u64);

/// The ends of both sides.
///
/// ```text
///  open_channel ──► own end ── the peer's ChannelOpen of the same name ──► up
///                                        ▲  │ the peer's ChannelClose
///                                        └──┘ down
/// ```
///
/// An end takes messages from the time that it is opened, within the window that it has told. What goes out waits in a queue
/// for each end; the ends that have something to send, and credit for it, have their turn in a ring, a piece at a time.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    own: BTreeMap<ChannelId, End>,
    theirs: BTreeMap<u64, Theirs>,
    last_own: u64,
    last_theirs: u64,
    /// Own ends whose next piece may go, in turn.
    ring: VecDeque<ChannelId>,
    /// Bytes that bulk has had more than channels, while both had something to send.
    lead_of_bulk: i64,
}

/// An end of this side.
#[derive(Debug)]
struct End {
    name: String,
    incoming: Incoming,
    outgoing: Outgoing,
    /// The peer's end of that name.
    peer: Option<u64>,
    in_ring: bool,
}

/// An end of the peer.
#[derive(Debug)]
struct Theirs {
    name: String,
    max_message_len: u64,
    credit: u64,
}

/// How far bulk and channels may get ahead of each other: what each has to wait for, at most.
const MAX_LEAD: i64 = FRAGMENT_THRESHOLD as i64;

/// What comes of a piece that has left.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) message: native::ChannelData,
    /// A sender that was refused finds room again.
    pub(crate) room: Option<ChannelId>,
}

/// A message that has come whole.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) data: Bytes,
    /// What it takes of the window until the owner has taken it.
    pub(crate) cost: u64,
}

impl Channels {
    /// Opens an end. With what the peer is to be told, and whether the channel is up.
    pub(crate) fn open(
        &mut self,
        name: &str,
        config: ChannelConfig,
    ) -> Result<(ChannelId, native::ChannelOpen, Option<u64>), ChannelError> {
        if name.is_empty() || name.len() > MAX_CHANNEL_NAME_LEN {
            return Err(ChannelError::InvalidName);
        }
        if self.own.values().any(|end| end.name == name) {
            return Err(ChannelError::NameInUse);
        }
        if self.own.len() == MAX_CHANNELS {
            let limit = MAX_CHANNELS;
            return Err(ChannelError::TooMany { limit });
        }
        let config = config.bounded();
        self.last_own += 1;
        let id = ChannelId(self.last_own);
        let theirs = self.theirs.iter().find(|(_, theirs)| theirs.name == name);
        let peer = theirs.map(|(number, theirs)| (*number, theirs.max_message_len));
        let end = End {
            name: name.to_owned(),
            incoming: Incoming::new(config.max_message_len, Window::new(config.window)),
            outgoing: Outgoing::new(config.max_queued),
            peer: peer.map(|(number, _)| number),
            in_ring: false,
        };
        self.own.insert(id, end);
        let told = native::ChannelOpen {
            number: id.0,
            name: name.to_owned(),
            max_message_len: config.max_message_len,
            window: config.window,
        };
        Ok((id, told, peer.map(|(_, max_message_len)| max_message_len)))
    }

    /// Closes an end; whether it was open. What waits on it is forgotten.
    pub(crate) fn close(&mut self, id: ChannelId) -> bool {
        self.ring.retain(|other| *other != id);
        self.own.remove(&id).is_some()
    }

    /// Puts a message into the queue of an end.
    pub(crate) fn send(&mut self, id: ChannelId, data: Bytes) -> Result<(), ChannelError> {
        let end = self.own.get_mut(&id).ok_or(ChannelError::NotOpen)?;
        let theirs = end.peer.and_then(|number| self.theirs.get(&number));
        let limit = theirs.ok_or(ChannelError::NotOpen)?.max_message_len;
        let len = data.len() as u64;
        if len > limit {
            return Err(ChannelError::TooLong { len, limit });
        }
        end.outgoing.push(data)?;
        self.place(id);
        Ok(())
    }

    /// Puts an end into the ring if its next piece may go.
    fn place(&mut self, id: ChannelId) {
        let Some(end) = self.own.get_mut(&id) else {
            return;
        };
        let theirs = end.peer.and_then(|number| self.theirs.get(&number));
        let next = end.outgoing.next_len().map(cost_of_fragment);
        let may = next
            .zip(theirs)
            .is_some_and(|(cost, theirs)| cost <= theirs.credit);
        if may && !end.in_ring {
            end.in_ring = true;
            self.ring.push_back(id);
        }
    }

    /// Whether a piece may go now.
    pub(crate) fn is_ready(&self) -> bool {
        !self.ring.is_empty()
    }

    /// Whether a piece goes before bulk does.
    pub(crate) fn is_next(&self) -> bool {
        self.is_ready() && self.lead_of_bulk >= 0
    }

    /// Bulk of that length has left.
    pub(crate) fn passed_by(&mut self, len: usize) {
        self.lead_of_bulk = match self.is_ready() {
            true => (self.lead_of_bulk + len as i64).min(MAX_LEAD),
            false => 0,
        };
    }

    /// The next piece. `contested`: bulk waits for its turn.
    pub(crate) fn pop(&mut self, contested: bool) -> Option<Piece> {
        let id = self.ring.pop_front()?;
        let end = self.own.get_mut(&id)?;
        end.in_ring = false;
        let number = end.peer?;
        let theirs = self.theirs.get_mut(&number)?;
        let (data, more) = end.outgoing.pop()?;
        let (len, cost) = (data.len(), cost_of_fragment(data.len()));
        theirs.credit = theirs.credit.saturating_sub(cost);
        let room = end.outgoing.take_room().then_some(id);
        self.place(id);
        self.lead_of_bulk = match contested {
            true => (self.lead_of_bulk - len as i64).max(-MAX_LEAD),
            false => 0,
        };
        let message = native::ChannelData { number, data, more };
        Some(Piece { message, room })
    }

    /// The peer opens an end; the own one of that name, if there is one.
    pub(crate) fn opened(
        &mut self,
        open: native::ChannelOpen,
    ) -> Result<Option<ChannelId>, ChannelFault> {
        config::check(&open)?;
        if open.number <= self.last_theirs {
            return Err(ChannelFault::NumberReused);
        }
        if self.theirs.values().any(|theirs| theirs.name == open.name) {
            return Err(ChannelFault::NameInUse);
        }
        if self.theirs.len() == MAX_CHANNELS {
            let limit = MAX_CHANNELS;
            return Err(ChannelFault::TooMany { limit });
        }
        self.last_theirs = open.number;
        let own = self.own.iter_mut().find(|(_, end)| end.name == open.name);
        let own = own.map(|(id, end)| {
            end.peer = Some(open.number);
            *id
        });
        let theirs = Theirs {
            name: open.name,
            max_message_len: open.max_message_len,
            credit: open.window,
        };
        self.theirs.insert(open.number, theirs);
        Ok(own)
    }

    /// The peer closes an end; the own one that is down by it, and what to grant for the message that does not come whole.
    pub(crate) fn closed(
        &mut self,
        number: u64,
    ) -> Result<Option<(ChannelId, Option<u64>)>, ChannelFault> {
        self.check_known(number)?;
        if self.theirs.remove(&number).is_none() {
            return Ok(None);
        }
        let own = self.own.iter_mut();
        let down = { own }.find(|(_, end)| end.peer == Some(number));
        let Some((&id, end)) = down else {
            return Ok(None);
        };
        end.peer = None;
        end.in_ring = false;
        end.outgoing.clear();
        let granted = end.incoming.abandon();
        self.ring.retain(|other| *other != id);
        Ok(Some((id, granted)))
    }

    fn check_known(&self, number: u64) -> Result<(), ChannelFault> {
        match number {
            0 => Err(ChannelFault::Unknown),
            _ if number > self.last_theirs => Err(ChannelFault::Unknown),
            _ => Ok(()),
        }
    }

    /// The peer grants more for one of its ends.
    pub(crate) fn granted(&mut self, number: u64, bytes: u64) -> Result<(), ChannelFault> {
        self.check_known(number)?;
        let Some(theirs) = self.theirs.get_mut(&number) else {
            return Ok(());
        };
        theirs.credit = theirs.credit.saturating_add(bytes);
        let own = self.own.iter().find(|(_, end)| end.peer == Some(number));
        if let Some((&id, _)) = own {
            self.place(id);
        }
        Ok(())
    }

    /// A piece has come for an own end; the message, once it is whole. `None` for an end that is closed.
    #[allow(clippy::type_complexity, reason = "which of three things a piece is")]
    pub(crate) fn arrived(
        &mut self,
        data: &native::ChannelData,
    ) -> Result<Option<(ChannelId, Option<Arrived>)>, crate::SessionError> {
        let id = ChannelId(data.number);
        let Some(end) = self.own.get_mut(&id) else {
            let was = (1..=self.last_own).contains(&data.number);
            return if was {
                Ok(None)
            } else {
                Err(ChannelFault::Unknown.into())
            };
        };
        if end.peer.is_none() {
            return Err(ChannelFault::NotOpen.into());
        }
        let arrived = end.incoming.add(&data.data, data.more)?;
        Ok(Some((id, arrived)))
    }

    /// The owner has taken what cost so much; what to grant now.
    pub(crate) fn taken(&mut self, id: ChannelId, cost: u64) -> Option<u64> {
        self.own.get_mut(&id)?.incoming.taken(cost)
    }

    /// Whether the end is up.
    pub(crate) fn is_up(&self, id: ChannelId) -> bool {
        self.own.get(&id).is_some_and(|end| end.peer.is_some())
    }

    /// Bytes that wait on an end to be sent, with the overhead of each message.
    pub(crate) fn queued(&self, id: ChannelId) -> usize {
        self.own.get(&id).map_or(0, |end| end.outgoing.queued())
    }

    /// Forgets everything, but for the numbers.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            last_own: self.last_own,
            last_theirs: self.last_theirs,
            ..Self::default()
        };
    }

    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        assert!(self.own.len() <= MAX_CHANNELS && self.theirs.len() <= MAX_CHANNELS);
        for (id, end) in &self.own {
            assert!(id.0 <= self.last_own);
            end.incoming.check_invariants();
            end.outgoing.check_invariants();
            let places = self.ring.iter().filter(|other| *other == id).count();
            assert_eq!(places, usize::from(end.in_ring));
            let theirs = end.peer.map(|number| &self.theirs[&number]);
            assert!(theirs.is_none_or(|theirs| theirs.name == end.name));
            let next = end.outgoing.next_len().map(cost_of_fragment);
            let may = next
                .zip(theirs)
                .is_some_and(|(cost, theirs)| cost <= theirs.credit);
            assert_eq!(end.in_ring, may, "{end:?}");
        }
        assert!(self.ring.iter().all(|id| self.own.contains_key(id)));
        assert!((-MAX_LEAD..=MAX_LEAD).contains(&self.lead_of_bulk));
    }
}
