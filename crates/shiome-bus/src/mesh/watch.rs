//! Who is told of what happens in a room.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError, Weak},
};

use super::{Member, room::Room, roster::Event};

/// Why a member is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaveReason {
    /// It said so.
    Left,
    /// It is reached no longer.
    Gone,
    /// A later life of it came.
    Replaced,
}

pub(super) type OnJoin = Box<dyn Fn(&Member) + Send + Sync>;
pub(super) type OnLeave = Box<dyn Fn(&Member, LeaveReason) + Send + Sync>;

/// A handler of events, and those that it has not seen yet.
pub(super) struct Watcher {
    handler: Handler,
    queue: Mutex<Queue>,
}

pub(super) enum Handler {
    Join(OnJoin),
    Leave(OnLeave),
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    /// Whether somebody tells the handler right now.
    busy: bool,
}

impl Watcher {
    /// One that is told nothing before it has [begun](Self::begin).
    pub(super) fn new(handler: Handler, events: impl Iterator<Item = Event>) -> Self {
        let events = events.collect();
        Self {
            handler,
            queue: Mutex::new(Queue { events, busy: true }),
        }
    }

    pub(super) fn push(&self, event: &Event) {
        self.lock().events.push_back(event.clone());
    }

    /// Tells the handler what it has not seen, in order, without a lock. Who comes while that goes on leaves it to the first. How
    /// often the handler panicked.
    pub(super) fn tell(&self) -> u64 {
        let busy = std::mem::replace(&mut self.lock().busy, true);
        if busy { 0 } else { self.begin() }
    }

    /// The same, by who made it: what there was before was told when this returns.
    pub(super) fn begin(&self) -> u64 {
        let mut panics = 0;
        loop {
            let event = {
                let mut queue = self.lock();
                let event = queue.events.pop_front();
                queue.busy = event.is_some();
                event
            };
            let Some(event) = event else {
                return panics;
            };
            let told = catch_unwind(AssertUnwindSafe(|| match (&self.handler, &event) {
                (Handler::Join(handler), Event::Joined(member)) => handler(member),
                (Handler::Leave(handler), Event::Left(member, reason)) => handler(member, *reason),
                _ => {}
            }));
            panics += u64::from(told.is_err());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // The queue is whole after any panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.handler {
            Handler::Join(_) => "on_join",
            Handler::Leave(_) => "on_leave",
        })
    }
}

/// Keeps a handler of a room registered: dropping it removes the handler, unless it was [detached](Self::detach).
#[must_use = "dropping a subscription removes its handler; `detach` keeps it"]
#[derive(Debug)]
pub struct RoomSubscription {
    pub(super) room: Weak<Room>,
    pub(super) what: What,
}

/// What is registered, by its id.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Message(u64),
    Watcher(u64),
}

impl RoomSubscription {
    /// Removes the handler, and says whether it was still there.
    pub fn cancel(mut self) -> bool {
        self.remove()
    }

    /// Leaves the handler registered until its peer leaves the room.
    pub fn detach(mut self) {
        self.room = Weak::new();
    }

    fn remove(&mut self) -> bool {
        let room = std::mem::take(&mut self.room).upgrade();
        room.is_some_and(|room| room.remove(self.what))
    }
}

impl Drop for RoomSubscription {
    fn drop(&mut self) {
        self.remove();
    }
}
