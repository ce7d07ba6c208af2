use std::time::Duration;

use serde::{Deserialize, Serialize};
use shiome::{Reconnect, membership::Config, session};

/// What a busy machine may add.
const LATENESS: Duration = Duration::from_secs(1);

/// A call that cannot be answered should end well before anybody looks at a clock.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A small call beside bulk: many times what it takes, for a machine that does much else.
const BESIDE_BULK: Duration = Duration::from_millis(500);

/// For each thing that must happen. On a busy machine they take a second at most.
const DEADLINE: Duration = Duration::from_secs(20);

/// The side that dials second waits this long at most.
const SECOND_DIAL: Duration = Duration::from_secs(2);

/// Beyond this a step would wait longer than a call does.
pub(super) const MAX_PATIENCE: u8 = 5;

/// How many times as long as usual each thing may take, and a node may stand still before it is missed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Patience(pub(super) u8);

impl Patience {
    /// How the nodes of the demo gossip: fast, so that one can watch.
    pub(super) fn gossip(self) -> Config {
        let mut config = Config::fast();
        config.probe_period = self.times(Duration::from_millis(200));
        config.probe_timeout = self.times(Duration::from_millis(100));
        config.gossip_interval = Duration::from_millis(50);
        config
    }

    /// How the nodes of the pair that does not gossip watch each other: more than twice as fast as by default.
    pub(super) fn session(self) -> session::Config {
        let mut config = session::Config::default();
        config.liveness_timeout = self.times(Duration::from_secs(2));
        config
    }

    /// Time until the one knows that the other does not respond.
    #[cfg(unix)]
    pub(super) fn silent(self) -> Duration {
        self.session().liveness_timeout + self.lateness()
    }

    /// Time until the one has a session with the other, which has come back and can be dialled: it dials again after
    /// pauses by chance, of which four grow to this together.
    pub(super) fn again(self) -> Duration {
        let first = Reconnect::default().first;
        let pauses: Duration = (0..4).map(|n| first * 2_u32.pow(n)).sum();
        pauses + self.lateness()
    }

    /// Time until a call ends that cannot be answered.
    pub(super) fn at_once(self) -> Duration {
        self.times(AT_ONCE)
    }

    /// Time until a small call is answered beside bulk.
    pub(super) fn beside_bulk(self) -> Duration {
        self.times(BESIDE_BULK)
    }

    /// Time for each thing that must happen, where nothing shorter is promised.
    pub(super) fn deadline(self) -> Duration {
        self.times(DEADLINE)
    }

    fn lateness(self) -> Duration {
        self.times(LATENESS)
    }

    fn times(self, usual: Duration) -> Duration {
        usual * u32::from(self.0)
    }
}

/// Longest times that follow from the configuration, with the [lateness](LATENESS) of a busy machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promise {
    /// Until each node has a session with one that has come, or come back.
    pub(super) meet: Duration,
    /// Until all others know that a node is gone.
    pub(super) notice: Duration,
}

impl Promise {
    /// For a cluster of so many nodes.
    pub(super) fn new(nodes: usize, patience: Patience) -> Self {
        let (config, lateness) = (patience.gossip(), patience.lateness());
        let period = config.probe_period;
        let others = u32::try_from(nodes.saturating_sub(1)).unwrap_or(u32::MAX);
        // News reaches more than twice as many nodes with each round.
        let told = config.gossip_interval * (others.checked_ilog2().unwrap_or(0) + 2);
        // First in one round of probes, last in the next.
        let turn = period * (2 * others).saturating_sub(1);
        let failed = period;
        Self {
            meet: config.announce_interval + period + told + SECOND_DIAL + lateness,
            notice: turn + failed + longest_suspicion(nodes, &config) + told + lateness,
        }
    }
}

/// How long a suspect has to object at most. Of three nodes one suspects and one is suspected: nobody else can help to
/// be sure of it, and nobody is waited for.
fn longest_suspicion(nodes: usize, config: &Config) -> Duration {
    let shortest = config.probe_period.mul_f64(config.suspicion.alpha);
    match nodes {
        0..=3 => shortest,
        _ => shortest.mul_f64(config.suspicion.beta),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::child::CALL_TIMEOUT, *};

    #[test]
    fn the_configuration_is_sound_and_promises_are_short() {
        let usual = Patience(1);
        assert_eq!(usual.gossip().validate(), Ok(()));
        let three = Promise::new(3, usual);
        assert_eq!(three.notice, Duration::from_millis(2350));
        assert_eq!(three.meet, Duration::from_millis(3600));
        let nine = Promise::new(9, usual);
        assert!(nine.notice > three.notice);
        assert!(nine.notice < Duration::from_secs(10), "{nine:?}");
    }

    #[test]
    fn who_has_more_patience_waits_longer_for_all_but_less_than_a_call_does() {
        let most = Patience(MAX_PATIENCE);
        assert_eq!(most.gossip().validate(), Ok(()));
        let (usual, longer) = (Promise::new(9, Patience(1)), Promise::new(9, most));
        assert!(longer.notice > usual.notice);
        assert!(longer.meet > usual.meet);
        for promised in [longer.notice, longer.meet, most.again()] {
            assert!(promised < most.deadline(), "{promised:?}");
        }
        assert!(most.deadline() < CALL_TIMEOUT);
    }
}
