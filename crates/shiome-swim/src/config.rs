use std::time::Duration;

use shiome_gossip::{MAX_DATAGRAM_LEN, SUGGESTED_DATAGRAM_LEN};
use thiserror::Error;

/// How a node probes, suspects and gossips. All nodes of a cluster should agree on it.
///
/// [`Config::default`] suits one data centre and would rather be late than wrong; [`Config::fast`] finds the dead
/// sooner and is wrong more often. The fields change one by one:
///
/// ```
/// let mut config = shiome_swim::Config::fast();
/// config.cluster = 0x5eed;
/// assert!(config.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Identity of the cluster, such as a hash of its name: datagrams that bear another are dropped. It is no secret
    /// and proves nothing. Default: 0.
    pub cluster: u64,
    /// Time from one probe to the next (SWIM §3.1: the protocol period T'). Shorter finds the dead sooner and costs
    /// more datagrams. 10 ms to 1 min; default: 1 s.
    pub probe_period: Duration,
    /// How long a probe waits for the target itself before it asks others. It should be some times the round trip of
    /// the slowest path. From 5 ms, below `probe_period`; default: 500 ms.
    pub probe_timeout: Duration,
    /// How many members are asked to ping a target that does not answer (SWIM §3.1: k). 0 to 16; default: 3.
    pub indirect_probes: usize,
    /// How long a suspect has to object.
    pub suspicion: Suspicion,
    /// Highest local health multiplier (Lifeguard §IV-A: S). At 0 a node never doubts itself. 0 to 32; default: 8.
    pub max_local_health: u8,
    /// Time from one round of gossip to the next, while there is news. 10 ms to 1 min; default: 200 ms.
    pub gossip_interval: Duration,
    /// To how many members a round of gossip goes. 1 to 16; default: 3.
    pub gossip_fanout: usize,
    /// News is sent `retransmit_mult` × log10(members + 1) times by each node, rounded up. 1 to 32; default: 4.
    pub retransmit_mult: u32,
    /// Longest datagram that is sent, in bytes, and so the budget of what rides on it. 1 140 to 65 507; default: 1 400.
    pub max_datagram_len: usize,
    /// Most members, dead ones included. Above it nobody can join. 2 to 1 048 576; default: 65 536.
    pub max_members: usize,
    /// Shortest time between two exchanges of tables that this node starts when another's digest differs from its own.
    /// 10 ms to 10 min; default: 1 s.
    pub sync_interval: Duration,
    /// How long the dead are remembered, so that an old datagram cannot bring them back. 1 min to 365 d; default: 24 h.
    pub tombstone_ttl: Duration,
    /// How often a seed that is not a member is asked again, so that two clusters that should be one find each other.
    /// 100 ms to 1 d; default: 30 s.
    pub rejoin_interval: Duration,
    /// How long a node that leaves goes on telling so. Up to 10 min; default: 1 s.
    pub leave_timeout: Duration,
    /// Least time between two announcements of new members, so that those who join together are announced together.
    /// The first is announced at once. Up to 10 min; default: 250 ms.
    pub announce_interval: Duration,
    /// Longest time that a member which comes and goes is kept from being announced again. 0 turns damping off.
    /// Up to 1 d; default: 10 min.
    pub max_damping: Duration,
    /// Whether the compact form is spoken with those who understand it. Without it all talk is in the form of
    /// `ember-cluster`, which has less room. Default: true.
    pub compact: bool,
    /// Whether the driver can reach members over a reliable channel: [`Swim::poll_reliable_ping`] then yields pings for
    /// members that do not answer datagrams. Default: false.
    ///
    /// [`Swim::poll_reliable_ping`]: crate::Swim::poll_reliable_ping
    pub reliable_pings: bool,
}

/// How long a suspect has to object (Lifeguard §IV-B).
///
/// The time is at least `alpha` × log10(members) periods, and `beta` times that while nobody else suspects it. Each
/// independent suspicion shortens it; with `confirmations` of them it is the least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suspicion {
    /// Periods per tenfold of members. Above 0, up to 100.
    pub alpha: f64,
    /// Ratio of longest to shortest time. 1 to 1000.
    pub beta: f64,
    /// Independent suspicions that make the time the shortest. In small clusters fewer suffice: as many as there are
    /// other members. 0 to 8.
    pub confirmations: usize,
}

impl Suspicion {
    /// Slow to judge on little evidence, quick on much: (2, 20, 6).
    pub const DEFAULT: Self = Self {
        alpha: 2.0,
        beta: 20.0,
        confirmations: 6,
    };
    /// Quicker, on half the evidence: (2, 12, 3).
    pub const FAST: Self = Self {
        alpha: 2.0,
        beta: 12.0,
        confirmations: 3,
    };
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cluster: 0,
            probe_period: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            indirect_probes: 3,
            suspicion: Suspicion::DEFAULT,
            max_local_health: 8,
            gossip_interval: Duration::from_millis(200),
            gossip_fanout: 3,
            retransmit_mult: 4,
            max_datagram_len: SUGGESTED_DATAGRAM_LEN,
            max_members: 65_536,
            sync_interval: Duration::from_secs(1),
            tombstone_ttl: Duration::from_secs(24 * 60 * 60),
            rejoin_interval: Duration::from_secs(30),
            leave_timeout: Duration::from_secs(1),
            announce_interval: Duration::from_millis(250),
            max_damping: Duration::from_secs(10 * 60),
            compact: true,
            reliable_pings: false,
        }
    }
}

impl Config {
    /// The default with [`Suspicion::FAST`].
    pub fn fast() -> Self {
        Self {
            suspicion: Suspicion::FAST,
            ..Self::default()
        }
    }

    /// Checks the ranges that stand at the fields.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let interval = Duration::from_millis(10)..=Duration::from_secs(60);
        let Suspicion {
            alpha,
            beta,
            confirmations,
        } = self.suspicion;
        let checks = [
            ("probe_period", interval.contains(&self.probe_period)),
            (
                "probe_timeout",
                self.probe_timeout >= Duration::from_millis(5)
                    && self.probe_timeout < self.probe_period,
            ),
            ("indirect_probes", self.indirect_probes <= 16),
            ("suspicion.alpha", alpha > 0.0 && alpha <= 100.0),
            ("suspicion.beta", (1.0..=1000.0).contains(&beta)),
            (
                "suspicion.confirmations",
                confirmations <= MAX_CONFIRMATIONS,
            ),
            ("max_local_health", self.max_local_health <= 32),
            ("gossip_interval", interval.contains(&self.gossip_interval)),
            ("gossip_fanout", (1..=16).contains(&self.gossip_fanout)),
            ("retransmit_mult", (1..=32).contains(&self.retransmit_mult)),
            (
                "max_datagram_len",
                (1_140..=MAX_DATAGRAM_LEN).contains(&self.max_datagram_len),
            ),
            ("max_members", (2..=1 << 20).contains(&self.max_members)),
            (
                "sync_interval",
                (Duration::from_millis(10)..=Duration::from_secs(600))
                    .contains(&self.sync_interval),
            ),
            (
                "tombstone_ttl",
                (Duration::from_secs(60)..=365 * DAY).contains(&self.tombstone_ttl),
            ),
            (
                "rejoin_interval",
                (Duration::from_millis(100)..=DAY).contains(&self.rejoin_interval),
            ),
            ("leave_timeout", self.leave_timeout <= MINUTES_10),
            ("announce_interval", self.announce_interval <= MINUTES_10),
            ("max_damping", self.max_damping <= DAY),
        ];
        match checks.into_iter().find(|(_, holds)| !holds) {
            Some((field, _)) => Err(ConfigError { field }),
            None => Ok(()),
        }
    }
}

const MINUTES_10: Duration = Duration::from_secs(10 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Most independent suspicions that are counted for one suspect.
pub(crate) const MAX_CONFIRMATIONS: usize = 8;

/// A field of a [`Config`] is out of its range, which stands in its documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{field} is out of range")]
pub struct ConfigError {
    /// Name of the field.
    pub field: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        assert_eq!(Config::default().validate(), Ok(()));
        assert_eq!(Config::fast().validate(), Ok(()));
    }

    #[test]
    fn the_field_that_is_out_of_range_is_named() {
        let late = Config {
            probe_timeout: Duration::from_secs(1),
            ..Config::default()
        };
        let nan = Config {
            suspicion: Suspicion {
                alpha: f64::NAN,
                ..Suspicion::DEFAULT
            },
            ..Config::default()
        };
        let field = |config: Config| config.validate().map_err(|error| error.field);
        assert_eq!(field(late), Err("probe_timeout"));
        assert_eq!(field(nan), Err("suspicion.alpha"));
    }
}
