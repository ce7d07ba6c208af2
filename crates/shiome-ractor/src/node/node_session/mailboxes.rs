//! How much of what the peer has sent waits in the mailboxes of local actors.
//!
//! `ractor` does not tell when an actor takes a message. What it does tell is that a reply port is dropped: so now and then
//! a mark goes into the mailbox, a call of a kind that no actor has, and the actor drops it when it comes to it. By then it
//! has taken what came before.

use std::{
    collections::HashMap, future::Future, pin::Pin, sync::Arc, task::Context, time::Duration,
};

use ractor::{ActorId, message::SerializedMessage, registry::where_is_pid};
use shiome_transport::Peer;
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep},
};

use super::awaited::Awaited;
use crate::remote_actor::Caller;

/// What a message takes in a mailbox beside its contents, in bytes.
const MAILBOX_OVERHEAD: usize = 256;

/// Bytes between two marks in one mailbox. A mark costs as much as a short message.
const MARK_EVERY: usize = 64 * 1024;

/// Bytes in all mailboxes together that no mark is behind, before all get one: a peer may spread what it sends. A quarter of
/// the limit at most, since they count as not taken until the marks come back.
const MAX_UNMARKED_LEN: usize = 1024 * 1024;

/// An actor that takes less than [`MARK_EVERY`] in this time is not waited for while credit is held: others need the link.
const PATIENCE: Duration = Duration::from_secs(1);

/// The kind of call that a mark is. It is no identifier, so that no message is named like it, and its argument is neither a
/// text nor a number.
const MARK: &str = "(mark)";
const MARK_ARGUMENT: [u8; 1] = [0xff];

/// Counts what one peer has sent and local actors have not taken, and holds its credit when that is too much.
pub(super) struct Mailboxes {
    peer: Arc<Peer<Caller>>,
    limit: usize,
    marks: Awaited<Mark>,
    /// Those that something is known of.
    by_pid: HashMap<u64, Mailbox>,
    /// What the last messages come to, all to one actor. Most have the same receiver as the one before.
    run: Run,
    unmarked: usize,
    /// Bytes before marks, in mailboxes whose actors are waited for.
    untaken: usize,
    /// Whether credit is held: when to look which actors move.
    held: Option<Pin<Box<Sleep>>>,
}

/// Messages to one actor, one after the other.
#[derive(Debug, Default)]
struct Run {
    pid: u64,
    len: usize,
}

/// One mark in a mailbox.
#[derive(Debug, Clone, Copy)]
struct Mark {
    pid: u64,
    /// Bytes since the mark before.
    len: usize,
}

/// What is known of one mailbox.
#[derive(Debug, Default)]
struct Mailbox {
    /// Bytes since the last mark.
    unmarked: usize,
    /// Bytes before the marks that the actor has not come to.
    untaken: usize,
    marks: usize,
    /// Whether the actor has come to a mark since somebody looked.
    moves: bool,
    /// Whether it is not waited for.
    excused: bool,
}

impl Mailboxes {
    /// Counts for that peer, and holds its credit from `limit` on. One that knows no credit is not counted.
    pub(super) fn new(peer: Arc<Peer<Caller>>, limit: usize) -> Self {
        let knows = peer.apply(|session, _| session.grants_credit());
        Self {
            peer,
            limit: if knows { limit } else { usize::MAX },
            marks: Awaited::default(),
            by_pid: HashMap::new(),
            run: Run::default(),
            unmarked: 0,
            untaken: 0,
            held: None,
        }
    }

    /// A message with contents of that length is in the mailbox of the local actor `pid`.
    pub(super) fn delivered(&mut self, pid: u64, len: usize) {
        if self.limit == usize::MAX {
            return;
        }
        if self.run.pid != pid {
            self.end_run();
            self.run.pid = pid;
        }
        self.run.len = self.run.len.saturating_add(len + MAILBOX_OVERHEAD);
        if self.run.len >= MARK_EVERY {
            self.end_run();
        }
    }

    fn end_run(&mut self) {
        let Run { pid, len } = std::mem::take(&mut self.run);
        if len == 0 {
            return;
        }
        let mailbox = self.by_pid.entry(pid).or_default();
        mailbox.unmarked += len;
        self.unmarked += len;
        if mailbox.unmarked >= MARK_EVERY {
            self.mark(pid);
        } else if self.unmarked >= MAX_UNMARKED_LEN.min(self.limit / 4) {
            let unmarked = self
                .by_pid
                .iter()
                .filter(|(_, mailbox)| mailbox.unmarked > 0);
            let unmarked: Vec<_> = unmarked.map(|(pid, _)| *pid).collect();
            unmarked.into_iter().for_each(|pid| self.mark(pid));
        }
    }

    fn mark(&mut self, pid: u64) {
        let Some(mailbox) = self.by_pid.get_mut(&pid) else {
            return;
        };
        let len = std::mem::take(&mut mailbox.unmarked);
        self.unmarked -= len;
        let (port, dropped) = oneshot::channel();
        let mark = SerializedMessage::Call {
            variant: MARK.to_owned(),
            args: MARK_ARGUMENT.to_vec(),
            reply: port.into(),
            metadata: None,
        };
        if let Some(actor) = where_is_pid(ActorId::Local(pid)) {
            // One that does not take it is ending, and its mailbox with it.
            let _ = actor.send_serialized(mark);
        }
        if self.marks.insert(dropped, |_| Mark { pid, len }).is_ok() {
            mailbox.untaken += len;
            mailbox.marks += 1;
            if !mailbox.excused {
                self.untaken += len;
            }
        }
        self.forget_if_idle(pid);
        self.look_at_limit();
    }

    /// Takes note of the marks that actors have come to, for as long as it is polled.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        let mut reached = Vec::new();
        self.marks.poll(cx, |mark, _| reached.push(mark));
        for mark in reached {
            self.taken(mark);
        }
        self.look_at_limit();
        while let Some(held) = &mut self.held
            && held.as_mut().poll(cx).is_ready()
        {
            held.as_mut().reset(Instant::now() + PATIENCE);
            self.excuse();
            self.look_at_limit();
        }
    }

    fn taken(&mut self, Mark { pid, len }: Mark) {
        let Some(mailbox) = self.by_pid.get_mut(&pid) else {
            return;
        };
        mailbox.marks -= 1;
        mailbox.untaken -= len;
        mailbox.moves = true;
        if std::mem::take(&mut mailbox.excused) {
            self.untaken += mailbox.untaken;
        } else {
            self.untaken -= len;
        }
        self.forget_if_idle(pid);
    }

    /// Does not wait any longer for those that have not moved.
    fn excuse(&mut self) {
        for mailbox in self.by_pid.values_mut() {
            let moves = std::mem::take(&mut mailbox.moves);
            if !moves && !mailbox.excused && mailbox.marks > 0 {
                mailbox.excused = true;
                self.untaken -= mailbox.untaken;
            }
        }
    }

    fn look_at_limit(&mut self) {
        let held = self.held.is_some();
        if !held && self.untaken >= self.limit {
            for mailbox in self.by_pid.values_mut() {
                mailbox.moves = false;
            }
            self.held = Some(Box::pin(sleep(PATIENCE)));
        } else if held && self.untaken <= self.limit / 2 {
            self.held = None;
        } else {
            return;
        }
        let held = !held;
        self.peer.apply(|session, _| session.hold_credit(held));
    }

    fn forget_if_idle(&mut self, pid: u64) {
        let idle = |mailbox: &Mailbox| mailbox.marks == 0 && mailbox.unmarked == 0;
        if self.by_pid.get(&pid).is_some_and(idle) {
            self.by_pid.remove(&pid);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use ractor::{Actor, ActorProcessingErr, ActorRef};
    use shiome_derive::RactorClusterMessage;
    use shiome_session::{Config, Session, Terms, wire::Capabilities};
    use tokio::{sync::mpsc, time::timeout};

    use super::*;
    use crate::MAX_UNTAKEN_LEN;

    const LEN: usize = MARK_EVERY - MAILBOX_OVERHEAD;
    const LIMIT: usize = 8 * MARK_EVERY;

    #[derive(RactorClusterMessage)]
    enum Load {
        Put(Vec<u8>),
        #[rpc]
        Count(ractor::RpcReplyPort<u64>),
    }

    /// Takes a message whenever it may.
    struct Slow;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Slow {
        type Msg = Load;
        type State = (mpsc::UnboundedReceiver<()>, u64);
        type Arguments = mpsc::UnboundedReceiver<()>;

        async fn pre_start(
            &self,
            _myself: ActorRef<Load>,
            may: mpsc::UnboundedReceiver<()>,
        ) -> Result<Self::State, ActorProcessingErr> {
            Ok((may, 0))
        }

        async fn handle(
            &self,
            _myself: ActorRef<Load>,
            message: Load,
            (may, count): &mut Self::State,
        ) -> Result<(), ActorProcessingErr> {
            match message {
                Load::Put(_) => {
                    *count += 1;
                    may.recv().await.ok_or("the test is over")?;
                }
                Load::Count(port) => port.send(*count)?,
            }
            Ok(())
        }
    }

    async fn slow() -> (ActorRef<Load>, mpsc::UnboundedSender<()>) {
        let (lets, may) = mpsc::unbounded_channel();
        let (actor, _) = Actor::spawn(None, Slow, may).await.unwrap();
        (actor, lets)
    }

    fn peer(capabilities: Capabilities) -> Arc<Peer<Caller>> {
        let now = Instant::now().into_std();
        let peer = Peer::new(Session::new(now, Config::default(), 1));
        peer.apply(|session, _| {
            session.negotiated(Terms {
                version: 1,
                capabilities,
                incarnation: 1,
                max_frame_len: 1 << 20,
                max_message_len: 1 << 20,
                max_reassembly_len: 1 << 20,
                window: 1 << 20,
            });
        });
        Arc::new(peer)
    }

    fn mailboxes() -> Mailboxes {
        Mailboxes::new(peer(Capabilities::ALL), LIMIT)
    }

    fn put(mailboxes: &mut Mailboxes, actor: &ActorRef<Load>, count: usize, len: usize) {
        for _ in 0..count {
            actor.cast(Load::Put(Vec::new())).unwrap();
            mailboxes.delivered(actor.get_id().pid(), len);
        }
    }

    /// Lets actors run for so long.
    async fn pass(mailboxes: &mut Mailboxes, time: Duration) {
        let attend = poll_fn(|cx| {
            mailboxes.poll(cx);
            Poll::<()>::Pending
        });
        let _ = timeout(time, attend).await;
    }

    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn credit_is_held_until_half_is_taken() {
        let (mut mailboxes, (actor, lets)) = (mailboxes(), slow().await);
        put(&mut mailboxes, &actor, 7, LEN);
        pass(&mut mailboxes, SHORT).await;
        assert!(mailboxes.held.is_none());
        put(&mut mailboxes, &actor, 1, LEN);
        assert!(mailboxes.held.is_some());
        // The first is being handled, and the mark after it comes next.
        for _ in 0..3 {
            lets.send(()).unwrap();
            pass(&mut mailboxes, Duration::from_millis(900)).await;
            assert!(mailboxes.held.is_some(), "it is waited for, since it moves");
        }
        lets.send(()).unwrap();
        pass(&mut mailboxes, SHORT).await;
        assert!(mailboxes.held.is_none());
        assert_eq!(mailboxes.untaken, LIMIT / 2);
        for _ in 0..4 {
            lets.send(()).unwrap();
        }
        pass(&mut mailboxes, SHORT).await;
        assert_eq!((mailboxes.untaken, mailboxes.by_pid.len()), (0, 0));
        let count = actor.call(Load::Count, None).await.unwrap().unwrap();
        assert_eq!(count, 8, "marks are no messages");
        actor.stop(None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_actor_that_does_not_move_is_not_waited_for_until_it_does() {
        let (mut mailboxes, (actor, lets)) = (mailboxes(), slow().await);
        put(&mut mailboxes, &actor, 20, LEN);
        pass(&mut mailboxes, PATIENCE - SHORT).await;
        assert!(mailboxes.held.is_some());
        pass(&mut mailboxes, 2 * SHORT).await;
        assert!(mailboxes.held.is_none());
        put(&mut mailboxes, &actor, 20, LEN);
        pass(&mut mailboxes, SHORT).await;
        assert!(mailboxes.held.is_none(), "it is excused");
        lets.send(()).unwrap();
        pass(&mut mailboxes, SHORT).await;
        assert!(mailboxes.held.is_some(), "it moves, and has 39 to go");
        actor.kill();
        pass(&mut mailboxes, SHORT).await;
        assert_eq!(mailboxes.untaken, 0, "they went with its mailbox");
        assert!(mailboxes.held.is_none() && mailboxes.by_pid.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_spread_over_many_actors_counts() {
        let mut mailboxes = Mailboxes::new(peer(Capabilities::ALL), MAX_UNMARKED_LEN);
        let mut actors = Vec::new();
        for _ in 0..100 {
            actors.push(slow().await);
        }
        let most = MAX_UNMARKED_LEN / (100 * 2 * MAILBOX_OVERHEAD);
        for _ in 0..=most {
            for (actor, _) in &actors {
                put(&mut mailboxes, actor, 1, MAILBOX_OVERHEAD);
            }
        }
        assert!(mailboxes.unmarked < MAX_UNMARKED_LEN);
        assert!(mailboxes.held.is_some());
        for (actor, _) in actors {
            actor.stop(None);
        }
        pass(&mut mailboxes, 2 * PATIENCE).await;
        assert!(mailboxes.held.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn many_actors_that_take_everything_are_not_waited_for() {
        let mut mailboxes = Mailboxes::new(peer(Capabilities::ALL), MAX_UNTAKEN_LEN);
        let mut actors = Vec::new();
        for _ in 0..128 {
            actors.push(slow().await);
        }
        let len = MARK_EVERY / 16;
        for _ in 0..8 * MAX_UNTAKEN_LEN / (actors.len() * len) {
            for (actor, lets) in &actors {
                lets.send(()).unwrap();
                put(&mut mailboxes, actor, 1, len);
                assert!(mailboxes.held.is_none());
            }
            pass(&mut mailboxes, SHORT).await;
        }
        for (actor, _) in actors {
            actor.stop(None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_without_credit_is_not_counted() {
        let mut mailboxes = Mailboxes::new(peer(Capabilities::NONE), LIMIT);
        let (actor, _lets) = slow().await;
        put(&mut mailboxes, &actor, 100, LEN);
        assert!(mailboxes.held.is_none() && mailboxes.by_pid.is_empty());
        actor.stop(None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_actor_that_takes_bare_bytes_drops_marks_too() {
        struct Bare;

        #[cfg_attr(feature = "async-trait", ractor::async_trait)]
        impl Actor for Bare {
            type Msg = String;
            type State = ();
            type Arguments = ();

            async fn pre_start(
                &self,
                _myself: ActorRef<String>,
                (): (),
            ) -> Result<(), ActorProcessingErr> {
                Ok(())
            }

            async fn handle(
                &self,
                _myself: ActorRef<String>,
                message: String,
                (): &mut (),
            ) -> Result<(), ActorProcessingErr> {
                assert_eq!(message, "text");
                Ok(())
            }
        }

        let mut mailboxes = mailboxes();
        let (actor, _) = Actor::spawn(None, Bare, ()).await.unwrap();
        for _ in 0..100 {
            actor.cast("text".to_owned()).unwrap();
            mailboxes.delivered(actor.get_id().pid(), LEN);
            pass(&mut mailboxes, SHORT).await;
            assert_eq!(mailboxes.untaken, 0);
        }
        actor.stop(None);
    }
}
