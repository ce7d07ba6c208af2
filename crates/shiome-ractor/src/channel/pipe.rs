use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use shiome_session::{ChannelError, ChannelId};
use shiome_transport::Peer;
use tokio::sync::Notify;

use crate::{events::SessionInfo, remote_actor::Caller};

/// A channel with one peer, for as long as it is up.
pub(crate) struct Pipe {
    id: ChannelId,
    peer: Arc<Peer<Caller>>,
    session: SessionInfo,
    max_message_len: u64,
    inbox: Mutex<Inbox>,
    /// Wakes the one that receives.
    arrived: Notify,
    /// Wakes those that send.
    room: Notify,
}

struct Inbox {
    /// Messages and what they take of the window, which bounds them.
    items: VecDeque<(Bytes, u64)>,
    open: bool,
}

impl Pipe {
    pub(crate) fn new(
        id: ChannelId,
        peer: Arc<Peer<Caller>>,
        session: SessionInfo,
        max_message_len: u64,
    ) -> Self {
        Self {
            id,
            peer,
            session,
            max_message_len,
            inbox: Mutex::new(Inbox {
                items: VecDeque::new(),
                open: true,
            }),
            arrived: Notify::new(),
            room: Notify::new(),
        }
    }

    pub(super) fn session(&self) -> &SessionInfo {
        &self.session
    }

    pub(super) fn max_message_len(&self) -> u64 {
        self.max_message_len
    }

    /// A message has come.
    pub(crate) fn push(&self, message: Bytes, cost: u64) {
        let open = {
            let mut inbox = self.lock();
            if inbox.open {
                inbox.items.push_back((message, cost));
            }
            inbox.open
        };
        if open {
            self.arrived.notify_one();
        }
    }

    /// There is room for what was refused.
    pub(crate) fn has_room(&self) {
        self.room.notify_waiters();
    }

    /// It is down: nothing more comes.
    pub(crate) fn end(&self) -> bool {
        let was_open = std::mem::replace(&mut self.lock().open, false);
        self.arrived.notify_one();
        self.room.notify_waiters();
        was_open
    }

    /// The program wants it no more.
    pub(super) fn close(&self) {
        if self.end() {
            self.peer.apply(|session, _| session.close_channel(self.id));
        }
    }

    pub(super) async fn recv(&self) -> Option<Bytes> {
        loop {
            let (next, open) = {
                let mut inbox = self.lock();
                (inbox.items.pop_front(), inbox.open)
            };
            match next {
                Some((message, cost)) => {
                    self.peer
                        .apply(|session, _| session.taken_from_channel(self.id, cost));
                    return Some(message);
                }
                None if open => self.arrived.notified().await,
                None => return None,
            }
        }
    }

    pub(super) async fn send(&self, message: Bytes) -> Result<(), ChannelError> {
        loop {
            let room = self.room.notified();
            match self.try_send(message.clone()) {
                Err(ChannelError::Full { .. }) => room.await,
                sent => return sent,
            }
        }
    }

    pub(super) fn try_send(&self, message: Bytes) -> Result<(), ChannelError> {
        if !self.lock().open {
            return Err(ChannelError::NotOpen);
        }
        self.peer
            .apply(|session, _| session.send_on_channel(self.id, message))
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        // The queue is whole after any panic.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without contents.
impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("id", &self.id)
            .field("peer", &self.session.name)
            .finish_non_exhaustive()
    }
}
