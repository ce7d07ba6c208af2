use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    time::Duration,
};

use foca::{Notification, Timer};
use shiome_sim::{Out, time::Time};

use super::Id;

/// What foca asks for while it handles something.
#[derive(Debug)]
pub(super) struct Runtime<'a, 'b> {
    now: Time,
    timers: &'a mut Timers,
    out: &'a mut Out<'b>,
}

impl<'a, 'b> Runtime<'a, 'b> {
    pub(super) fn new(now: Time, timers: &'a mut Timers, out: &'a mut Out<'b>) -> Self {
        Self { now, timers, out }
    }
}

impl foca::Runtime<Id> for Runtime<'_, '_> {
    fn notify(&mut self, notification: Notification<'_, Id>) {
        match notification {
            Notification::MemberUp(id) => self.out.up(id.node()),
            Notification::MemberDown(id) => self.out.down(id.node()),
            _ => (),
        }
    }

    fn send_to(&mut self, to: Id, data: &[u8]) {
        self.out.send(to.node(), data);
    }

    fn submit_after(&mut self, event: Timer<Id>, after: Duration) {
        let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.timers.push(self.now.saturating_add(after), event);
    }
}

/// Timers that are not due yet, by time and then by the order that foca wants.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<Due>>,
    pushed: u64,
}

impl Timers {
    fn push(&mut self, at: Time, timer: Timer<Id>) {
        self.pushed += 1;
        let number = self.pushed;
        self.heap.push(Reverse(Due { at, timer, number }));
    }

    /// A timer that is due.
    pub(super) fn pop(&mut self, now: Time) -> Option<Timer<Id>> {
        let is_due = self.next().is_some_and(|at| at <= now);
        is_due
            .then(|| self.heap.pop())
            .flatten()
            .map(|Reverse(due)| due.timer)
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(due)| due.at)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Due {
    at: Time,
    timer: Timer<Id>,
    number: u64,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at
            .cmp(&other.at)
            .then_with(|| self.timer.cmp(&other.timer))
            .then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
