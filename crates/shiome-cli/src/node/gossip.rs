use std::{net::IpAddr, path::PathBuf, time::Duration};

use shiome::{Builder, Gossip, membership::Config};

use super::host_port;

/// How the node finds others.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Gossip")]
pub(super) struct Options {
    /// Join the cluster of the node there. Can be given several times; one that is up is enough. This node may be among
    /// them. With --gossip-offset, give the port that it gossips on.
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    seed: Vec<String>,

    /// Gossip without a seed: the first node, which waits for others.
    #[arg(long)]
    gossip: bool,

    /// Gossip on the port of the node plus this, and expect the same of others.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    gossip_offset: i32,

    /// Tell others to reach this node there. Default: HOST of the name, or where that leads here.
    #[arg(long, value_name = "IP")]
    gossip_advertise: Option<IpAddr>,

    /// Keep who the node is in this directory over a restart. One node uses it at a time.
    #[arg(long, value_name = "DIR")]
    gossip_state: Option<PathBuf>,

    /// Name of the cluster; all its nodes give the same.
    #[arg(long, value_name = "NAME")]
    gossip_cluster: Option<String>,

    /// Time from one probe to the next, in milliseconds; all nodes should give the same. A member that is dead is found
    /// after some of them.
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(20..=60_000)
    )]
    gossip_period: u32,
}

impl Options {
    /// Lets the node gossip if it is asked to.
    pub(super) fn apply(self, builder: Builder) -> Builder {
        if self.seed.is_empty() && !self.gossip {
            return builder;
        }
        let period = Duration::from_millis(self.gossip_period.into());
        let mut gossip = Gossip::new()
            .config(probing_every(period))
            .port_offset(self.gossip_offset);
        if let Some(ip) = self.gossip_advertise {
            gossip = gossip.advertise(ip);
        }
        if let Some(dir) = self.gossip_state {
            gossip = gossip.state_dir(dir);
        }
        if let Some(name) = self.gossip_cluster {
            gossip = gossip.cluster(name);
        }
        builder.seeds(self.seed).gossip(gossip)
    }
}

/// The defaults, with all that goes by the period in proportion.
pub(crate) fn probing_every(period: Duration) -> Config {
    let mut config = Config::default();
    let scale = period.as_secs_f64() / config.probe_period.as_secs_f64();
    config.probe_timeout = config.probe_timeout.mul_f64(scale);
    let interval = config.gossip_interval.mul_f64(scale);
    config.gossip_interval = interval.clamp(MIN_INTERVAL, config.gossip_interval);
    config.probe_period = period;
    config
}

/// Shortest time from one round of gossip to the next.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_period_that_can_be_given_is_sound() {
        for period_ms in [20, 200, 1000, 60_000] {
            let config = probing_every(Duration::from_millis(period_ms));
            assert_eq!(config.validate(), Ok(()), "{period_ms}");
        }
        assert_eq!(probing_every(Duration::from_secs(1)), Config::default());
    }
}
