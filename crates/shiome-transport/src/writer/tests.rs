use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use shiome_session::{Config, wire::control::Actor};
use shiome_wire::{control::Spawn, node};
use tokio::{
    io::AsyncWrite,
    sync::oneshot::{self, Sender},
    task::JoinSet,
};

use super::*;

/// Takes everything, and tells the length of each write.
struct Recorder {
    writes: Arc<Mutex<Vec<usize>>>,
    vectored: bool,
    /// Whether it gets rid of what it takes.
    flushes: bool,
}

impl AsyncWrite for Recorder {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.lock().unwrap().push(buf.len());
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        self.poll_write(cx, &all)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.flushes {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn what_the_link_has_taken_is_known_while_it_is_on_its_way() {
    let peer = Arc::new(Peer::<()>::new(Session::new(
        Instant::now(),
        Config::default(),
        1,
    )));
    peer.apply(introduce);
    let cast = node::Cast {
        to: 1,
        ..node::Cast::default()
    };
    peer.hand_over(|session| session.cast(cast)).unwrap();
    assert!(peer.queued_len() > 0);
    let mut tasks = JoinSet::new();
    let written = Arc::clone(&peer);
    let writes = Arc::default();
    let mut writer: BoxWrite = Box::new(Recorder {
        writes: Arc::clone(&writes),
        vectored: true,
        flushes: false,
    });
    tasks.spawn(async move { write_to(&written, &mut writer).await });
    settle().await;
    assert_eq!(writes.lock().unwrap().len(), 1);
    assert_eq!(peer.queued_len(), 0);
}

/// The peer tells of the actor 1.
fn introduce<C>(session: &mut Session<C>, now: Instant) {
    let actors = vec![Actor { pid: 1, name: None }];
    session
        .handle_message(now, Spawn { actors }.into())
        .unwrap();
}

/// Sends `turns` of casts of that length, one after the other, and returns the lengths of all writes.
async fn write_turns(turns: &[usize], what_len: usize, vectored: bool) -> Vec<usize> {
    let peer = Peer::<()>::new(Session::new(Instant::now(), Config::default(), 1));
    peer.apply(|session, now| {
        introduce(session, now);
    });
    let writes = Arc::default();
    let mut writer: BoxWrite = Box::new(Recorder {
        writes: Arc::clone(&writes),
        vectored,
        flushes: true,
    });
    let sender = async {
        for casts in turns {
            for _ in 0..*casts {
                let cast = node::Cast {
                    to: 1,
                    what: vec![0; what_len].into(),
                    ..node::Cast::default()
                };
                peer.hand_over(|session| session.cast(cast)).unwrap();
            }
            yield_now().await;
        }
        peer.close();
    };
    let (written, ()) = tokio::join!(biased; write_to(&peer, &mut writer), sender);
    written.unwrap();
    writes.lock().unwrap().clone()
}

const CAST_LEN: usize = 8 + 2 + 2 + 2;

#[tokio::test]
async fn who_casts_now_and_then_does_not_wait_for_others() {
    let writes = write_turns(&[1, 1, 10, 1], 0, true).await;
    let casts: Vec<_> = writes.iter().map(|len| len / CAST_LEN).collect();
    assert_eq!(casts, [1, 1, 10, 1]);
}

#[tokio::test]
async fn a_batch_of_long_messages_is_one_write() {
    let what_len = 4096;
    let writes = write_turns(&[60], what_len, true).await;
    assert_eq!(writes.len(), 1);
    let plain = write_turns(&[60], what_len, false).await;
    assert_eq!(plain.iter().sum::<usize>(), writes[0]);
    assert!(plain.len() > 1);
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
            introduce(session, now);
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
    let writes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let (peer, mut link): (_, BoxWrite) = (
        Arc::clone(&echo.peer),
        Box::new(Recorder {
            writes: Arc::clone(&writes),
            vectored: true,
            flushes: true,
        }),
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
        assert!(!before.is_empty());
        echo.answer(callers);
        settle().await;
        assert_eq!(writes.lock().unwrap().len(), 1);
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
    assert!(
        !peer.expects_more(),
        "what the node has to tell goes out at once"
    );
    peer.apply(|session, _| while session.poll_transmit().is_some() {});
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
        let next = take(&echo.peer, &mut frames, &mut 0, true);
        assert!(matches!(next, Some(Next::Write)));
        echo.answer(1);
    }
    caller.join_next().await.unwrap().unwrap();
    assert!(
        echo.peer.expects_more(),
        "the last answer may lead to one more call"
    );
}
