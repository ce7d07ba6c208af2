//! Where envelopes for one dispatcher wait: bounded, in lanes.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, SemaphorePermit, TryAcquireError},
    time::timeout,
};

use crate::{BusError, Envelope, LinkKind, PeerId, Priority, Via, bus::LinkId};

/// Envelopes that wait in one lane of a mailbox, unless its peer is told otherwise: what a handler of a millisecond works off in a
/// second.
pub const MAILBOX_CAPACITY: usize = 1024;

/// Bytes of payload that one place in a mailbox is for: a longer envelope takes several, and all there are if it takes more than that.
/// So a lane of [`MAILBOX_CAPACITY`] keeps at most 16 MiB, or one envelope.
pub const MAILBOX_PLACE_LEN: usize = 16 * 1024;

/// Places that a lane may have.
pub(crate) const MAX_CAPACITY: usize = 1 << 24;

/// Envelopes that wait in the system lane: pings and what protocols between peers say, which is little.
const SYSTEM_CAPACITY: usize = 256;

/// Part of the places of a lane that are given back together, once they are free: one by one, sender and receiver would wait for each
/// other's caches.
const GIVEN_BACK_PART: usize = 32;

const LANES: usize = Priority::ALL.len();
const SYSTEM: usize = Priority::System.lane();
const NORMAL: usize = Priority::Normal.lane();

/// How an envelope came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    Bus,
    Link(LinkId, LinkKind),
}

impl Path {
    pub(crate) fn via(self) -> Via {
        match self {
            Self::Bus => Via::Bus,
            Self::Link(_, kind) => Via::Link(kind),
        }
    }
}

/// An envelope that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) envelope: Envelope,
    pub(crate) path: Path,
    /// When it was put in, of those whose wait is measured.
    pub(crate) since: Option<Instant>,
}

/// Why there is no place in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    Full,
    Closed,
}

impl NoPlace {
    /// The same, said of the mailbox of `peer`.
    pub(crate) fn of(self, peer: &PeerId) -> BusError {
        match self {
            Self::Full => BusError::QueueFull(peer.clone()),
            Self::Closed => BusError::Closed(peer.clone()),
        }
    }
}

/// A queue with lanes that many put into and one takes out of.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    /// Free places by lane.
    room: [Semaphore; LANES],
    capacity: [usize; LANES],
    queue: Mutex<Queue<T>>,
    /// Whether the system lane of the queue has something.
    urgent: AtomicBool,
    /// Places by lane that envelopes have beyond their first.
    beyond: [AtomicUsize; LANES],
    /// By lane: somebody waited long for room in vain, and none was made since.
    stuck: [AtomicBool; LANES],
}

#[derive(Debug)]
struct Queue<T> {
    lanes: [VecDeque<Kept<T>>; LANES],
    receiver: Option<Waker>,
    closed: bool,
}

/// Something in a lane, and the places that it takes.
#[derive(Debug)]
struct Kept<T> {
    item: T,
    places: u32,
}

impl<T> Mailbox<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = [SYSTEM_CAPACITY, capacity, capacity];
        Self {
            room: capacity.map(Semaphore::new),
            capacity,
            queue: Mutex::new(Queue {
                lanes: Default::default(),
                receiver: None,
                closed: false,
            }),
            urgent: AtomicBool::new(false),
            beyond: Default::default(),
            stuck: Default::default(),
        }
    }

    /// How many places an envelope of `len` bytes takes in a lane.
    #[inline]
    fn places(&self, lane: Priority, len: usize) -> u32 {
        if len <= MAILBOX_PLACE_LEN {
            return 1;
        }
        let places = len.div_ceil(MAILBOX_PLACE_LEN);
        let places = places.min(self.capacity[lane.lane()]);
        u32::try_from(places).expect("a capacity is at most MAX_CAPACITY")
    }

    /// Room in a lane for `len` bytes, if there is some now and nobody waits for it.
    #[inline]
    pub(crate) fn try_reserve(&self, lane: Priority, len: usize) -> Result<Place<'_, T>, NoPlace> {
        let places = self.places(lane, len);
        match self.room[lane.lane()].try_acquire_many(places) {
            Ok(permit) => Ok(Place {
                mailbox: self,
                permit,
                places,
                lane: lane.lane(),
            }),
            Err(TryAcquireError::NoPermits) => Err(NoPlace::Full),
            Err(TryAcquireError::Closed) => Err(NoPlace::Closed),
        }
    }

    /// Room in a lane for `len` bytes, as soon as there is some, in the order of asking. Cancel-safe.
    pub(crate) async fn reserve(
        &self,
        lane: Priority,
        len: usize,
    ) -> Result<Place<'_, T>, NoPlace> {
        let places = self.places(lane, len);
        let permit = self.room[lane.lane()].acquire_many(places).await;
        let permit = permit.map_err(|_| NoPlace::Closed)?;
        Ok(Place {
            mailbox: self,
            permit,
            places,
            lane: lane.lane(),
        })
    }

    /// Room in a lane, as soon as there is some, but not after so long. Where somebody waited so long in vain, and no room was made
    /// since, nobody else waits. Cancel-safe.
    pub(crate) async fn reserve_within(
        &self,
        lane: Priority,
        len: usize,
        patience: Duration,
    ) -> Result<Place<'_, T>, NoPlace> {
        let stuck = &self.stuck[lane.lane()];
        if stuck.load(Ordering::Relaxed) {
            return self.try_reserve(lane, len);
        }
        let place = timeout(patience, self.reserve(lane, len)).await;
        place.unwrap_or_else(|_| {
            stuck.store(true, Ordering::Relaxed);
            Err(NoPlace::Full)
        })
    }

    /// Takes nothing more in; what is there can still be taken out.
    pub(crate) fn close(&self) {
        self.room.iter().for_each(Semaphore::close);
        let receiver = {
            let mut queue = self.lock();
            queue.closed = true;
            queue.receiver.take()
        };
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    /// Closes it and takes out what is there, but for what the receiver already has.
    pub(crate) fn abandon(&self) -> Vec<T> {
        self.close();
        let lanes = mem::take(&mut self.lock().lanes);
        let kept = lanes.into_iter().flatten();
        kept.map(|kept| kept.item).collect()
    }

    /// Envelopes that wait, by lane.
    pub(crate) fn depth(&self) -> [usize; LANES] {
        std::array::from_fn(|lane| {
            let beyond = self.beyond[lane].load(Ordering::Relaxed);
            let free = self.room[lane].available_permits();
            self.capacity[lane].saturating_sub(free.saturating_add(beyond))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        // Queues are whole after any panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room that is kept until it is used or dropped.
#[derive(Debug)]
pub(crate) struct Place<'a, T> {
    mailbox: &'a Mailbox<T>,
    permit: SemaphorePermit<'a>,
    places: u32,
    lane: usize,
}

impl<T> Place<'_, T> {
    /// Puts something in.
    #[inline]
    pub(crate) fn put(self, item: T) -> Result<(), NoPlace> {
        self.put_with(|| item)
    }

    /// Puts in what `item` gives, from where it is to where it stays. It is not asked for anything if nothing goes in.
    #[inline]
    pub(crate) fn put_with(self, item: impl FnOnce() -> T) -> Result<(), NoPlace> {
        let (lane, places) = (self.lane, self.places);
        let receiver = {
            let mut queue = self.mailbox.lock();
            if queue.closed {
                // The item is dropped when the lock is free again.
                drop(queue);
                return Err(NoPlace::Closed);
            }
            queue.lanes[lane].push_back(Kept {
                item: item(),
                places,
            });
            if places > 1 {
                let beyond = &self.mailbox.beyond[lane];
                beyond.fetch_add(places as usize - 1, Ordering::Relaxed);
            }
            if lane == SYSTEM {
                self.mailbox.urgent.store(true, Ordering::Relaxed);
            }
            queue.receiver.take()
        };
        self.permit.forget();
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        Ok(())
    }
}

/// The one that takes out: it takes whole queues over, so that senders and receiver seldom meet at the lock.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    batch: [VecDeque<Kept<T>>; LANES],
    /// Places that are free and not yet given back.
    freed: [usize; LANES],
}

impl<T> Default for Receiver<T> {
    fn default() -> Self {
        Self {
            batch: Default::default(),
            freed: [0; LANES],
        }
    }
}

impl<T> Receiver<T> {
    /// Waits until there is an envelope; `false` when the mailbox is closed and empty. Cancel-safe.
    pub(crate) async fn ready(&mut self, mailbox: &Mailbox<T>) -> bool {
        poll_fn(|cx| self.poll_ready(mailbox, cx)).await
    }

    pub(crate) fn poll_ready(&mut self, mailbox: &Mailbox<T>, cx: &Context<'_>) -> Poll<bool> {
        self.refill(mailbox);
        if !self.is_empty() {
            return Poll::Ready(true);
        }
        let mut queue = mailbox.lock();
        self.take_over(&mut queue);
        if !self.is_empty() {
            return Poll::Ready(true);
        }
        if queue.closed {
            return Poll::Ready(false);
        }
        queue.receiver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The next envelope, the most urgent first, if there is one.
    #[inline]
    pub(crate) fn next(&mut self, mailbox: &Mailbox<T>) -> Option<T> {
        self.refill(mailbox);
        let items = self.batch.iter_mut().enumerate();
        let (lane, items) = { items }.find(|(_, items)| !items.is_empty())?;
        let Kept { item, places } = items.pop_front()?;
        let places = places as usize;
        if places > 1 {
            mailbox.beyond[lane].fetch_sub(places - 1, Ordering::Relaxed);
        }
        self.freed[lane] += places;
        if items.is_empty() || self.freed[lane] * GIVEN_BACK_PART >= mailbox.capacity[lane] {
            mailbox.stuck[lane].store(false, Ordering::Relaxed);
            mailbox.room[lane].add_permits(mem::take(&mut self.freed[lane]));
        }
        Some(item)
    }

    /// Takes over what came since, when there is nothing left that would go first.
    #[inline]
    fn refill(&mut self, mailbox: &Mailbox<T>) {
        let nothing = self.batch[SYSTEM].is_empty() && self.batch[NORMAL].is_empty();
        if nothing || mailbox.urgent.load(Ordering::Relaxed) {
            let mut queue = mailbox.lock();
            self.take_over(&mut queue);
            mailbox.urgent.store(false, Ordering::Relaxed);
        }
    }

    fn take_over(&mut self, queue: &mut Queue<T>) {
        for (ours, theirs) in self.batch.iter_mut().zip(&mut queue.lanes) {
            if ours.is_empty() {
                mem::swap(ours, theirs);
            } else {
                ours.append(theirs);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.iter().all(VecDeque::is_empty)
    }

    /// What was taken over and not taken out.
    pub(crate) fn rest(&mut self) -> impl Iterator<Item = T> + use<T> {
        let rest = mem::take(&mut self.batch).into_iter().flatten();
        rest.map(|kept| kept.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Incarnation, Intent, MessageId};

    fn item(seq: u64, priority: Priority) -> Item {
        let id = MessageId {
            incarnation: Incarnation::next(),
            seq,
        };
        let peer = |id| PeerId::new(id).unwrap();
        let intent = Intent::new("x", ()).unwrap();
        let mut envelope = Envelope::new(id, peer("a"), peer("b"), intent);
        envelope.priority = priority;
        Item {
            envelope,
            path: Path::Bus,
            since: None,
        }
    }

    fn put(mailbox: &Mailbox<Item>, seq: u64, priority: Priority) -> Result<(), NoPlace> {
        mailbox.try_reserve(priority, 1)?.put(item(seq, priority))
    }

    async fn next(receiver: &mut Receiver<Item>, mailbox: &Mailbox<Item>) -> Option<u64> {
        if !receiver.ready(mailbox).await {
            return None;
        }
        let item = receiver.next(mailbox);
        item.map(|item| item.envelope.id.seq)
    }

    #[tokio::test]
    async fn urgent_lanes_go_first_and_each_keeps_its_order() {
        let (mailbox, mut receiver) = (Mailbox::new(8), Receiver::default());
        for (seq, priority) in [
            (1, Priority::Bulk),
            (2, Priority::Normal),
            (3, Priority::Bulk),
            (4, Priority::Normal),
        ] {
            put(&mailbox, seq, priority).unwrap();
        }
        assert_eq!(next(&mut receiver, &mailbox).await, Some(2));
        // What comes while a batch is worked off does not wait for it.
        put(&mailbox, 5, Priority::System).unwrap();
        put(&mailbox, 6, Priority::Normal).unwrap();
        for seq in [5, 4, 6, 1] {
            assert_eq!(next(&mut receiver, &mailbox).await, Some(seq));
        }
        put(&mailbox, 7, Priority::Normal).unwrap();
        for seq in [7, 3] {
            assert_eq!(next(&mut receiver, &mailbox).await, Some(seq));
        }
    }

    #[tokio::test]
    async fn a_lane_holds_what_it_says_and_no_more() {
        let (mailbox, mut receiver) = (Mailbox::new(2), Receiver::default());
        for seq in 1..=2 {
            put(&mailbox, seq, Priority::Normal).unwrap();
        }
        assert_eq!(put(&mailbox, 3, Priority::Normal), Err(NoPlace::Full));
        assert_eq!(mailbox.depth(), [0, 2, 0]);
        // The other lanes have room of their own.
        put(&mailbox, 4, Priority::Bulk).unwrap();
        put(&mailbox, 5, Priority::System).unwrap();
        assert_eq!(next(&mut receiver, &mailbox).await, Some(5));
        assert_eq!(next(&mut receiver, &mailbox).await, Some(1));
        put(&mailbox, 6, Priority::Normal).unwrap();
        assert_eq!(put(&mailbox, 7, Priority::Normal), Err(NoPlace::Full));
    }

    #[tokio::test]
    async fn what_is_long_takes_more_places_and_never_more_than_there_are() {
        let (mailbox, mut receiver) = (Mailbox::new(4), Receiver::default());
        let put = |seq, len| {
            let place = mailbox.try_reserve(Priority::Normal, len)?;
            place.put(item(seq, Priority::Normal))
        };
        put(1, MAILBOX_PLACE_LEN).unwrap();
        put(2, MAILBOX_PLACE_LEN + 1).unwrap();
        assert_eq!(put(3, MAILBOX_PLACE_LEN + 1), Err(NoPlace::Full));
        put(4, 0).unwrap();
        assert_eq!(mailbox.depth(), [0, 3, 0], "envelopes, not places");
        for seq in [1, 2, 4] {
            assert_eq!(next(&mut receiver, &mailbox).await, Some(seq));
        }
        assert_eq!(mailbox.depth(), [0; LANES]);
        // One is always taken, however long.
        put(5, usize::MAX).unwrap();
        assert_eq!(put(6, 0), Err(NoPlace::Full));
        assert_eq!(mailbox.depth(), [0, 1, 0]);
        assert_eq!(next(&mut receiver, &mailbox).await, Some(5));
        put(7, 0).unwrap();
    }

    #[tokio::test]
    async fn a_closed_one_gives_what_it_has_and_takes_nothing() {
        let (mailbox, mut receiver) = (Mailbox::new(2), Receiver::default());
        put(&mailbox, 1, Priority::Normal).unwrap();
        let place = mailbox.try_reserve(Priority::Normal, 1).unwrap();
        mailbox.close();
        assert_eq!(place.put(item(2, Priority::Normal)), Err(NoPlace::Closed));
        assert_eq!(put(&mailbox, 3, Priority::Normal), Err(NoPlace::Closed));
        assert_eq!(next(&mut receiver, &mailbox).await, Some(1));
        assert_eq!(next(&mut receiver, &mailbox).await, None);
    }

    #[tokio::test]
    async fn who_waits_for_room_gets_it_before_who_comes_later() {
        let (mailbox, mut receiver) = (Mailbox::new(1), Receiver::default());
        put(&mailbox, 1, Priority::Normal).unwrap();
        let mut waits = by_hand(mailbox.reserve(Priority::Normal, 1));
        assert!(waits.poll().is_none());
        assert_eq!(next(&mut receiver, &mailbox).await, Some(1));
        assert_eq!(put(&mailbox, 3, Priority::Normal), Err(NoPlace::Full));
        let place = waits.poll().unwrap().unwrap();
        place.put(item(2, Priority::Normal)).unwrap();
        assert_eq!(next(&mut receiver, &mailbox).await, Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_again_for_who_was_waited_for_in_vain() {
        const LONG: Duration = Duration::from_secs(1);
        let (mailbox, mut receiver) = (Mailbox::new(1), Receiver::default());
        put(&mailbox, 1, Priority::Normal).unwrap();
        let begin = tokio::time::Instant::now();
        for _ in 0..10 {
            let place = mailbox.reserve_within(Priority::Normal, 1, LONG).await;
            assert_eq!(place.map(drop), Err(NoPlace::Full));
        }
        assert_eq!(begin.elapsed(), LONG);
        assert_eq!(next(&mut receiver, &mailbox).await, Some(1));
        put(&mailbox, 2, Priority::Normal).unwrap();
        let place = mailbox.reserve_within(Priority::Normal, 1, LONG).await;
        assert_eq!(place.map(drop), Err(NoPlace::Full));
        assert_eq!(begin.elapsed(), 2 * LONG, "room was made in between");
    }

    #[tokio::test]
    async fn who_stops_waiting_for_room_takes_none() {
        let (mailbox, mut receiver) = (Mailbox::new(1), Receiver::default());
        put(&mailbox, 1, Priority::Normal).unwrap();
        let mut waits = by_hand(mailbox.reserve(Priority::Normal, 1));
        assert!(waits.poll().is_none());
        assert_eq!(next(&mut receiver, &mailbox).await, Some(1));
        drop(waits);
        assert_eq!(put(&mailbox, 2, Priority::Normal), Ok(()));
    }

    struct Task<F: Future>(std::pin::Pin<Box<F>>);

    fn by_hand<F: Future>(future: F) -> Task<F> {
        Task(Box::pin(future))
    }

    impl<F: Future> Task<F> {
        fn poll(&mut self) -> Option<F::Output> {
            let mut cx = Context::from_waker(Waker::noop());
            match self.0.as_mut().poll(&mut cx) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            }
        }
    }
}
