//! Answers of local actors to calls of the peer.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::Arc,
    task::Context,
};

use shiome_session::{CallErrorCode, Session, Ticket};
use shiome_transport::Peer;
use tokio::{sync::oneshot, time::Instant};
use tracing::{Span, debug};

use super::awaited::Awaited;
use crate::{remote_actor::Caller, trace};

mod deadlines;

use deadlines::Deadlines;

/// Bytes of replies to one peer that wait for room on its link, beyond what the link itself holds. From a peer that calls
/// and does not read, more are not worth their memory.
const MAX_WAITING_REPLIES: usize = 64 * 1024 * 1024;

/// The calls of one peer that local actors have not answered, and answers that wait for room on its link.
///
/// One task waits for all of them, that which [polls](Self::poll) them. They end with it.
pub(super) struct Replies {
    peer: Arc<Peer<Caller>>,
    awaited: Awaited<Call>,
    /// With the keys of those that are awaited.
    deadlines: Deadlines<usize>,
    /// Those that have come and the session does not have.
    answers: Vec<Answer>,
    /// Of calls without an answer, by `to` and `tag`. Empty when nobody wants them.
    spans: HashMap<(u64, u64), Span>,
    /// Those that wait for room, in order.
    waiting: VecDeque<Answer>,
    /// Bytes of them.
    waiting_len: usize,
    /// Resolves when there is room again.
    room: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

/// A call of the peer.
#[derive(Debug, Clone, Copy)]
struct Call {
    to: u64,
    tag: u64,
    deadline: Option<Ticket>,
}

struct Answer {
    call: Call,
    what: Result<Vec<u8>, CallErrorCode>,
}

impl Replies {
    pub(super) fn new(peer: Arc<Peer<Caller>>) -> Self {
        Self {
            peer,
            awaited: Awaited::default(),
            deadlines: Deadlines::default(),
            answers: Vec::new(),
            spans: HashMap::new(),
            waiting: VecDeque::new(),
            waiting_len: 0,
            room: None,
        }
    }

    /// Whether as many wait as may, so that no call is worth asking an actor.
    pub(super) fn are_too_many(&self) -> bool {
        self.waiting_len >= MAX_WAITING_REPLIES
    }

    /// Sends what comes for the call, or says that nothing does when the time is over.
    pub(super) fn expect(
        &mut self,
        to: u64,
        tag: u64,
        deadline: Option<Instant>,
        reply: oneshot::Receiver<Vec<u8>>,
        span: Span,
    ) {
        if !span.is_disabled() {
            self.spans.insert((to, tag), span);
        }
        let deadlines = &mut self.deadlines;
        let awaited = self.awaited.insert(reply, |key| {
            let deadline = deadline.map(|at| deadlines.set(at, key));
            Call { to, tag, deadline }
        });
        if let Err(what) = awaited {
            let deadline = None;
            let call = Call { to, tag, deadline };
            self.answers.push(Answer::new(call, what));
        }
    }

    /// Sends the answers that have come. The task is woken for the next.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        let Self {
            awaited,
            deadlines,
            answers,
            ..
        } = self;
        awaited.poll(cx, |call: Call, what| {
            if let Some(deadline) = call.deadline {
                deadlines.clear(deadline);
            }
            answers.push(Answer::new(call, what));
        });
        deadlines.poll(cx, |key| {
            if let Some(call) = awaited.remove(key) {
                answers.push(Answer::new(call, None));
            }
        });
        self.send_answers();
        self.poll_room(cx);
    }

    /// Gives what has come to the session, in one go.
    fn send_answers(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        if !self.spans.is_empty() {
            self.end_spans();
        }
        let (waiting, waiting_len) = (&mut self.waiting, &mut self.waiting_len);
        let answers = self.answers.drain(..);
        self.peer.apply(|session, now| {
            for mut answer in answers {
                let len = answer.len();
                if answer.what.is_err() || waiting.is_empty() && session.has_room_for_reply(len) {
                    answer.send(session, now);
                } else if *waiting_len < MAX_WAITING_REPLIES {
                    *waiting_len += len;
                    waiting.push_back(answer);
                } else {
                    answer.what = Err(CallErrorCode::Overloaded);
                    answer.send(session, now);
                }
            }
        });
    }

    /// Before the session takes the answers: no span ends under its lock.
    fn end_spans(&mut self) {
        for Answer { call, what } in &self.answers {
            let span = self.spans.remove(&(call.to, call.tag));
            if let (Some(span), Err(code)) = (span, what) {
                trace::failed(&span, "no_reply", &format_args!("{code:?}"));
            }
        }
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) {
        while !self.waiting.is_empty() {
            let room = self.room.get_or_insert_with(|| {
                let peer = Arc::clone(&self.peer);
                Box::pin(async move { peer.room().await })
            });
            if room.as_mut().poll(cx).is_pending() {
                return;
            }
            self.room = None;
            let (waiting, waiting_len) = (&mut self.waiting, &mut self.waiting_len);
            self.peer.apply(|session, now| {
                while let Some(answer) = waiting.pop_front() {
                    let len = answer.len();
                    if !session.has_room_for_reply(len) {
                        return waiting.push_front(answer);
                    }
                    *waiting_len -= len;
                    answer.send(session, now);
                }
            });
        }
    }
}

impl Answer {
    fn new(call: Call, what: Option<Vec<u8>>) -> Self {
        let what = what.ok_or(CallErrorCode::NoReply);
        Self { call, what }
    }

    fn len(&self) -> usize {
        self.what.as_ref().map_or(0, Vec::len)
    }

    fn send(self, session: &mut Session<Caller>, now: std::time::Instant) {
        let Call { to, tag, .. } = self.call;
        let what = match self.what {
            Ok(what) => what,
            Err(code) => return session.drop_call(now, to, tag, code),
        };
        if let Err(error) = session.reply(now, to, tag, what.into()) {
            debug!(pid = to, %error, "reply was not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll, time::Duration};

    use shiome_session::{
        Config, Event, Session, Terms,
        wire::{
            Capabilities,
            control::Actor,
            meta::network_message::Message,
            native::{self, call_error::Code},
            node,
        },
    };

    use super::*;

    const LONG: usize = 1024 * 1024;

    /// A session that has opened so many calls to the actor 7, and whose link takes nothing.
    fn called(calls: u64) -> Arc<Peer<Caller>> {
        let now = Instant::now().into_std();
        // Not in fragments.
        let capabilities = Capabilities::CALL_ERRORS.bits() | Capabilities::CREDIT.bits();
        let peer = Peer::new(Session::new(now, Config::default(), 1));
        peer.apply(|session, now| {
            session.negotiated(Terms {
                version: 1,
                capabilities: Capabilities::from_bits(capabilities),
                incarnation: 1,
                max_frame_len: u64::MAX,
                max_message_len: u64::MAX,
                max_reassembly_len: u64::MAX,
                window: u64::MAX,
            });
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

    /// The replies that the peer is sent, and why it gets none for other calls.
    fn said(peer: &Peer<Caller>) -> (usize, Vec<Code>) {
        let (mut replies, mut errors) = (0, Vec::new());
        while let Some(message) = peer.apply(|session, _| session.poll_transmit()) {
            match message.message {
                Some(Message::Node(_)) => replies += 1,
                Some(Message::Native(native::NativeMessage {
                    msg: Some(native::native_message::Msg::CallError(error)),
                })) => errors.push(error.code()),
                _ => {}
            }
        }
        (replies, errors)
    }

    async fn attend(replies: &mut Replies) {
        poll_fn(|cx| {
            replies.poll(cx);
            Poll::Pending
        })
        .await
    }

    /// Lets the replies go on until nothing moves.
    async fn settle(replies: &mut Replies) {
        let look = Duration::from_millis(1);
        let _ = tokio::time::timeout(look, attend(replies)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn replies_to_a_peer_that_does_not_read_are_bounded() {
        let calls = 400;
        let peer = called(calls);
        let mut replies = Replies::new(Arc::clone(&peer));
        let mut ports = Vec::new();
        for tag in 0..calls {
            let (port, reply) = oneshot::channel();
            replies.expect(7, tag, None, reply, Span::none());
            ports.push(port);
        }
        settle(&mut replies).await;
        for port in ports {
            port.send(vec![0; LONG]).unwrap();
        }
        settle(&mut replies).await;
        let outbox = Config::default().max_outbox / LONG;
        let most = MAX_WAITING_REPLIES / LONG;
        assert_eq!(replies.waiting.len(), most);
        assert_eq!(replies.waiting_len, MAX_WAITING_REPLIES);
        assert!(replies.are_too_many());
        let refused = calls as usize - outbox - most;
        assert_eq!(said(&peer), (outbox, vec![Code::Overloaded; refused]));
        // Nobody writes, so that nobody says that there is room.
        replies.room = None;
        settle(&mut replies).await;
        assert!(!replies.are_too_many());
        assert_eq!((replies.waiting.len(), replies.waiting_len), (0, 0));
        assert_eq!(said(&peer), (most, vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_is_over_in_its_time() {
        let peer = called(2);
        let mut replies = Replies::new(Arc::clone(&peer));
        let deadline = Some(Instant::now() + Duration::from_secs(5));
        let (_held, reply) = oneshot::channel();
        replies.expect(7, 0, deadline, reply, Span::none());
        let (dropped, reply) = oneshot::channel();
        replies.expect(7, 1, deadline, reply, Span::none());
        drop(dropped);
        settle(&mut replies).await;
        let dropped = vec![Code::NoReply];
        assert_eq!(said(&peer), (0, dropped.clone()));
        let most = Duration::from_millis(4_998);
        let _ = tokio::time::timeout(most, attend(&mut replies)).await;
        assert_eq!(said(&peer), (0, vec![]), "it has its time");
        settle(&mut replies).await;
        settle(&mut replies).await;
        assert_eq!(said(&peer), (0, dropped));
    }
}
