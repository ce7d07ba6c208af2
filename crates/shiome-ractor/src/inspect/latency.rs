use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper ends of the classes of a [`Histogram`], in microseconds: a call within a host, within a rack, across the world, and
/// those that wait. Longer ones are in a last class without an end.
pub const LATENCY_BOUNDS_US: [u64; 18] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000, 60_000_000,
];

pub(super) const CLASSES: usize = LATENCY_BOUNDS_US.len() + 1;

/// Times, in classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; CLASSES],
    sum_us: u64,
}

impl Histogram {
    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us)
    }

    /// Upper end of each class, and how many are in it and in no class before; the last has no end.
    pub fn classes(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let ends = LATENCY_BOUNDS_US
            .iter()
            .map(|us| Some(Duration::from_micros(*us)));
        ends.chain([None]).zip(self.counts)
    }

    /// The end of the class that the time is in which a share of all does not exceed: 0.5 for the median. `None` when there
    /// is none, or it is in the class without an end.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = (self.count() as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (end, count) in self.classes() {
            seen += count;
            if seen >= rank {
                return end;
            }
        }
        None
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.counts.iter_mut().zip(other.counts) {
            *ours += theirs;
        }
        self.sum_us += other.sum_us;
    }
}

/// A [`Histogram`] as it grows.
#[derive(Debug, Default)]
pub(super) struct Latency {
    counts: [AtomicU64; CLASSES],
    sum_us: AtomicU64,
}

impl Latency {
    pub(super) fn record(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let class = LATENCY_BOUNDS_US.partition_point(|bound| *bound < us);
        self.counts[class].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(super) fn histogram(&self) -> Histogram {
        Histogram {
            counts: self.counts.each_ref().map(|n| n.load(Ordering::Relaxed)),
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_first_class_whose_end_it_does_not_pass() {
        for (us, class) in [
            (0, 0),
            (50, 0),
            (51, 1),
            (1_000, 4),
            (60_000_000, 17),
            (u64::MAX >> 20, 18),
        ] {
            let latency = Latency::default();
            latency.record(Duration::from_micros(us));
            let histogram = latency.histogram();
            let counts: Vec<_> = histogram.classes().map(|(_, count)| count).collect();
            assert_eq!(
                counts.iter().position(|count| *count == 1),
                Some(class),
                "{us}"
            );
            assert_eq!(
                (histogram.count(), histogram.sum().as_micros()),
                (1, us.into())
            );
        }
    }

    #[test]
    fn quantiles_are_ends_of_classes() {
        let latency = Latency::default();
        assert_eq!(latency.histogram().quantile(0.5), None);
        for us in [40, 40, 900, 3_000] {
            latency.record(Duration::from_micros(us));
        }
        let histogram = latency.histogram();
        for (share, us) in [
            (0.0, 50),
            (0.5, 50),
            (0.75, 1_000),
            (0.99, 5_000),
            (1.0, 5_000),
        ] {
            assert_eq!(
                histogram.quantile(share),
                Some(Duration::from_micros(us)),
                "{share}"
            );
        }
        let mut twice = histogram;
        twice.add(&histogram);
        assert_eq!((twice.count(), twice.sum()), (8, 2 * histogram.sum()));
    }
}
