use std::time::Instant;

/// So many a second, with some saved up.
#[derive(Debug)]
pub(crate) struct Allowance {
    per_second: f64,
    max: f64,
    left: f64,
    at: Instant,
}

impl Allowance {
    pub(crate) fn new(now: Instant, per_second: f64, max: f64) -> Self {
        Self {
            per_second,
            max,
            left: max,
            at: now,
        }
    }

    /// Whether there is one left.
    pub(crate) fn is_left(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + elapsed * self.per_second).min(self.max);
        self.left >= 1.0
    }

    /// Takes one, whether there is one left or not.
    pub(crate) fn spend(&mut self) {
        self.left -= 1.0;
    }

    /// Takes one if there is one left.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let left = self.is_left(now);
        if left {
            self.spend();
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_saved_up_is_bounded_and_comes_back_with_time() {
        let now = Instant::now();
        let mut allowance = Allowance::new(now, 10.0, 5.0);
        assert_eq!((0..20).filter(|_| allowance.take(now)).count(), 5);
        let later = now + Duration::from_millis(250);
        assert_eq!((0..20).filter(|_| allowance.take(later)).count(), 2);
        let much_later = now + Duration::from_secs(60);
        assert_eq!((0..20).filter(|_| allowance.take(much_later)).count(), 5);
    }
}
