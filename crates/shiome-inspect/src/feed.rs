//! What happens, as it happens.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::sse::{Event, KeepAlive, Sse},
};
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use shiome_ractor::inspect::{EventView, Inspector, Snapshot};
use tokio::{
    sync::broadcast,
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use crate::{api::Failure, inspect::Inspect, refusals::RefusalReason};

/// Events that are remembered: those of the last hours of a calm cluster, some 100 KiB.
pub const MAX_TIMELINE: usize = 512;

/// Feeds at a time. Each makes snapshots of its own, which at 500 peers take some milliseconds.
pub const MAX_FEEDS: usize = 32;

/// Time from one snapshot of a feed to the next, unless it asks for another: 1 to 60 s.
pub const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);

/// Events that wait for a slow reader.
const EVENT_CAPACITY: usize = 256;

/// What a node is at, and what stands beside it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FeedSnapshot {
    /// The node.
    #[serde(flatten)]
    pub node: Snapshot,
    /// The bus, if there is one.
    #[cfg(feature = "bus")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus: Option<crate::BusView>,
    /// Requests that were refused, by [`RefusalReason`].
    pub refused: BTreeMap<String, u64>,
    /// Whether the node is ready.
    pub ready: bool,
}

/// An event with its number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NumberedEvent {
    /// Its number: one more than that of the event before; from 1.
    pub number: u64,
    /// What has happened.
    #[serde(flatten)]
    pub event: EventView,
}

/// Remembers events and tells them to those who listen.
#[derive(Debug)]
pub(crate) struct Feed {
    timeline: Arc<Mutex<Timeline>>,
    readers: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Timeline {
    events: VecDeque<NumberedEvent>,
    last: u64,
    /// `None` when the node has stopped, and nothing happens any more.
    sender: Option<broadcast::Sender<NumberedEvent>>,
}

impl Default for Feed {
    fn default() -> Self {
        let timeline = Timeline {
            events: VecDeque::new(),
            last: 0,
            sender: Some(broadcast::channel(EVENT_CAPACITY).0),
        };
        Self {
            timeline: Arc::new(Mutex::new(timeline)),
            readers: Arc::default(),
        }
    }
}

impl Feed {
    /// Listens until the node has stopped, or nobody has the feed any more.
    pub(crate) fn start(&self, node: &Inspector) {
        let mut events = node.events();
        let timeline = Arc::downgrade(&self.timeline);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let Some(timeline) = timeline.upgrade() else {
                    return;
                };
                lock(&timeline).take(event);
            }
            if let Some(timeline) = timeline.upgrade() {
                lock(&timeline).sender = None;
            }
        });
    }

    pub(crate) fn timeline(&self, after: u64) -> Vec<NumberedEvent> {
        lock(&self.timeline).since(after)
    }

    /// What has happened since then, and what happens from now on: nothing is missed between the two.
    fn follow(&self, after: u64) -> (Vec<NumberedEvent>, broadcast::Receiver<NumberedEvent>) {
        let timeline = lock(&self.timeline);
        let receiver = match &timeline.sender {
            Some(sender) => sender.subscribe(),
            // Its sender is gone at once.
            None => broadcast::channel(1).1,
        };
        (timeline.since(after), receiver)
    }
}

impl Timeline {
    fn take(&mut self, event: EventView) {
        self.last += 1;
        let event = NumberedEvent {
            number: self.last,
            event,
        };
        if self.events.len() == MAX_TIMELINE {
            self.events.pop_front();
        }
        self.events.push_back(event.clone());
        if let Some(sender) = &self.sender {
            // An error says that nobody listens.
            let _ = sender.send(event);
        }
    }

    fn since(&self, after: u64) -> Vec<NumberedEvent> {
        // A number that was never given is of an earlier run of the node.
        let after = if after > self.last { 0 } else { after };
        let events = self.events.iter();
        events
            .filter(|event| event.number > after)
            .cloned()
            .collect()
    }
}

fn lock(timeline: &Mutex<Timeline>) -> MutexGuard<'_, Timeline> {
    // A list of events is whole after any panic.
    timeline.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FeedQuery {
    every: Option<u64>,
    after: Option<u64>,
}

/// `GET /v1/feed`: first the events since `Last-Event-ID`, or `?after=`, or all that are remembered, each as `event` with its
/// number as id; then a `snapshot`; from then on both as they come. It ends when the node has stopped.
pub(crate) async fn feed(
    State(inspect): State<Inspect>,
    headers: HeaderMap,
    query: Result<Query<FeedQuery>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let Query(query) = inspect.well_formed(query)?;
    let reader = Reader::enter(&inspect.feed().readers).ok_or_else(|| {
        inspect.refusals().count(RefusalReason::TooManyFeeds);
        Failure::new(StatusCode::TOO_MANY_REQUESTS, "there are too many feeds")
    })?;
    let last_seen = headers.get("last-event-id");
    let last_seen = last_seen.and_then(|id| id.to_str().ok()?.parse().ok());
    let (past, live) = inspect
        .feed()
        .follow(last_seen.or(query.after).unwrap_or(0));
    let every = query.every.map_or(SNAPSHOT_INTERVAL, |secs| {
        Duration::from_secs(secs.clamp(1, 60))
    });
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let told = Told {
        past: past.into(),
        live: BroadcastStream::new(live),
        ticks,
        inspect,
        _reader: reader,
    };
    Ok(Sse::new(told).keep_alive(KeepAlive::default()))
}

/// A feed's place among those that there may be.
struct Reader(Arc<AtomicUsize>);

impl Reader {
    fn enter(readers: &Arc<AtomicUsize>) -> Option<Self> {
        let reader = Self(Arc::clone(readers));
        let before = readers.fetch_add(1, Ordering::Relaxed);
        (before < MAX_FEEDS).then_some(reader)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one feed is told.
struct Told {
    past: VecDeque<NumberedEvent>,
    live: BroadcastStream<NumberedEvent>,
    ticks: Interval,
    inspect: Inspect,
    _reader: Reader,
}

impl Stream for Told {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(event) = self.past.pop_front() {
            return Poll::Ready(Some(Ok(numbered(&event))));
        }
        match Pin::new(&mut self.live).poll_next(cx) {
            Poll::Ready(Some(Ok(event))) => return Poll::Ready(Some(Ok(numbered(&event)))),
            Poll::Ready(Some(Err(BroadcastStreamRecvError::Lagged(missed)))) => {
                let missed = Event::default().event("missed").data(missed.to_string());
                return Poll::Ready(Some(Ok(missed)));
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {}
        }
        std::task::ready!(self.ticks.poll_tick(cx));
        let snapshot = self.inspect.snapshot();
        Poll::Ready(Some(Ok(json("snapshot", &snapshot))))
    }
}

fn numbered(event: &NumberedEvent) -> Event {
    json("event", event).id(event.number.to_string())
}

fn json(name: &str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name);
    event
        .json_data(data)
        .expect("plain data can be written as JSON")
}

#[cfg(test)]
mod tests;
