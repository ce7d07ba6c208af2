use std::{future::Future, pin::Pin, task::Context};

use shiome_session::Ticket;
use tokio::time::{Instant, Sleep, sleep_until};

/// When calls are over, with one timer for all of them.
pub(super) struct Deadlines<T> {
    due: shiome_session::Deadlines<T>,
    /// Goes off at the first, or earlier: what ends in time leaves it as it is.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self {
            due: shiome_session::Deadlines::default(),
            alarm: None,
        }
    }
}

impl<T> Deadlines<T> {
    pub(super) fn set(&mut self, at: Instant, what: T) -> Ticket {
        self.due.set(at.into_std(), what)
    }

    /// Of one that is not over.
    pub(super) fn clear(&mut self, ticket: Ticket) {
        self.due.cancel(ticket);
    }

    /// Gives `over` those whose time is over. The task is woken for the next.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, mut over: impl FnMut(T)) {
        while let Some(first) = self.due.next().map(Instant::from_std) {
            let alarm = (self.alarm).get_or_insert_with(|| Box::pin(sleep_until(first)));
            if alarm.deadline() > first {
                alarm.as_mut().reset(first);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return;
            }
            let now = alarm.deadline().max(Instant::now()).into_std();
            while let Some(what) = self.due.pop_due(now) {
                over(what);
            }
            match self.due.next() {
                Some(next) => alarm.as_mut().reset(next.into()),
                None => self.alarm = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll, time::Duration};

    use super::*;

    async fn next(deadlines: &mut Deadlines<usize>) -> Vec<usize> {
        let mut over = Vec::new();
        poll_fn(|cx| {
            deadlines.poll(cx, |key| over.push(key));
            if over.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        over
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_over_in_its_time_whatever_the_order() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::default();
        deadlines.set(at(9), 1);
        deadlines.set(at(5), 3);
        deadlines.set(at(5), 4);
        let cleared = deadlines.set(at(1), 5);
        deadlines.clear(cleared);
        assert_eq!(next(&mut deadlines).await, [3, 4]);
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        deadlines.set(at(6), 6);
        assert_eq!(next(&mut deadlines).await, [6]);
        assert_eq!(begun.elapsed(), Duration::from_secs(6));
        assert_eq!(next(&mut deadlines).await, [1]);
        assert_eq!(begun.elapsed(), Duration::from_secs(9));
    }
}
