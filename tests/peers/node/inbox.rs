//! What the test actors of this process received, for commands to look at and wait for.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use ractor::RpcReplyPort;
use tokio::sync::Notify;

#[derive(Default)]
pub struct Inbox {
    contents: Mutex<Contents>,
    changed: Notify,
}

#[derive(Default)]
pub struct Contents {
    /// One word for each cast that carries content, in order of arrival.
    pub texts: Vec<String>,
    pub numbers: Numbers,
    /// Bulk casts, which are counted only.
    pub bulk: u64,
    /// Calls that wait for an answer.
    pub held: Vec<(String, RpcReplyPort<String>)>,
}

/// A summary of numbered casts.
#[derive(Default)]
pub struct Numbers {
    pub count: u64,
    pub last: Option<u64>,
    pub out_of_order: u64,
}

impl Numbers {
    /// Every sender counts from zero, so that a zero starts over.
    fn add(&mut self, number: u64) {
        let expected = self.last.map_or(0, |last| last + 1);
        if number != expected && number != 0 {
            self.out_of_order += 1;
        }
        self.count += 1;
        self.last = Some(number);
    }
}

impl Inbox {
    pub fn text(&self, text: String) {
        self.change(|contents| contents.texts.push(text));
    }

    pub fn number(&self, number: u64) {
        self.change(|contents| contents.numbers.add(number));
    }

    pub fn bulk(&self) {
        self.change(|contents| contents.bulk += 1);
    }

    pub fn hold(&self, text: String, reply: RpcReplyPort<String>) {
        self.change(|contents| contents.held.push((text, reply)));
    }

    /// Looks at the contents until `found` returns something, or until the time is over.
    pub async fn wait<T>(
        &self,
        patience: Duration,
        found: impl Fn(&mut Contents) -> Option<T>,
    ) -> Option<T> {
        tokio::time::timeout(patience, async {
            loop {
                let changed = self.changed.notified();
                if let Some(value) = found(&mut self.lock()) {
                    return value;
                }
                changed.await;
            }
        })
        .await
        .ok()
    }

    pub fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents
            .lock()
            .expect("no code panics while it holds this lock")
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) {
        change(&mut self.lock());
        // A permit is stored when nobody waits: commands run one at a time, so one is enough.
        self.changed.notify_one();
    }
}
