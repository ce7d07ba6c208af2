use std::{
    future::poll_fn,
    io, mem,
    task::Poll,
    time::{Duration, Instant},
};

use shiome_session::{Event, Lane, Session};
use shiome_wire::Frames;
use tokio::io::AsyncWriteExt;

use crate::{link::BoxWrite, peer::Peer};

/// Bytes that are written at a time, or one message that is longer. What is more urgent waits for no more.
const MAX_BATCH_LEN: usize = 256 * 1024;

/// Capacity that is kept between two batches.
const KEPT_CAPACITY: usize = 128 * 1024;

/// How far the bytes of one link have come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes that have left the session and are not written.
    in_flight: usize,
    /// Since when bytes wait of which the link has taken none.
    waits_since: Option<Instant>,
    /// Replies that callers have got, who may call again in a moment.
    answered: u64,
    /// Calls that actors have got, which may answer in a moment.
    asked: u64,
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

    /// Whether bytes wait of which the link has taken none.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waits_since.is_some()
    }

    /// Something is there to be written.
    pub(crate) fn begins_to_wait(&mut self, now: impl FnOnce() -> Instant) {
        self.waits_since.get_or_insert_with(now);
    }

    /// Somebody has got what has come.
    pub(crate) fn given<C>(&mut self, event: &Event<C>) {
        match event {
            Event::Reply { .. } => self.answered += 1,
            Event::Call(_) => self.asked += 1,
            _ => {}
        }
    }

    /// Whether not all who may call again have done so, or not all actors that were asked have answered.
    pub(crate) fn expects_more<C>(&self, session: &Session<C>) -> bool {
        self.answered > session.queued(Lane::Express) || self.asked > 0 && session.calls_in() > 0
    }

    /// So many bytes have left the session, with so many calls and replies.
    fn taken(&mut self, len: usize, sent: u64, now: Instant) {
        self.in_flight = len;
        // Some will never send any.
        for expected in [&mut self.answered, &mut self.asked] {
            *expected = expected.saturating_sub(sent) / 2;
        }
        self.begins_to_wait(|| now);
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
    End,
}

/// Writes what the session sends, as it comes, until the session is drained or closed.
///
/// # Errors
///
/// The link's.
pub(crate) async fn write_to<C>(peer: &Peer<C>, writer: &mut BoxWrite) -> io::Result<()> {
    let mut frames = Frames::new();
    loop {
        match take(peer, &mut frames) {
            Some(Next::Write) => {}
            None => {
                peer.filled.notified().await;
                // Callers that can run do so first, and one write takes the calls of all. Who is alone need not wait, nor who
                // casts.
                if peer.expects_more() {
                    step_back().await;
                }
                continue;
            }
            Some(Next::End) => return writer.shutdown().await,
        }
        while !frames.is_empty() {
            let len = writer.write_buf(&mut frames).await?;
            if len == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            peer.write(|session, progress, now| {
                session.wrote(now);
                progress.wrote(len, now);
                Some(())
            });
        }
        writer.flush().await?;
        frames.shrink_to(KEPT_CAPACITY);
    }
}

/// Takes the next batch; `None` when there is none yet. What was taken before has been written.
fn take<C>(peer: &Peer<C>, frames: &mut Frames) -> Option<Next> {
    peer.write(|session, progress, now| {
        session.written(now);
        let before = session.sent(Lane::Express);
        while frames.len() < MAX_BATCH_LEN && session.poll_frame(frames) {}
        if !frames.is_empty() {
            let sent = session.sent(Lane::Express) - before;
            progress.taken(frames.len(), sent, now);
            return Some(Next::Write);
        }
        if !session.has_transmits() {
            progress.nothing_left();
        }
        session.is_drained().then_some(Next::End)
    })
}

/// Lets those who can run do so. Other than `yield_now` it does not wait until the runtime has asked the system for events,
/// for which that wakes another thread.
async fn step_back() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        sync::{Arc, Mutex},
        task::Context,
    };

    use shiome_session::{Config, wire::control::Actor};
    use shiome_wire::{control::Spawn, node};
    use tokio::{
        io::AsyncWrite,
        sync::oneshot::{self, Sender},
        task::{JoinSet, yield_now},
    };

    use super::*;

    /// Takes all, and counts how often it is given something.
    #[derive(Default)]
    struct Counted(Arc<Mutex<usize>>);

    impl AsyncWrite for Counted {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            *self.0.lock().unwrap() += 1;
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A link to a node with the actor 1, which answers at once.
    struct Echo {
        peer: Arc<Peer<Sender<()>>>,
        answered: u64,
    }

    impl Echo {
        fn new() -> Self {
            let session = Session::new(Instant::now(), Config::default(), 1);
            let peer = Arc::new(Peer::new(session));
            peer.apply(|session, now| {
                let actors = vec![Actor { pid: 1, name: None }];
                session
                    .handle_message(now, Spawn { actors }.into())
                    .unwrap();
            });
            while peer.next_event().is_some() {}
            let answered = 0;
            Self { peer, answered }
        }

        /// Answers so many calls, and wakes the callers.
        fn answer(&mut self, count: u64) {
            for _ in 0..count {
                self.answered += 1;
                let (to, tag) = (1, self.answered);
                let what = Vec::new().into();
                let reply = node::CallReply { to, tag, what };
                self.peer
                    .apply(|session, now| session.handle_message(now, reply.into()).unwrap());
            }
            let mut events = Vec::new();
            let other = self.peer.next_events(64, |_| true, &mut events);
            assert!(other.is_none());
            for event in events {
                if let Event::Reply { call, .. } = event {
                    call.send(()).unwrap();
                }
            }
        }
    }

    async fn call(peer: Arc<Peer<Sender<()>>>, times: usize) {
        for _ in 0..times {
            let (answer, answered) = oneshot::channel();
            let to = 1;
            let call = node::Call {
                to,
                ..node::Call::default()
            };
            peer.apply(|session, now| session.call(now, call, None, answer).unwrap());
            answered.await.unwrap();
        }
    }

    /// Lets all go on as far as they can.
    async fn settle() {
        for _ in 0..8 {
            yield_now().await;
        }
    }

    // On a thread that runs what was woken last before all others, such as the writer.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn one_write_takes_the_calls_of_all_that_were_answered_together() {
        tokio::spawn(callers_call_together()).await.unwrap();
    }

    async fn callers_call_together() {
        let mut echo = Echo::new();
        let mut tasks = JoinSet::new();
        let writes = Arc::default();
        let (peer, mut link): (_, BoxWrite) = (
            Arc::clone(&echo.peer),
            Box::new(Counted(Arc::clone(&writes))),
        );
        tasks.spawn(async move { write_to(&peer, &mut link).await.unwrap() });
        settle().await;
        let callers = 10;
        for _ in 0..callers {
            tasks.spawn(call(Arc::clone(&echo.peer), 5));
        }
        settle().await;
        for _ in 1..5 {
            let before = mem::take(&mut *writes.lock().unwrap());
            assert!(before > 0);
            echo.answer(callers);
            settle().await;
            assert_eq!(*writes.lock().unwrap(), 1);
        }
        // Of callers that do not call again nothing is expected in the end.
        echo.answer(callers);
        assert!(echo.peer.expects_more());
        for _ in 0..4 {
            let one = tasks.spawn(call(Arc::clone(&echo.peer), 1));
            settle().await;
            one.abort();
        }
        assert!(!echo.peer.expects_more());
    }

    #[test]
    fn answers_are_waited_for_until_all_calls_have_theirs() {
        let session = Session::new(Instant::now(), Config::default(), 1);
        let peer: Peer<()> = Peer::new(session);
        peer.apply(|session, now| {
            session.start(now, None);
            session.announce([Actor { pid: 7, name: None }]);
            for tag in 1..=2 {
                let call = node::Call {
                    to: 7,
                    tag,
                    ..node::Call::default()
                };
                session.handle_message(now, call.into()).unwrap();
            }
        });
        assert!(!peer.expects_more(), "nobody has got them");
        let mut events = Vec::new();
        while peer.next_events(64, |_| true, &mut events).is_some() {}
        for tag in 1..=2 {
            assert!(peer.expects_more());
            peer.apply(|session, now| session.reply(now, 7, tag, Vec::new().into()))
                .unwrap();
        }
        assert!(!peer.expects_more());
    }

    #[tokio::test]
    async fn who_calls_alone_does_not_wait() {
        let mut echo = Echo::new();
        let mut caller = JoinSet::new();
        caller.spawn(call(Arc::clone(&echo.peer), 3));
        for _ in 0..3 {
            settle().await;
            assert!(!echo.peer.expects_more());
            let mut frames = Frames::new();
            assert!(take(&echo.peer, &mut frames).is_some());
            echo.answer(1);
        }
        caller.join_next().await.unwrap().unwrap();
        assert!(
            echo.peer.expects_more(),
            "the last answer may lead to one more call"
        );
    }
}
