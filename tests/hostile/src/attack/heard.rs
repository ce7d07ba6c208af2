//! What the victim says to an attacker, and that it closes.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use shiome_wire::{meta::NetworkMessage, native::native_message};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::raw::Reader;

/// Listens in a task of its own until the victim closes, or this is dropped.
pub(crate) struct Heard {
    told: Arc<Told>,
    closed: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Told {
    messages: AtomicU64,
    exits: AtomicU64,
    goodbye: Mutex<Option<String>>,
}

impl Heard {
    pub(crate) fn listen(mut reader: Reader) -> Self {
        let told = Arc::new(Told::default());
        let (close, closed) = watch::channel(false);
        let task = tokio::spawn({
            let told = Arc::clone(&told);
            async move {
                while let Some(message) = reader.next().await {
                    told.hear(message);
                }
                let _ = close.send(true);
            }
        });
        Self { told, closed, task }
    }

    /// Messages so far.
    pub(crate) fn messages(&self) -> u64 {
        self.told.messages.load(Ordering::Relaxed)
    }

    /// Ends of actors so far.
    pub(crate) fn exits(&self) -> u64 {
        self.told.exits.load(Ordering::Relaxed)
    }

    /// Why the victim closes, in its words.
    pub(crate) fn goodbye(&self) -> String {
        let goodbye = self
            .told
            .goodbye
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        goodbye.clone().unwrap_or_default()
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Waits until the victim closes; `false` when it has not in that time.
    pub(crate) async fn closed_within(&mut self, limit: Duration) -> bool {
        timeout(limit, self.closed.wait_for(|closed| *closed))
            .await
            .is_ok()
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Told {
    fn hear(&self, message: NetworkMessage) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        match message.into_native() {
            Some(native_message::Msg::Goodbye(goodbye)) => {
                let mut said = self.goodbye.lock().unwrap_or_else(PoisonError::into_inner);
                *said = Some(goodbye.detail);
            }
            Some(native_message::Msg::Exit(_)) => {
                self.exits.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}
