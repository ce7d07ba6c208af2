//! An intent on its way.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Intent, MessageId, PeerId};

/// How far an intent may be sent on.
///
/// Relays count, and peers that send an intent on as it arrived: the first time as one, the second as two, and so on. Therefore one
/// intent leads to less than 2⁸ more, however many peers there are, and whatever they do: of a peer that sends it on to all others only
/// the first eight get it, and each of those has less to give. What is to go to many is said to a [`Mesh`](crate::Mesh), or
/// is an intent that is made anew, which begins at 0, so that peers may talk for ever.
pub const MAX_HOPS: u8 = 8;

/// An intent, who sends it to whom, and what the sender wants to know of it.
///
/// `via` is not part of it: it is told with each [`Delivery`](crate::Delivery).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Envelope {
    /// Its name among all of `from`.
    pub id: MessageId,
    /// Who sends it.
    pub from: PeerId,
    /// Who shall get it.
    pub to: PeerId,
    /// What is said.
    pub intent: Intent,
    /// When it was sent, by the sender's clock: milliseconds since 1970.
    pub sent_at: u64,
    /// The envelope that it answers, which `to` sent.
    pub reply_to: Option<MessageId>,
    /// How far the intent was sent on before, at most [`MAX_HOPS`].
    pub hops: u8,
    /// What the sender waits for.
    pub level: Level,
    /// Which lane it takes.
    pub priority: Priority,
}

impl Envelope {
    /// The lane of the bus itself is not for what users say, whatever the other end of a link calls it.
    pub(crate) fn keep_lane(&mut self) {
        let is_of_bus = self.reply_to.is_some() || self.intent.name().is_system();
        if self.priority == Priority::System && !is_of_bus {
            self.priority = Priority::Normal;
        }
    }

    /// An envelope that is sent now, for the first time, at [`Level::Accepted`] and [`Priority::Normal`].
    #[must_use]
    #[inline]
    pub fn new(id: MessageId, from: PeerId, to: PeerId, intent: Intent) -> Self {
        Self {
            id,
            from,
            to,
            hops: intent.hops(),
            intent,
            sent_at: now_ms(),
            reply_to: None,
            level: Level::default(),
            priority: Priority::default(),
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// What a sender waits for. Each says more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Level {
    /// The mailbox of the peer, or the queue of the link, has it.
    #[default]
    Accepted,
    /// The mailbox of the peer has it.
    Received,
    /// The handlers of the peer are done with it. [`NoHandler`](crate::BusError::NoHandler) when there are none.
    Handled,
    /// The peer has answered it.
    Answered,
}

/// Which of a queue's lanes an envelope takes. All that waits in one lane goes before the next; within one, order is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Priority {
    /// Answers, pings, and what protocols between peers say.
    System,
    /// What users say, unless told otherwise.
    #[default]
    Normal,
    /// What can wait.
    Bulk,
}

impl Priority {
    /// All, the most urgent first.
    pub const ALL: [Self; 3] = [Self::System, Self::Normal, Self::Bulk];

    pub(crate) const fn lane(self) -> usize {
        self as usize
    }
}

/// Which path a delivery took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Via {
    /// Within the process.
    Bus,
    /// A link of that kind.
    Link(LinkKind),
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bus => f.write_str("bus"),
            Self::Link(kind) => fmt::Display::fmt(kind, f),
        }
    }
}

/// What a link is made of, as `websocket`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkKind(&'static str);

impl LinkKind {
    /// A link inside the process, for tests and simulations.
    pub const MEMORY: Self = Self("memory");
    /// A WebSocket.
    pub const WEBSOCKET: Self = Self("websocket");
    /// An authenticated link between two nodes of a shiome cluster.
    pub const CLUSTER: Self = Self("cluster");
    /// A WebRTC data channel.
    pub const WEBRTC: Self = Self("webrtc");

    /// A kind of one's own.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
