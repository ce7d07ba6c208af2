use std::time::{Duration, Instant};

use shiome_gossip::compact::Handle;

use crate::{
    config::{self, MAX_CONFIRMATIONS},
    event::DownReason,
};

/// One suspect, and how long it has to object (Lifeguard §IV-B).
#[derive(Debug)]
pub(crate) struct Suspicion {
    since: Instant,
    min: Duration,
    max: Duration,
    /// Suspicions beyond the first that make the time the shortest.
    wanted: usize,
    /// Who suspects it, the first one included.
    by: [Handle; MAX_CONFIRMATIONS + 1],
    len: usize,
    /// It is said to be dead and may object until then, whatever the number of accusers.
    last_word: Option<Instant>,
    /// Another node answered at its address.
    replaced: bool,
}

impl Suspicion {
    /// Begins with one who suspects. `members` counts those who are up, this node and the suspect among them.
    pub(crate) fn new(
        now: Instant,
        from: Handle,
        members: usize,
        period: Duration,
        config: &config::Suspicion,
    ) -> Self {
        let scale = config.alpha * (members.max(1) as f64).log10().max(1.0);
        // Neither the suspect nor who suspected it first can confirm.
        let wanted = config.confirmations.min(members.saturating_sub(3));
        let min = period.mul_f64(scale);
        let max = if wanted == 0 {
            min
        } else {
            min.mul_f64(config.beta)
        };
        let mut by = [from; MAX_CONFIRMATIONS + 1];
        by[0] = from;
        Self {
            since: now,
            min,
            max,
            wanted,
            by,
            len: 1,
            last_word: None,
            replaced: false,
        }
    }

    /// Counts another who suspects; whether it is one more and still counts.
    pub(crate) fn confirm(&mut self, from: Handle) -> bool {
        let counts = self.len <= self.wanted && !self.by[..self.len].contains(&from);
        if counts {
            self.by[self.len] = from;
            self.len += 1;
        }
        counts
    }

    /// One of those who suspect it, another at each `turn`.
    pub(crate) fn from(&self, turn: u32) -> Handle {
        self.by[turn as usize % self.len]
    }

    /// Whether it is confirmed by as many as are wanted.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.len > self.wanted
    }

    /// When it is dead. The k-th of K confirmations takes log(k + 1) / log(K + 1) of what is between the longest and
    /// the shortest time.
    pub(crate) fn deadline(&self) -> Instant {
        let by_accusers = if self.is_confirmed() {
            self.since + self.min
        } else {
            let part = (self.len as f64).ln() / (self.wanted as f64 + 1.0).ln();
            self.since + self.max - (self.max - self.min).mul_f64(part)
        };
        self.last_word
            .map_or(by_accusers, |last_word| last_word.min(by_accusers))
    }

    /// Somebody says that it is dead: it gets no more time to object than that.
    pub(crate) fn hasten(&mut self, last_word: Instant) {
        self.last_word.get_or_insert(last_word);
    }

    /// The latest that its deadline may be put off to.
    pub(crate) fn latest(&self) -> Instant {
        self.since + self.max.max(self.min * 4)
    }

    /// Another node answers at its address: unless it is found elsewhere, it is gone.
    pub(crate) fn replaced(&mut self, last_word: Instant) {
        self.replaced = true;
        self.hasten(last_word);
    }

    /// How it went, if it does not object.
    pub(crate) fn reason(&self) -> DownReason {
        if self.replaced {
            DownReason::Replaced
        } else {
            DownReason::Failed
        }
    }

    /// Gives it as much time again as this node was standing still.
    pub(crate) fn put_off(&mut self, by: Duration) {
        self.since += by;
        self.last_word = self.last_word.map(|at| at + by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    fn by(n: u32) -> Handle {
        Handle::from_bits(n)
    }

    fn seconds(suspicion: &Suspicion, now: Instant) -> f64 {
        (suspicion.deadline() - now).as_secs_f64()
    }

    #[test]
    fn each_confirmation_shortens_the_time_by_less() {
        let now = Instant::now();
        let config = config::Suspicion::DEFAULT;
        let mut suspicion = Suspicion::new(now, by(0), 100, PERIOD, &config);
        let mut times = vec![seconds(&suspicion, now)];
        for n in 1..=6 {
            assert!(suspicion.confirm(by(n)));
            times.push(seconds(&suspicion, now));
        }
        assert_eq!(times[0], 80.0);
        assert_eq!(times[6], 4.0);
        let steps: Vec<f64> = times.windows(2).map(|pair| pair[0] - pair[1]).collect();
        assert!(steps.windows(2).all(|pair| pair[0] > pair[1]), "{steps:?}");
        // 80 - 76 log 2 / log 7
        assert!((times[1] - 52.93).abs() < 0.01, "{}", times[1]);
    }

    #[test]
    fn the_same_accuser_and_those_beyond_the_wanted_do_not_count() {
        let now = Instant::now();
        let config = config::Suspicion::FAST;
        let mut suspicion = Suspicion::new(now, by(0), 100, PERIOD, &config);
        assert!(!suspicion.confirm(by(0)));
        assert!((1..=3).all(|n| suspicion.confirm(by(n))));
        assert!(suspicion.is_confirmed());
        assert!(!suspicion.confirm(by(4)));
        let all: Vec<Handle> = (0..8).map(|turn| suspicion.from(turn)).collect();
        assert_eq!(all[..4], all[4..]);
        assert_eq!(all[..4], [by(0), by(1), by(2), by(3)]);
    }

    #[test]
    fn in_a_small_cluster_as_many_confirm_as_there_are() {
        let now = Instant::now();
        let config = config::Suspicion::DEFAULT;
        for members in [2, 3] {
            let suspicion = Suspicion::new(now, by(0), members, PERIOD, &config);
            assert_eq!(seconds(&suspicion, now), 2.0, "nobody could confirm");
        }
        let mut suspicion = Suspicion::new(now, by(0), 4, PERIOD, &config);
        assert_eq!(seconds(&suspicion, now), 40.0);
        assert!(suspicion.confirm(by(1)));
        assert_eq!(seconds(&suspicion, now), 2.0);
    }
}
