//! What a peer waits for: answers and acknowledgements.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::{
    BusError, Incarnation, Level, MessageId, Name, PeerId,
    bus::{Answer, LinkId},
    hash::HashMap,
    mailbox::NoPlace,
};

/// Envelopes that a peer waits for at the same time, at most.
const MAX_PENDING: usize = 65_536;

/// Envelopes whose senders wait.
#[derive(Debug)]
pub(crate) struct Pending {
    incarnation: Incarnation,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_seq: HashMap<u64, Entry>,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    to: PeerId,
    intent: Name,
    link: Option<LinkId>,
    level: Level,
    answer: oneshot::Sender<Answer>,
}

/// What is waited for, of which envelope.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) seq: u64,
    pub(crate) to: PeerId,
    pub(crate) intent: Name,
    pub(crate) link: Option<LinkId>,
    pub(crate) level: Level,
}

impl Pending {
    pub(crate) fn new(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            waiting: Mutex::default(),
        }
    }

    /// Waits from now on, until the wait is dropped.
    pub(crate) fn wait(&self, wanted: Wanted) -> Result<Wait<'_>, NoPlace> {
        let (sender, receiver) = oneshot::channel();
        let Wanted {
            seq,
            to,
            intent,
            link,
            level,
        } = wanted;
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(NoPlace::Closed);
        }
        if waiting.by_seq.len() >= MAX_PENDING {
            return Err(NoPlace::Full);
        }
        let entry = Entry {
            to: to.clone(),
            intent,
            link,
            level,
            answer: sender,
        };
        waiting.by_seq.insert(seq, entry);
        Ok(Wait {
            pending: self,
            seq,
            to,
            receiver,
        })
    }

    /// An answer of `from` came, in words of its own if `reply`. Makes the answer for who waits, and says whether anybody did.
    pub(crate) fn resolve(
        &self,
        id: MessageId,
        from: &PeerId,
        reply: bool,
        answer: impl FnOnce(&Name) -> Answer,
    ) -> bool {
        let mut waiting = self.lock();
        let Entry {
            to, intent, level, ..
        } = match waiting.by_seq.get(&id.seq) {
            Some(entry) if id.incarnation == self.incarnation => entry,
            _ => return false,
        };
        if to != from || (reply && *level < Level::Answered) {
            return false;
        }
        let answer = answer(intent);
        if matches!(answer, Answer::Reached(reached) if reached < *level) {
            return true;
        }
        let entry = waiting.by_seq.remove(&id.seq);
        drop(waiting);
        if let Some(entry) = entry {
            // Who has just stopped waiting does not want to know.
            let _ = entry.answer.send(answer);
        }
        true
    }

    /// Whether an answer of `from` to `id` is waited for over that link.
    pub(crate) fn awaits(&self, id: MessageId, from: &PeerId, link: LinkId) -> bool {
        let waiting = self.lock();
        let entry = waiting.by_seq.get(&id.seq);
        id.incarnation == self.incarnation
            && entry.is_some_and(|entry| entry.to == *from && entry.link == Some(link))
    }

    /// Who is to answer over that link.
    pub(crate) fn asked_over(&self, link: LinkId) -> Vec<PeerId> {
        let waiting = self.lock();
        let asked = waiting.by_seq.values();
        let asked = asked.filter(|entry| entry.link == Some(link));
        let mut asked: Vec<_> = asked.map(|entry| entry.to.clone()).collect();
        asked.sort_unstable();
        asked.dedup();
        asked
    }

    /// What is waited for of `peer` over one link comes over another.
    pub(crate) fn move_link(&self, peer: &PeerId, from: LinkId, to: LinkId) {
        for entry in self.lock().by_seq.values_mut() {
            if entry.link == Some(from) && entry.to == *peer {
                entry.link = Some(to);
            }
        }
    }

    /// What is waited for over that link will not come.
    pub(crate) fn fail_link(&self, link: LinkId) {
        self.fail_where(
            |entry| entry.link == Some(link),
            |entry| BusError::NotConnected(entry.to.clone()),
        );
    }

    /// Of `peer`, which went from behind that link, nothing will come.
    pub(crate) fn fail_peer(&self, link: LinkId, peer: &PeerId) {
        self.fail_where(
            |entry| entry.link == Some(link) && entry.to == *peer,
            |entry| BusError::Closed(entry.to.clone()),
        );
    }

    /// Nothing is waited for any longer.
    pub(crate) fn close(&self, owner: &PeerId) {
        self.lock().closed = true;
        self.fail_where(|_| true, |_| BusError::Closed(owner.clone()));
    }

    fn fail_where(&self, fails: impl Fn(&Entry) -> bool, error: impl Fn(&Entry) -> BusError) {
        let failed: Vec<_> = {
            let mut waiting = self.lock();
            let failed = waiting.by_seq.extract_if(|_, entry| fails(entry));
            failed.map(|(_, entry)| entry).collect()
        };
        for entry in failed {
            let error = error(&entry);
            // Who no longer waits does not want to know.
            let _ = entry.answer.send(Answer::Failed(error));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_seq.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // The map is whole after any panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    pending: &'a Pending,
    seq: u64,
    to: PeerId,
    receiver: oneshot::Receiver<Answer>,
}

impl Wait<'_> {
    /// The envelope has another number.
    pub(crate) fn renumber(&mut self, seq: u64) {
        let mut waiting = self.pending.lock();
        // What has come to an end stays so.
        if let Some(entry) = waiting.by_seq.remove(&self.seq) {
            waiting.by_seq.insert(seq, entry);
        }
        self.seq = seq;
    }

    /// The answer. Cancel-safe.
    pub(crate) async fn answer(&mut self) -> Answer {
        let answer = (&mut self.receiver).await;
        answer.unwrap_or_else(|_| Answer::Failed(BusError::Closed(self.to.clone())))
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.pending.lock().by_seq.remove(&self.seq);
    }
}
