use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use shiome_session::CallErrorCode;
use shiome_transport::Peer;
use tracing::debug;

use crate::remote_actor::Caller;

/// Bytes of replies to one peer that wait for room on its link, beyond what the link itself holds. From a peer that calls
/// and does not read, more are not worth their memory.
const MAX_WAITING_REPLIES: usize = 64 * 1024 * 1024;

/// The replies to one peer that wait for room on its link, each in the task of its call.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// Bytes of them.
    waiting: AtomicUsize,
}

impl Replies {
    /// Whether as many wait as may, so that no call is worth asking an actor.
    pub(super) fn are_too_many(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= MAX_WAITING_REPLIES
    }

    /// Sends a reply, as soon as there is room for it.
    ///
    /// # Errors
    ///
    /// [`Overloaded`](CallErrorCode::Overloaded) when as many wait as may. The caller is to be told.
    pub(super) async fn send(
        self: Arc<Self>,
        peer: &Peer<Caller>,
        to: u64,
        tag: u64,
        what: Vec<u8>,
    ) -> Result<(), CallErrorCode> {
        if !has_room(peer, what.len()) {
            let _place = self.wait(what.len())?;
            while !has_room(peer, what.len()) {
                peer.room().await;
            }
        }
        let sent = peer.apply(|session, now| session.reply(now, to, tag, what.into()));
        if let Err(error) = sent {
            debug!(pid = to, %error, "reply was not sent");
        }
        Ok(())
    }

    fn wait(self: &Arc<Self>, len: usize) -> Result<Waiting, CallErrorCode> {
        if self.are_too_many() {
            return Err(CallErrorCode::Overloaded);
        }
        self.waiting.fetch_add(len, Ordering::Relaxed);
        let replies = Arc::clone(self);
        Ok(Waiting { replies, len })
    }
}

fn has_room(peer: &Peer<Caller>, len: usize) -> bool {
    peer.apply(|session, _| session.has_room_for_reply(len))
}

/// One that waits.
struct Waiting {
    replies: Arc<Replies>,
    len: usize,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.replies.waiting.fetch_sub(self.len, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shiome_session::{
        Config, Event, Session,
        wire::{control::Actor, node},
    };
    use tokio::task::JoinSet;

    use super::*;

    const LONG: usize = 1024 * 1024;

    /// A session that has opened so many calls to the actor 7, and whose link takes nothing.
    fn called(calls: u64) -> Arc<Peer<Caller>> {
        let now = tokio::time::Instant::now().into_std();
        let peer = Peer::new(Session::new(now, Config::default(), 1));
        peer.apply(|session, now| {
            session.start(now, None);
            session.announce([Actor { pid: 7, name: None }]);
            for tag in 0..calls {
                let call = node::Call {
                    to: 7,
                    tag,
                    ..node::Call::default()
                };
                session.handle_message(now, call.into()).unwrap();
            }
            while let Some(event) = session.poll_event() {
                assert!(matches!(event, Event::Call(_)));
            }
        });
        Arc::new(peer)
    }

    #[tokio::test(start_paused = true)]
    async fn replies_to_a_peer_that_does_not_read_are_bounded() {
        let calls = 400;
        let (peer, replies) = (called(calls), Arc::new(Replies::default()));
        let mut answers = JoinSet::new();
        for tag in 0..calls {
            let (peer, replies) = (Arc::clone(&peer), Arc::clone(&replies));
            answers.spawn(async move { replies.send(&peer, 7, tag, vec![0; LONG]).await });
        }
        let (mut sent, mut refused) = (0, 0);
        let look = Duration::from_millis(1);
        while let Ok(Some(answer)) = tokio::time::timeout(look, answers.join_next()).await {
            match answer.unwrap() {
                Ok(()) => sent += 1,
                Err(code) => {
                    assert_eq!(code, CallErrorCode::Overloaded);
                    refused += 1;
                }
            }
        }
        let outbox = Config::default().max_outbox / LONG;
        let waiting = MAX_WAITING_REPLIES / LONG;
        assert_eq!((sent, answers.len()), (outbox, waiting));
        assert_eq!(refused, calls as usize - outbox - waiting);
        assert!(replies.are_too_many());
        // They go with the calls, and with the link.
        answers.shutdown().await;
        assert!(!replies.are_too_many());
        assert_eq!(replies.waiting.load(Ordering::Relaxed), 0);
    }
}
