//! The task that hands a peer's envelopes to its handlers, one at a time.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicU64},
    task::Poll,
};

use tokio::{select, task::yield_now};
use tracing::{Instrument, Span};

use crate::{
    BoxFuture, BusError, Delivery, DropReason, Envelope, Intent, Level, Name, PeerOptions,
    bus::Answer,
    error::cut,
    handlers::{Call, Failure, Snapshot},
    mailbox::{Item, Mailbox, Receiver},
    node::Node,
    stats::count,
};

/// Deliveries after which the task lets others run: some tens of microseconds of short handlers.
const TURNS: u32 = 128;

pub(crate) const PING: Name = Name::system("sys.ping");
const PONG: Name = Name::system("sys.pong");

tokio::task_local! {
    /// The peer whose dispatcher runs, by its address.
    static SERVED: usize;
    /// Whether that has a thread of its own.
    static OWN_THREAD: bool;
}

/// Whether this code runs in a handler on a thread that nothing else runs on.
pub(crate) fn has_own_thread() -> bool {
    OWN_THREAD.try_with(|own| *own).unwrap_or(false)
}

fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

/// Whether this code runs in a handler of `node`.
pub(crate) fn serves(node: &Node) -> bool {
    SERVED
        .try_with(|served| *served == address(node))
        .unwrap_or(false)
}

/// Starts the dispatchers of a peer.
pub(crate) fn start(node: &Arc<Node>, options: &PeerOptions) -> Result<(), BusError> {
    let runtime = node.runtime();
    for mailbox in 0..node.mailboxes().len() {
        let guard = Guard(Some(Arc::clone(node)));
        let dispatcher = run(guard, Arc::clone(node), mailbox);
        let dispatcher = SERVED.scope(address(node), dispatcher);
        let dispatcher = OWN_THREAD.scope(options.own_thread, dispatcher);
        if !options.own_thread {
            runtime.spawn(dispatcher);
            continue;
        }
        let (runtime, name) = (runtime.clone(), format!("shiome {}", node.id));
        let thread = std::thread::Builder::new().name(name);
        let started = thread.spawn(move || runtime.block_on(dispatcher));
        started.map_err(BusError::network)?;
    }
    Ok(())
}

/// Ends the peer when its dispatcher does, even with the runtime.
struct Guard(Option<Arc<Node>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(node) = &self.0 {
            node.end();
        }
    }
}

async fn run(mut guard: Guard, mut node: Arc<Node>, mailbox: usize) {
    let (mut receiver, mut snapshot) = (Receiver::default(), Snapshot::default());
    let (mut ended, mut turns) = (node.ended(), 0);
    while ready(&mut receiver, &node.mailboxes()[mailbox], &mut snapshot).await {
        node = match next(&mut receiver, node, mailbox, &mut snapshot) {
            Ok(node) => node,
            Err(delivery) => {
                let handled = handle(&delivery, &snapshot).instrument(span(&delivery));
                select! {
                    biased;
                    handled = handled => report(&delivery, handled),
                    // The peer has ended, and whatever its handler waits for.
                    _ = ended.wait_for(|ended| *ended) => delivery.node.leave(&delivery.item),
                }
                delivery.node
            }
        };
        turns += 1;
        if turns == TURNS {
            turns = 0;
            yield_now().await;
        }
    }
    // Should it have been abandoned meanwhile.
    receiver.rest().for_each(|item| node.leave(&item));
    node.worked_off().await;
    // Others of the same peer may still run.
    guard.0 = None;
}

/// Hands the next envelope to its handlers, outside of the future of the task, into which it would have to be moved. One whose
/// handlers are futures is given back. The peer goes into the delivery and comes back from it, which costs no reference count.
#[expect(
    clippy::result_large_err,
    reason = "it stays on the stack; a box would be an allocation for each delivery"
)]
fn next(
    receiver: &mut Receiver<Item>,
    node: Arc<Node>,
    mailbox: usize,
    snapshot: &mut Snapshot,
) -> Result<Arc<Node>, Delivery> {
    let Some(item) = receiver.next(&node.mailboxes()[mailbox]) else {
        return Ok(node);
    };
    if node.is_ended() {
        node.leave(&item);
        return Ok(node);
    }
    let mut delivery = Delivery { item, node };
    if !begin(&mut delivery, snapshot) {
        return Ok(delivery.node);
    }
    if snapshot.awaits() {
        return Err(delivery);
    }
    let handled = span(&delivery).in_scope(|| handle_at_once(&delivery, snapshot));
    report(&delivery, handled);
    Ok(delivery.node)
}

/// Waits for an envelope, without keeping handlers; `false` at the end.
async fn ready(
    receiver: &mut Receiver<Item>,
    mailbox: &Mailbox<Item>,
    snapshot: &mut Snapshot,
) -> bool {
    poll_fn(|cx| {
        let ready = receiver.poll_ready(mailbox, cx);
        if ready.is_pending() {
            snapshot.release();
        }
        ready
    })
    .await
}

/// What handlers do is done for this delivery.
fn span(delivery: &Delivery) -> Span {
    let Envelope {
        id, from, intent, ..
    } = delivery.envelope();
    tracing::debug_span!("deliver", peer = %delivery.node.id, %from, intent = %intent.name(), %id)
}

/// Whether handlers are to see it.
fn begin(delivery: &mut Delivery, snapshot: &mut Snapshot) -> bool {
    let (node, item) = (&delivery.node, &mut delivery.item);
    count(&node.totals.taken.delivered);
    if let Some(since) = item.since {
        node.totals.waited(since.elapsed());
    }
    let envelope = &mut item.envelope;
    // From here on, sending the intent on is to reflect it.
    envelope.intent.set_hops(envelope.hops.saturating_add(1));
    if let Err(refused) = node.inbound.run(envelope) {
        node.core.drops.trace(envelope, DropReason::Refused);
        answer(node, item, Answer::Failed(refused));
        return false;
    }
    if *envelope.intent.name() == PING {
        pong(delivery);
        return false;
    }
    node.owe(item);
    node.handlers.refresh(snapshot);
    true
}

fn pong(ping: &Delivery) {
    let intent = Intent::of(PONG, ping.payload().clone());
    if let Err(error) = ping.node.pong(ping, intent) {
        tracing::debug!(%error, "no pong");
    }
}

/// What all handlers together came to.
#[derive(Default)]
struct Handled {
    runs: usize,
    failure: Option<Failure>,
}

/// Runs handlers none of which is a future.
fn handle_at_once(delivery: &Delivery, snapshot: &Snapshot) -> Handled {
    let mut handled = Handled::default();
    for entry in snapshot.matching(delivery.name()) {
        if let Call::Sync(handler) = &entry.call
            && delivery.node.handlers.claim(entry)
        {
            let result = catch_unwind(AssertUnwindSafe(|| handler(delivery)));
            handled.add(delivery, caught(result));
        }
    }
    handled
}

async fn handle(delivery: &Delivery, snapshot: &Snapshot) -> Handled {
    let mut handled = Handled::default();
    for entry in snapshot.matching(delivery.name()) {
        if !delivery.node.handlers.claim(entry) {
            continue;
        }
        let result = match &entry.call {
            Call::Sync(handler) => caught(catch_unwind(AssertUnwindSafe(|| handler(delivery)))),
            Call::Async(handler) => {
                let delivery = delivery.clone();
                match catch_unwind(AssertUnwindSafe(|| handler(delivery))) {
                    Ok(future) => caught(unwinding(future).await),
                    Err(panic) => Err(Failure::of_panic(&*panic)),
                }
            }
        };
        handled.add(delivery, result);
    }
    handled
}

impl Handled {
    fn add(&mut self, delivery: &Delivery, result: Result<(), Failure>) {
        self.runs += 1;
        count(&delivery.node.totals.taken.calls);
        if let Err(failure) = result {
            note(delivery, &failure);
            self.failure = Some(failure);
        }
    }
}

type Caught<T = Result<(), Failure>> = Result<T, Box<dyn Any + Send>>;

fn caught(result: Caught) -> Result<(), Failure> {
    result.unwrap_or_else(|panic| Err(Failure::of_panic(&*panic)))
}

/// Runs a future, and gives its panic as an error.
pub(crate) async fn unwinding<T>(mut future: BoxFuture<'static, T>) -> Caught<T> {
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

fn note(delivery: &Delivery, failure: &Failure) {
    let taken = &delivery.node.totals.taken;
    let (counter, reason): (&AtomicU64, &str) = match failure {
        Failure::Panic(reason) => (&taken.panics, reason),
        Failure::Error(reason) => (&taken.errors, reason),
        Failure::Payload(_) => (&taken.errors, "payload of another type"),
    };
    count(counter);
    tracing::debug!(peer = %delivery.node.id, intent = %delivery.name(), reason, "handler failed");
}

fn report(delivery: &Delivery, handled: Handled) {
    let (node, item) = (&delivery.node, &delivery.item);
    let peer = || node.id.clone();
    if handled.runs == 0 {
        // A protocol that this peer does not speak, and nobody waits for, is no dead letter.
        if delivery.name().is_system() && item.envelope.level < Level::Handled {
            return;
        }
        node.core.drops.trace(&item.envelope, DropReason::NoHandler);
        let error = BusError::NoHandler {
            peer: peer(),
            intent: delivery.name().clone(),
        };
        return answer(node, item, Answer::Failed(error));
    }
    let reached = match handled.failure {
        None => Answer::Reached(Level::Handled),
        Some(Failure::Payload(error)) => Answer::Failed(error),
        Some(Failure::Panic(reason) | Failure::Error(reason)) => {
            Answer::Failed(BusError::HandlerFailed {
                peer: peer(),
                reason: cut(&reason).into(),
            })
        }
    };
    answer(node, item, reached);
}

/// Tells a sender who waits for the handlers.
fn answer(node: &Node, item: &Item, answer: Answer) {
    let waits_for_reply = item.envelope.level == Level::Answered;
    let done = matches!(answer, Answer::Reached(_));
    if item.envelope.level >= Level::Handled && !(done && waits_for_reply) {
        node.core.answer(&item.envelope, item.path, answer);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, atomic::Ordering};

    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span::{Attributes, Id, Record},
    };

    use super::*;
    use crate::{Bus, SendOptions};

    /// Notes spans of deliveries, and in which an event is.
    #[derive(Default)]
    struct Notes {
        spans: Mutex<Vec<String>>,
        within: AtomicU64,
        events: Mutex<Vec<u64>>,
    }

    struct Fields<'a>(&'a mut String);

    impl Visit for Fields<'_> {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.0.push_str(&format!("{}={value:?} ", field.name()));
        }
    }

    impl Subscriber for Notes {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.name() == "deliver" || metadata.target() == "seen"
        }

        fn new_span(&self, span: &Attributes<'_>) -> Id {
            let (mut spans, mut text) = (self.spans.lock().unwrap(), String::new());
            span.record(&mut Fields(&mut text));
            spans.push(text);
            Id::from_u64(spans.len() as u64)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {
            let within = self.within.load(Ordering::Relaxed);
            self.events.lock().unwrap().push(within);
        }

        fn enter(&self, span: &Id) {
            self.within.store(span.into_u64(), Ordering::Relaxed);
        }

        fn exit(&self, _: &Id) {
            self.within.store(0, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn what_handlers_do_is_in_the_span_of_their_delivery() {
        let notes = Arc::new(Notes::default());
        let _noted = tracing::subscriber::set_default(Arc::clone(&notes));
        let bus = Bus::new();
        let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
        let see = || tracing::info!(target: "seen", "now");
        b.on("x", move |_| see()).unwrap().detach();
        b.on_async("y", move |_| async move {
            yield_now().await;
            see();
        })
        .unwrap()
        .detach();
        for (seq, name) in [(1, "x"), (2, "y")] {
            let handled = SendOptions::default().level(Level::Handled);
            let intent = Intent::new(name, ()).unwrap();
            let receipt = a.send_with("b", intent, handled).await.unwrap();
            let id = receipt.id;
            let spans = notes.spans.lock().unwrap();
            assert_eq!(
                spans.last().unwrap(),
                &format!("peer=b from=a intent={name} id={id} ")
            );
            assert_eq!(*notes.events.lock().unwrap().last().unwrap(), seq);
        }
        see();
        assert_eq!(*notes.events.lock().unwrap(), [1, 2, 0]);
    }
}
