use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use shiome_wire::{
    encode,
    meta::{NetworkMessage, network_message::Message},
};
use tokio::{io::AsyncWriteExt, sync::Notify};

use crate::link::BoxWrite;

/// Bytes that wait to be written to one link before senders wait too.
pub const MAX_OUTBOX_LEN: usize = 64 * 1024 * 1024;

/// Control messages that wait to be written to one link, in bytes. They do not wait for room: a peer that makes this
/// node say more, and does not read it, loses the link.
pub const MAX_CONTROL_BACKLOG: usize = 16 * 1024 * 1024;

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
    /// Bytes of control messages in `buf`.
    control_len: usize,
    /// Bytes that the writer has taken and not written yet.
    in_flight: usize,
    closed: bool,
}

/// The backlog of control messages is above [`MAX_CONTROL_BACKLOG`]; the message was dropped.
#[derive(Debug)]
pub(crate) struct Overflow;

impl Outbox {
    /// Appends a frame. What comes after [`close`](Self::close) is dropped.
    pub(crate) fn push(&self, message: &NetworkMessage) -> Result<(), Overflow> {
        let mut state = self.lock();
        if state.closed {
            return Ok(());
        }
        if state.control_len > MAX_CONTROL_BACKLOG {
            return Err(Overflow);
        }
        let before = state.buf.len();
        encode(message, u64::MAX, &mut state.buf).expect("no message is longer than u64::MAX");
        if matches!(message.message, Some(Message::Control(_))) {
            state.control_len += state.buf.len() - before;
        }
        if before == 0 {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits until less than [`MAX_OUTBOX_LEN`] waits to be written, or the outbox is closed. Cancel-safe.
    pub(crate) async fn room(&self) {
        loop {
            let emptied = self.emptied.notified();
            {
                let state = self.lock();
                if state.closed || state.buf.len() + state.in_flight < MAX_OUTBOX_LEN {
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

    /// All frames there are, leaving `spare` to be filled; `None` when the outbox is closed and empty. What was taken
    /// before has been written.
    async fn take(&self, spare: &mut BytesMut) -> Option<BytesMut> {
        self.written();
        loop {
            {
                let mut state = self.lock();
                if !state.buf.is_empty() {
                    let batch = std::mem::replace(&mut state.buf, std::mem::take(spare));
                    state.control_len = 0;
                    state.in_flight = batch.len();
                    return Some(batch);
                }
                if state.closed {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    fn written(&self) {
        if std::mem::take(&mut self.lock().in_flight) > 0 {
            self.emptied.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Appending is the only change that can panic, for want of memory, and leaves whole frames behind it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shiome_wire::{control, node};
    use tokio::{io::AsyncReadExt, time::timeout};

    use super::*;

    fn pong() -> NetworkMessage {
        control::Pong { timestamp: None }.into()
    }

    fn cast(len: usize) -> NetworkMessage {
        node::Cast {
            what: vec![0; len].into(),
            ..node::Cast::default()
        }
        .into()
    }

    #[tokio::test]
    async fn control_messages_that_nobody_reads_overflow_and_others_do_not() {
        let outbox = Outbox::default();
        outbox.push(&cast(2 * MAX_CONTROL_BACKLOG)).unwrap();
        let mut frame = BytesMut::new();
        encode(&pong(), u64::MAX, &mut frame).unwrap();
        for _ in 0..=MAX_CONTROL_BACKLOG / frame.len() {
            outbox.push(&pong()).unwrap();
        }
        assert!(outbox.push(&pong()).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn senders_wait_while_the_outbox_is_full() {
        let outbox = Outbox::default();
        outbox.push(&cast(MAX_OUTBOX_LEN)).unwrap();
        let soon = Duration::from_secs(1);
        assert!(timeout(soon, outbox.room()).await.is_err());
        outbox.take(&mut BytesMut::new()).await.unwrap();
        let room = timeout(soon, outbox.room()).await;
        assert!(room.is_err(), "taken is not written");
        outbox.written();
        timeout(soon, outbox.room()).await.unwrap();
        outbox.push(&cast(MAX_OUTBOX_LEN)).unwrap();
        outbox.close();
        timeout(soon, outbox.room()).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_pushed_before_the_close_is_written_and_nothing_after() {
        let outbox = Outbox::default();
        outbox.push(&pong()).unwrap();
        outbox.close();
        outbox.push(&cast(10)).unwrap();
        let (here, mut there) = tokio::io::duplex(1024);
        let mut writer: BoxWrite = Box::new(here);
        outbox.write_to(&mut writer).await.unwrap();
        drop(writer);
        let mut written = Vec::new();
        there.read_to_end(&mut written).await.unwrap();
        let mut frame = BytesMut::new();
        encode(&pong(), u64::MAX, &mut frame).unwrap();
        assert_eq!(written, frame);
    }
}
