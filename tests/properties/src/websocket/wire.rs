//! A connection whose other end is an input, and the task that uses it.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use shiome_transport::{Link, Security};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pieces::Pieces;

/// Polls without end are a fault. A byte takes two, one of them in vain, and a few more at the ends.
const POLLS_PER_BYTE: usize = 4;
const SPARE_POLLS: usize = 64;

/// Makes what comes from what was sent.
type Answer = Box<dyn FnOnce(&[u8]) -> Vec<u8> + Send>;

/// What both the connection and who looks at it know.
#[derive(Default)]
struct State {
    sent: Vec<u8>,
    taken: usize,
}

/// The peer's part of a connection.
#[derive(Clone, Default)]
pub(super) struct Peer(Arc<Mutex<State>>);

impl Peer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under the lock")
    }

    /// All that was sent to the peer.
    pub(super) fn sent(&self) -> Vec<u8> {
        self.lock().sent.clone()
    }

    /// Bytes of the peer that were read.
    pub(super) fn taken(&self) -> usize {
        self.lock().taken
    }
}

/// One end of a connection. The peer says all it has to say, and closes its direction.
pub(super) struct Wire {
    incoming: Vec<u8>,
    answer: Option<Answer>,
    peer: Peer,
    reads: Box<dyn Iterator<Item = usize> + Send>,
    writes: Box<dyn Iterator<Item = usize> + Send>,
    /// Whether each turn that gets something follows one that does not.
    halting: bool,
    halted: [bool; 2],
    /// The peer reads nothing.
    stuck: bool,
}

impl Wire {
    /// The peer says this, whatever it hears.
    pub(super) fn saying(bytes: &[u8], pieces: Pieces) -> Self {
        Self {
            incoming: bytes.to_vec(),
            answer: None,
            peer: Peer::default(),
            reads: Box::new(pieces.lens()),
            writes: Box::new(pieces.lens()),
            halting: pieces != Pieces::Whole,
            halted: [false; 2],
            stuck: false,
        }
    }

    /// The peer waits for something, and says this then.
    pub(super) fn answering(answer: Answer, pieces: Pieces) -> Self {
        Self {
            answer: Some(answer),
            ..Self::saying(&[], pieces)
        }
    }

    pub(super) fn stuck(self) -> Self {
        Self {
            stuck: true,
            ..self
        }
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer.clone()
    }

    pub(super) fn link(self) -> Link {
        Link::from_stream(self, "peer", "local", Security::Plain)
    }

    /// Whether this turn is one in vain; the task has its turn again at once.
    fn halts(&mut self, direction: usize, cx: &Context<'_>) -> bool {
        self.halted[direction] = self.halting && !self.halted[direction];
        if self.halted[direction] {
            cx.waker().wake_by_ref();
        }
        self.halted[direction]
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.halts(0, cx) {
            return Poll::Pending;
        }
        if let Some(answer) = self.answer.take() {
            let heard = self.peer.sent();
            self.incoming = answer(&heard);
        }
        let at = self.peer.lock().taken;
        let piece = self.reads.next().unwrap_or(1);
        let len = piece.min(buf.remaining()).min(self.incoming.len() - at);
        buf.put_slice(&self.incoming[at..at + len]);
        self.peer.lock().taken += len;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.stuck || self.halts(1, cx) {
            return Poll::Pending;
        }
        let len = self.writes.next().unwrap_or(1).min(buf.len());
        self.peer.lock().sent.extend_from_slice(&buf[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stuck {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// Runs a task that moves about `bytes` bytes to its end. One that waits without having been promised another turn would
/// wait for ever.
pub(super) fn finish<T>(bytes: usize, task: impl Future<Output = T>) -> T {
    run(bytes, task).expect("the task waits for ever")
}

/// As [`finish`]; `None` if it waits for ever.
pub(super) fn run<T>(bytes: usize, task: impl Future<Output = T>) -> Option<T> {
    let turn = Arc::new(Turn::default());
    let waker = Waker::from(Arc::clone(&turn));
    let mut cx = Context::from_waker(&waker);
    let mut task = pin!(task);
    for _ in 0..SPARE_POLLS + POLLS_PER_BYTE * bytes {
        if let Poll::Ready(result) = task.as_mut().poll(&mut cx) {
            return Some(result);
        }
        if !turn.0.swap(false, Ordering::Relaxed) {
            return None;
        }
    }
    panic!("the task gets nowhere");
}

/// Whether a task has been promised another turn.
#[derive(Default)]
struct Turn(AtomicBool);

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
