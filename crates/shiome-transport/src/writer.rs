use std::{
    io,
    time::{Duration, Instant},
};

use bytes::{Buf, BytesMut};
use shiome_wire::{
    LENGTH_PREFIX_LEN, encode,
    meta::{NetworkMessage, network_message::Message},
    node::node_message::Msg,
};
use tokio::{io::AsyncWriteExt, task::yield_now};

use crate::{link::BoxWrite, peer::Peer};

/// Bytes that are written at a time, or one message that is longer. What is more urgent waits for no more.
const MAX_BATCH_LEN: usize = 256 * 1024;

/// Capacity that the buffer keeps between two batches.
const KEPT_CAPACITY: usize = 2 * MAX_BATCH_LEN;

/// Batches after one with several calls or replies before which other tasks have their turn: as many of them wait for each
/// other, and have more to send in a moment.
const CROWDED_BATCHES: u32 = 16;

/// How far the bytes of one link have come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes that have left the session and are not written.
    in_flight: usize,
    /// Since when bytes wait of which the link has taken none.
    waits_since: Option<Instant>,
}

impl Progress {
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How long bytes have waited without any being taken.
    pub(crate) fn waits(&self, now: Instant) -> Option<Duration> {
        let since = self.waits_since?;
        Some(now.saturating_duration_since(since))
    }

    /// Something is there to be written.
    pub(crate) fn begins_to_wait(&mut self, now: Instant) {
        self.waits_since.get_or_insert(now);
    }

    fn taken(&mut self, len: usize, now: Instant) {
        self.in_flight = len;
        self.begins_to_wait(now);
    }

    fn wrote(&mut self, len: usize, now: Instant) {
        self.in_flight -= len;
        self.waits_since = Some(now);
    }

    fn nothing_left(&mut self) {
        self.in_flight = 0;
        self.waits_since = None;
    }
}

/// What the writer is to do.
enum Next {
    Write,
    Wait,
    End,
}

/// Writes what the session sends, as it comes, until the session is drained or closed.
///
/// # Errors
///
/// The link's.
pub(crate) async fn write_to<C>(peer: &Peer<C>, writer: &mut BoxWrite) -> io::Result<()> {
    let mut messages = Vec::new();
    let mut buf = BytesMut::new();
    // Batches for which callers are taken for many.
    let mut crowded: u32 = 0;
    loop {
        match take(peer, &mut messages) {
            Next::Write => {}
            Next::Wait => {
                peer.filled.notified().await;
                // Callers that can run do so first, and one write takes the calls of all. Who is alone need not wait, nor who
                // casts.
                if crowded > 0 {
                    yield_now().await;
                }
                continue;
            }
            Next::End => return writer.shutdown().await,
        }
        crowded = if has_several_calls(&messages) {
            CROWDED_BATCHES
        } else {
            crowded.saturating_sub(1)
        };
        // Not under the lock: senders need not wait for this.
        for message in messages.drain(..) {
            encode(&message, u64::MAX, &mut buf).expect("no message is longer than u64::MAX");
        }
        while buf.has_remaining() {
            let len = writer.write_buf(&mut buf).await?;
            if len == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            peer.write(|session, progress, now| {
                session.wrote(now);
                progress.wrote(len, now);
            });
        }
        writer.flush().await?;
        if buf.capacity() > KEPT_CAPACITY {
            buf = BytesMut::new();
        }
    }
}

/// Whether the batch begins with calls or replies, which go ahead of casts.
fn has_several_calls(batch: &[NetworkMessage]) -> bool {
    let is_call = |message: &NetworkMessage| match &message.message {
        Some(Message::Node(node)) => matches!(node.msg, Some(Msg::Call(_) | Msg::Reply(_))),
        _ => false,
    };
    batch.len() > 1 && batch.iter().take(2).all(is_call)
}

/// Takes the next batch. What was taken before has been written.
fn take<C>(peer: &Peer<C>, messages: &mut Vec<NetworkMessage>) -> Next {
    peer.write(|session, progress, now| {
        session.written(now);
        let mut len = 0;
        while len < MAX_BATCH_LEN
            && let Some(message) = session.poll_transmit()
        {
            len += LENGTH_PREFIX_LEN + prost::Message::encoded_len(&message);
            messages.push(message);
        }
        if len > 0 {
            progress.taken(len, now);
            return Next::Write;
        }
        if !session.has_transmits() {
            progress.nothing_left();
        }
        if session.is_drained() {
            Next::End
        } else {
            Next::Wait
        }
    })
}
