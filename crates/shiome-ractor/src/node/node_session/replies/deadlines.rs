use std::{collections::BTreeSet, future::Future, pin::Pin, task::Context};

use tokio::time::{Instant, Sleep, sleep_until};

/// When calls are over, with one timer for all of them.
#[derive(Default)]
pub(super) struct Deadlines {
    due: BTreeSet<(Instant, usize)>,
    /// Goes off at the first, or earlier: what ends in time leaves it as it is.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Deadlines {
    pub(super) fn set(&mut self, at: Option<Instant>, key: usize) {
        if let Some(at) = at {
            self.due.insert((at, key));
        }
    }

    pub(super) fn clear(&mut self, at: Option<Instant>, key: usize) {
        if let Some(at) = at {
            self.due.remove(&(at, key));
        }
    }

    /// Gives `over` the keys whose time is over. The task is woken for the next.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, mut over: impl FnMut(usize)) {
        while let Some(&(first, _)) = self.due.first() {
            let alarm = (self.alarm).get_or_insert_with(|| Box::pin(sleep_until(first)));
            if alarm.deadline() > first {
                alarm.as_mut().reset(first);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return;
            }
            let now = alarm.deadline().max(Instant::now());
            while let Some(&(at, key)) = self.due.first()
                && at <= now
            {
                self.due.pop_first();
                over(key);
            }
            if let Some(&(next, _)) = self.due.first() {
                alarm.as_mut().reset(next);
            } else {
                self.alarm = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll, time::Duration};

    use super::*;

    async fn next(deadlines: &mut Deadlines) -> Vec<usize> {
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
        let at = |seconds| Some(begun + Duration::from_secs(seconds));
        let mut deadlines = Deadlines::default();
        deadlines.set(at(9), 1);
        deadlines.set(None, 2);
        deadlines.set(at(5), 3);
        deadlines.set(at(5), 4);
        deadlines.set(at(1), 5);
        deadlines.clear(at(1), 5);
        assert_eq!(next(&mut deadlines).await, [3, 4]);
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        deadlines.set(at(6), 6);
        assert_eq!(next(&mut deadlines).await, [6]);
        assert_eq!(begun.elapsed(), Duration::from_secs(6));
        assert_eq!(next(&mut deadlines).await, [1]);
        assert_eq!(begun.elapsed(), Duration::from_secs(9));
    }
}
