//! Nodes that stand still for a while: overloaded, swapping, stopped, their machine frozen.

use std::collections::VecDeque;

use crate::time::Time;

/// How a node stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pause {
    /// What it sends and receives is held up while its timers run (Lifeguard §V).
    Io,
    /// Nothing runs. When it goes on, all timers that fell due meanwhile and all that arrived wait for it.
    Process(Wake),
}

/// In which order a process that goes on finds its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wake {
    /// As it fell due and arrived.
    InOrder,
    /// Timers before datagrams: the order that accuses the innocent.
    TimersFirst,
    /// Datagrams before timers.
    PacketsFirst,
}

/// Bytes that a socket buffers for a process that does not read: `net.core.rmem_default` of Linux.
pub const SOCKET_BUFFER_LEN: u64 = 212_992;

/// What waits at a node that stands still. Each way holds no more than a socket buffer; the rest is lost.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) pause: Pause,
    /// Datagrams that arrived, and when.
    inbox: VecDeque<(Time, u32)>,
    inbox_len: u64,
    /// Datagrams to send, and to whom.
    outbox: Vec<(u32, u32)>,
    outbox_len: u64,
    /// Answers to reliable pings.
    pub(crate) answers: Vec<u32>,
}

impl Held {
    pub(crate) fn new(pause: Pause) -> Self {
        Self {
            pause,
            inbox: VecDeque::new(),
            inbox_len: 0,
            outbox: Vec::new(),
            outbox_len: 0,
            answers: Vec::new(),
        }
    }

    /// Takes in a datagram; `false` when the buffer is full.
    pub(crate) fn receive(&mut self, now: Time, slot: u32, len: u64) -> bool {
        let fits = self.inbox_len + len <= SOCKET_BUFFER_LEN;
        if fits {
            self.inbox_len += len;
            self.inbox.push_back((now, slot));
        }
        fits
    }

    /// Keeps a datagram to send later; `false` when the buffer is full.
    pub(crate) fn send(&mut self, to: u32, slot: u32, len: u64) -> bool {
        let fits = self.outbox_len + len <= SOCKET_BUFFER_LEN;
        if fits {
            self.outbox_len += len;
            self.outbox.push((to, slot));
        }
        fits
    }

    pub(crate) fn next_received(&mut self) -> Option<(Time, u32)> {
        self.inbox.pop_front()
    }

    pub(crate) fn take_sent(&mut self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.outbox)
    }
}
