use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer of a task that waits for many other things, and whose time changes often.
///
/// It is set anew only for a time that is earlier. So it costs nothing as long as times move on, where a new one each time
/// the task waits is two entries in the runtime's timers, and may wake the thread that waits for them.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Waits until `due`, or less if that has moved on since it was told last; for ever if there is no time. Cancel-safe.
    pub(crate) async fn until(&mut self, due: Option<Instant>) {
        poll_fn(|cx| {
            let Some(due) = due else {
                return Poll::Pending;
            };
            let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if sleep.deadline() > due {
                sleep.as_mut().reset(due);
            }
            let rung = sleep.as_mut().poll(cx);
            if rung.is_ready() {
                self.0 = None;
            }
            rung
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_in_time_and_once_too_early_when_the_time_has_moved_on() {
        let begun = Instant::now();
        let at = |seconds| Some(begun + Duration::from_secs(seconds));
        let mut alarm = Alarm::default();
        let second = Duration::from_secs(1);
        assert!(timeout(second, alarm.until(at(5))).await.is_err());
        alarm.until(at(3)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(3));
        assert!(timeout(second, alarm.until(at(6))).await.is_err());
        alarm.until(at(9)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(6));
        alarm.until(at(9)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_it_never_rings_although_it_was_set() {
        let begun = Instant::now();
        let mut alarm = Alarm::default();
        let second = Duration::from_secs(1);
        let soon = Some(begun + 2 * second);
        assert!(timeout(second, alarm.until(soon)).await.is_err());
        assert!(timeout(5 * second, alarm.until(None)).await.is_err());
        alarm.until(soon).await;
        assert_eq!(begun.elapsed(), 6 * second);
    }
}
