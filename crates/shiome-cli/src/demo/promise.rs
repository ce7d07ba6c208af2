use std::time::Duration;

use shiome::{Reconnect, membership::Config, session};

/// How the nodes of the demo gossip: fast, so that one can watch.
pub(super) fn config() -> Config {
    let mut config = Config::fast();
    config.probe_period = Duration::from_millis(200);
    config.probe_timeout = Duration::from_millis(100);
    config.gossip_interval = Duration::from_millis(50);
    config
}

/// How the nodes of the pair that does not gossip watch each other: more than twice as fast as by default.
pub(super) fn session() -> session::Config {
    let mut config = session::Config::default();
    config.liveness_timeout = Duration::from_secs(2);
    config
}

/// Time until the one knows that the other does not respond.
#[cfg(unix)]
pub(super) fn silent() -> Duration {
    session().liveness_timeout + LATENESS
}

/// Time until the one has a session with the other, which has come back and can be dialled: it dials again after pauses
/// by chance, of which four grow to this together.
pub(super) fn again() -> Duration {
    let first = Reconnect::default().first;
    (0..4).map(|n| first * 2_u32.pow(n)).sum::<Duration>() + LATENESS
}

/// What a busy machine may add.
const LATENESS: Duration = Duration::from_secs(1);

/// The side that dials second waits this long at most.
const SECOND_DIAL: Duration = Duration::from_secs(2);

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
    pub(super) fn new(nodes: usize) -> Self {
        let config = config();
        let period = config.probe_period;
        let others = u32::try_from(nodes.saturating_sub(1)).unwrap_or(u32::MAX);
        // News reaches more than twice as many nodes with each round.
        let told = config.gossip_interval * (others.checked_ilog2().unwrap_or(0) + 2);
        // First in one round of probes, last in the next.
        let turn = period * (2 * others).saturating_sub(1);
        let failed = period;
        Self {
            meet: config.announce_interval + period + told + SECOND_DIAL + LATENESS,
            notice: turn + failed + longest_suspicion(nodes, &config) + told + LATENESS,
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
    use super::*;

    #[test]
    fn the_configuration_is_sound_and_promises_are_short() {
        assert_eq!(config().validate(), Ok(()));
        let three = Promise::new(3);
        assert_eq!(three.notice, Duration::from_millis(2350));
        assert_eq!(three.meet, Duration::from_millis(3600));
        let nine = Promise::new(9);
        assert!(nine.notice > three.notice);
        assert!(nine.notice < Duration::from_secs(10), "{nine:?}");
    }
}
