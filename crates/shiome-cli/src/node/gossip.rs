use std::time::Duration;

use shiome::{
    Builder, Gossip,
    membership::{Config, Srv},
};

use super::{
    settings,
    value::{HostPort, Ip},
};

/// Lets the node gossip if it is asked to.
pub(super) fn apply(settings: settings::Gossip, builder: Builder) -> Builder {
    if settings.seed.is_empty() && settings.on != Some(true) {
        return builder;
    }
    let mut gossip = Gossip::new().resolver(Srv::new());
    if let Some(period) = settings.period {
        gossip = gossip.config(probing_every(Duration::from_millis(period.get())));
    }
    if let Some(offset) = settings.offset {
        gossip = gossip.port_offset(offset.get());
    }
    if let Some(Ip(ip)) = settings.advertise {
        gossip = gossip.advertise(ip);
    }
    if let Some(dir) = settings.state {
        gossip = gossip.state_dir(dir);
    }
    if let Some(name) = settings.cluster {
        gossip = gossip.cluster(name);
    }
    let seeds = settings.seed.iter().map(HostPort::as_str);
    builder.seeds(seeds).gossip(gossip)
}

/// The defaults, with all that goes by the period in proportion.
fn probing_every(period: Duration) -> Config {
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
