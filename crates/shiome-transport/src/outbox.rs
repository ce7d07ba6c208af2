use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use shiome_wire::{encode, meta::NetworkMessage};
use tokio::{io::AsyncWriteExt, sync::Notify};

use crate::link::BoxWrite;

/// Bytes that wait to be written to one link before senders wait too.
pub const MAX_OUTBOX_LEN: usize = 64 * 1024 * 1024;

/// Capacity that an empty buffer may keep for its next use.
const KEPT_CAPACITY: usize = 256 * 1024;

/// Encoded frames on their way to one link.
///
/// Senders append, one writer takes all there is and writes it at once.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    filled: Notify,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    buf: BytesMut,
    closed: bool,
}

impl Outbox {
    /// Appends a frame. What comes after [`close`](Self::close) is dropped.
    pub(crate) fn push(&self, message: &NetworkMessage) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        // Messages of users were checked against the peer's limit by the session, and its own are far below any.
        let was_empty = state.buf.is_empty();
        if encode(message, u64::MAX, &mut state.buf).is_ok() && was_empty {
            self.filled.notify_one();
        }
    }

    /// Waits until less than [`MAX_OUTBOX_LEN`] waits to be written, or the outbox is closed. Cancel-safe.
    pub(crate) async fn room(&self) {
        loop {
            let emptied = self.emptied.notified();
            {
                let state = self.lock();
                if state.closed || state.buf.len() < MAX_OUTBOX_LEN {
                    return;
                }
            }
            emptied.await;
        }
    }

    /// Takes no more frames; those taken are still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
        self.emptied.notify_waiters();
    }

    /// Writes frames as they come, until the outbox is closed and empty.
    ///
    /// # Errors
    ///
    /// The link's.
    pub(crate) async fn write_to(&self, writer: &mut BoxWrite) -> std::io::Result<()> {
        let mut spare = BytesMut::new();
        while let Some(mut batch) = self.take(&mut spare).await {
            writer.write_all(&batch).await?;
            writer.flush().await?;
            batch.clear();
            if batch.capacity() <= KEPT_CAPACITY {
                spare = batch;
            }
        }
        writer.shutdown().await
    }

    /// All frames there are, leaving `spare` to be filled; `None` when the outbox is closed and empty.
    async fn take(&self, spare: &mut BytesMut) -> Option<BytesMut> {
        loop {
            {
                let mut state = self.lock();
                if !state.buf.is_empty() {
                    let batch = std::mem::replace(&mut state.buf, std::mem::take(spare));
                    self.emptied.notify_waiters();
                    return Some(batch);
                }
                if state.closed {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Appending is the only change that can panic, for want of memory, and leaves whole frames behind it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
