use std::{
    convert::Infallible,
    future::{Future, pending},
    io,
    sync::Arc,
    time::Duration,
};

use shiome_session::{Event, GoodbyeReason, SessionError};
use shiome_wire::meta::NetworkMessage;
use thiserror::Error;
use tokio::{
    task::{JoinSet, coop::consume_budget},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    alarm::Alarm, error::ReadError, frames::FrameReader, link::BoxWrite, peer::Peer, turnover,
    writer::write_to,
};

/// Time to write what waits when a link is closed in good order.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for the peer to close its end after this one was closed, or was told why it will be.
const LINGER: Duration = Duration::from_millis(500);

/// Time to write a goodbye to a peer that does not answer, and to read what one said that takes nothing any more.
pub(crate) const LAST_WORDS_TIMEOUT: Duration = Duration::from_millis(100);

/// Acts on what a session decides, in order.
pub trait EventSink<C>: Send {
    /// Acts on one event. The link is not read meanwhile.
    fn handle(&mut self, event: Event<C>) -> impl Future<Output = ()> + Send;

    /// Whether [`handle_now`](Self::handle_now) is for that event. Of none, unless it is implemented.
    fn is_quick(_event: &Event<C>) -> bool {
        false
    }

    /// Acts on an event that [is quick](Self::is_quick), without waiting for anything.
    fn handle_now(&mut self, event: Event<C>) {
        drop(event);
    }

    /// Goes on with what events have set off, such as answers that come later. Polled while the link waits, dropped
    /// whenever it does not, and begun anew. Default: there is nothing to go on with.
    fn attend(&mut self) -> impl Future<Output = Infallible> + Send {
        pending()
    }
}

/// Why a driven link ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinkEnd {
    /// This side closed it, by [`Peer::close`].
    #[error("closed by this node")]
    Closed,
    /// The peer closed it.
    #[error("closed by the peer")]
    ClosedByPeer,
    /// The peer closed it, and said why.
    #[error("closed by the peer: {reason:?} {detail}")]
    Goodbye {
        /// Why.
        reason: GoodbyeReason,
        /// Why, in words.
        detail: String,
    },
    /// Not one byte has come from the peer for
    /// [`Config::liveness_timeout`](shiome_session::Config::liveness_timeout), pings or not.
    #[error("no sign of life for {silence:?}")]
    Unresponsive {
        /// Time since the peer's last byte.
        silence: Duration,
    },
    /// The peer does not read what it makes this node say, see
    /// [`MAX_CONTROL_BACKLOG`](shiome_session::MAX_CONTROL_BACKLOG).
    #[error("the peer does not read")]
    NotReading,
    /// The peer broke a rule or a limit of the session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// What came could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was to be sent could not be written.
    #[error("write failed")]
    Write(#[source] io::Error),
}

/// Runs the session of an authenticated link until it ends: reads frames, writes what the session sends, keeps the
/// timers, and gives the session's events to `sink`. When it returns the session is closed and `sink` has had all its
/// events, but for those that the [`LinkEnd`] tells.
///
/// Dropping the future closes the link without ceremony.
pub async fn drive<C: Send + 'static, S: EventSink<C>>(
    reader: &mut FrameReader,
    writer: BoxWrite,
    peer: &Arc<Peer<C>>,
    sink: &mut S,
) -> LinkEnd {
    turnover::announce();
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let peer = Arc::clone(peer);
        let mut writer = writer;
        async move { write_to(&peer, &mut writer).await }
    });
    let end = run(reader, &mut tasks, peer, sink).await;
    peer.ended(&end);
    while let Some(event) = peer.next_event() {
        if end_of(&event).is_some() {
            continue;
        }
        if S::is_quick(&event) {
            sink.handle_now(event);
        } else {
            sink.handle(event).await;
        }
    }
    let native = peer.apply(|session, _| session.terms().is_some());
    if let LinkEnd::Goodbye { .. } = end {
        // The writer shuts its direction down: TLS and WebSockets have an end of their own.
        let _ = timeout(LAST_WORDS_TIMEOUT, tasks.join_next()).await;
        return end;
    }
    let patience = match end {
        LinkEnd::Closed => LINGER,
        // A legacy peer is told nothing.
        _ if !native => return end,
        LinkEnd::Session(_) | LinkEnd::NotReading => LINGER,
        LinkEnd::Read(ReadError::Frame(_) | ReadError::Decode(_)) => LINGER,
        LinkEnd::Unresponsive { .. } => LAST_WORDS_TIMEOUT,
        _ => return end,
    };
    let last_words = async {
        tasks.join_next().await;
        linger(reader).await;
    };
    let _ = timeout(patience, last_words).await;
    end
}

/// Reads what still comes: closing a socket with unread bytes resets it, and then the peer may lose what was just sent.
async fn linger(reader: &mut FrameReader) {
    while let Ok(Some(_)) = reader.next().await {}
}

async fn run<C>(
    reader: &mut FrameReader,
    writer: &mut JoinSet<io::Result<()>>,
    peer: &Peer<C>,
    sink: &mut impl EventSink<C>,
) -> LinkEnd {
    let mut batch = Batch::new();
    let mut alarm = Alarm::default();
    let mut drained_by = None;
    // The writer's, with the time for what the peer had said before it took nothing any more.
    let mut failed: Option<(io::Error, Instant)> = None;
    // Whether bytes have come of which nothing was taken in yet.
    let mut fed = false;
    loop {
        // What came with the handshake's last message is here already.
        match batch.receive_all(reader, peer, sink).await {
            Ok(0) if fed => peer.heard(),
            Ok(_) => {}
            Err(end) => return end,
        }
        // A link on which something always arrives is no reason to be late.
        let mut standing = peer.handle_due();
        if standing.has_events {
            if let Err(end) = batch.deliver(peer, sink).await {
                return end;
            }
            // What is due by now is so after what has arrived.
            standing = peer.standing();
        }
        if drained_by.is_none() && standing.is_finishing {
            drained_by = Some(Instant::now() + DRAIN_TIMEOUT);
        }
        fed = false;
        let due = standing.due.map(Instant::from_std);
        let heard_by = failed.as_ref().map(|(_, until)| *until);
        let read = tokio::select! {
            biased;
            // First, for a peer that never stops to talk must not put these off.
            () = until(drained_by) => return LinkEnd::Closed,
            () = until(heard_by) => Ok(false),
            // What has arrived is taken in before the time is: a peer that has spoken is not silent.
            written = writer.join_next(), if failed.is_none() => match written {
                Some(Ok(Err(error))) => {
                    failed = Some((error, Instant::now() + LAST_WORDS_TIMEOUT));
                    continue;
                }
                _ => return LinkEnd::Closed,
            },
            // Answers do not wait for more to be asked.
            never = sink.attend() => match never {},
            read = reader.fill() => read,
            () = peer.attention.notified() => continue,
            () = alarm.until(due) => continue,
        };
        match (read, failed.take()) {
            (Ok(true), still) => {
                failed = still;
                fed = true;
            }
            (_, Some((error, _))) => return LinkEnd::Write(error),
            // The answer to a goodbye.
            (Ok(false), _) if peer.is_ending() => return LinkEnd::Closed,
            (Ok(false), _) => return LinkEnd::ClosedByPeer,
            // It may go without the ceremony of TLS or WebSockets.
            (Err(ReadError::Io(_)), _) if peer.is_ending() => return LinkEnd::Closed,
            (Err(error), _) => return error.into(),
        }
    }
}

/// Messages that are taken in, and events that are taken out, in one step: under one lock, at one time.
const STEP: usize = 64;

/// What one step has in hand.
struct Batch<C> {
    messages: Vec<NetworkMessage>,
    events: Vec<Event<C>>,
}

impl<C> Batch<C> {
    fn new() -> Self {
        Self {
            messages: Vec::with_capacity(STEP),
            events: Vec::with_capacity(STEP),
        }
    }

    /// Takes in the messages that have arrived, and delivers what becomes of them. How many these were.
    async fn receive_all<S: EventSink<C>>(
        &mut self,
        reader: &mut FrameReader,
        peer: &Peer<C>,
        sink: &mut S,
    ) -> Result<usize, LinkEnd> {
        let mut all = 0;
        loop {
            let read = self.read(reader);
            let taken = self.messages.len();
            all += taken;
            if taken > 0 {
                let messages = self.messages.drain(..);
                let (received, other) = peer.receive(messages, STEP, S::is_quick, &mut self.events);
                self.deliver_with(other, peer, sink).await?;
                received?;
            }
            read?;
            if taken < STEP {
                return Ok(all);
            }
            // A read counts as one step of this task too, and can hold thousands of frames.
            consume_budget().await;
        }
    }

    /// Reads messages of a step; an error stands behind those that came before it.
    fn read(&mut self, reader: &mut FrameReader) -> Result<(), ReadError> {
        while self.messages.len() < STEP
            && let Some(message) = reader.buffered_message()?
        {
            self.messages.push(message);
        }
        Ok(())
    }

    async fn deliver<S: EventSink<C>>(
        &mut self,
        peer: &Peer<C>,
        sink: &mut S,
    ) -> Result<(), LinkEnd> {
        let other = peer.next_events(STEP, S::is_quick, &mut self.events);
        self.deliver_with(other, peer, sink).await
    }

    /// The same, when some have been taken out of the session, and the one after them.
    async fn deliver_with<S: EventSink<C>>(
        &mut self,
        mut other: Option<Event<C>>,
        peer: &Peer<C>,
        sink: &mut S,
    ) -> Result<(), LinkEnd> {
        loop {
            let (quick, is_last) = (self.events.len(), other.is_none());
            // Without waiting: what has been taken out of the session is not lost if this task is.
            for event in self.events.drain(..) {
                sink.handle_now(event);
            }
            if let Some(event) = other.take() {
                match end_of(&event) {
                    Some(end) => return Err(end),
                    None => sink.handle(event).await,
                }
            }
            // What an event has set off, such as the task of a call, has its turn before there is more and more of it, and
            // an actor takes its messages while they are in the cache.
            for _ in 0..quick + usize::from(!is_last) {
                consume_budget().await;
            }
            if is_last && quick < STEP {
                return Ok(());
            }
            other = peer.next_events(STEP, S::is_quick, &mut self.events);
        }
    }
}

/// How the link ends, if the event says so.
fn end_of<C>(event: &Event<C>) -> Option<LinkEnd> {
    match event {
        Event::Unresponsive { silence } => Some(LinkEnd::Unresponsive { silence: *silence }),
        Event::NotReading => Some(LinkEnd::NotReading),
        Event::Failed(error) => Some(LinkEnd::Session(*error)),
        Event::Goodbye { reason, detail } => Some(LinkEnd::Goodbye {
            reason: *reason,
            detail: detail.clone(),
        }),
        _ => None,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Cursor,
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use bytes::{Buf, Bytes};
    use shiome_session::{Config, Session, wire::control::Actor};
    use shiome_wire::{Frames, control::Spawn, node};
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Takes so long for each call that ends without an answer, and keeps the times of answers.
    struct Slow {
        takes: Duration,
        answers: Arc<Mutex<Vec<(Duration, u64)>>>,
        begun: Instant,
    }

    impl EventSink<u64> for Slow {
        async fn handle(&mut self, event: Event<u64>) {
            match event {
                Event::Reply { call, .. } => {
                    let mut answers = self.answers.lock().unwrap();
                    answers.push((self.begun.elapsed(), call));
                }
                Event::CallEnded { .. } => tokio::time::sleep(self.takes).await,
                _ => {}
            }
        }
    }

    /// Drives a link with calls that end at these times. The last of them is answered after 50 ms; when that was told, if it was.
    async fn answered_among(ends: Vec<Duration>, takes: Duration) -> Option<Duration> {
        let begun = Instant::now();
        let mut session = Session::new(begun.into_std(), Config::default(), 1);
        let actors = vec![Actor { pid: 1, name: None }];
        let now = begun.into_std();
        session
            .handle_message(now, Spawn { actors }.into())
            .unwrap();
        session.start(now, None);
        let peer = Arc::new(Peer::new(session));
        let last = ends.len() as u64;
        for (tag, end) in (1..).zip(ends) {
            let call = node::Call {
                to: 1,
                ..node::Call::default()
            };
            peer.apply(|session, now| session.call(now, call, Some(end), tag))
                .unwrap();
        }
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let (reader, writer) = tokio::io::split(near);
        let answers = Arc::default();
        let mut sink = Slow {
            takes,
            answers: Arc::clone(&answers),
            begun,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut reader = FrameReader::new(Box::new(reader), 1 << 20);
            drive(&mut reader, Box::new(writer), &peer, &mut sink).await
        });
        sleep_until(begun + Duration::from_millis(50)).await;
        let mut answer = Frames::new();
        answer.push(node::CallReply {
            to: 1,
            tag: last,
            what: Bytes::new(),
        });
        far.write_all(answer.chunk()).await.unwrap();
        sleep_until(begun + Duration::from_secs(60)).await;
        let answers = answers.lock().unwrap();
        answers
            .iter()
            .find_map(|(at, tag)| (*tag == last).then_some(*at))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_has_arrived_comes_before_the_time_of_its_call() {
        let ends = [10, 100].map(Duration::from_millis).to_vec();
        let told = answered_among(ends, Duration::from_millis(200)).await;
        assert!(told.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_end_one_after_the_other_do_not_keep_the_link_from_being_read() {
        let ends = (10..2010).map(Duration::from_millis);
        let ends = ends.chain([Duration::from_secs(100)]).collect();
        let told = answered_among(ends, Duration::from_millis(2)).await;
        assert!(told.unwrap() < Duration::from_millis(200), "{told:?}");
    }

    /// Counts events.
    struct Counted(usize);

    impl EventSink<()> for Counted {
        async fn handle(&mut self, _event: Event<()>) {
            self.0 += 1;
        }
    }

    #[tokio::test]
    async fn a_flood_of_small_frames_leaves_others_their_turns() {
        // As many reads as the runtime lets a task make in one go, full of empty frames.
        let flood = Cursor::new(vec![0; 128 * 64 * 1024]);
        let mut reader = FrameReader::new(Box::new(flood), 1024);
        let session = Session::<()>::new(std::time::Instant::now(), Config::default(), 1);
        let peer = Peer::new(session);
        let turns = Arc::new(AtomicUsize::new(0));
        let other = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move {
                loop {
                    turns.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            }
        });
        let (mut batch, mut skipped) = (Batch::new(), Counted(0));
        while reader.fill().await.unwrap() {
            let received = batch.receive_all(&mut reader, &peer, &mut skipped);
            received.await.unwrap();
        }
        assert_eq!(skipped.0, 128 * 8 * 1024);
        assert!(turns.load(Ordering::Relaxed) >= 100);
        other.abort();
    }
}
