//! [`Stats`](crate::Stats) through the `metrics` facade, with the label `cluster`.
//!
//! | name                                      | kind    | is                                              |
//! |-------------------------------------------|---------|-------------------------------------------------|
//! | `shiome_membership_members`               | gauge   | members that are up, without this node          |
//! | `shiome_membership_suspects`              | gauge   | those of them that are suspected                |
//! | `shiome_membership_backlog`               | gauge   | news that has to be told on                     |
//! | `shiome_membership_local_health`          | gauge   | 0 when the node is well                         |
//! | `shiome_membership_<field>_total`         | counter | a field of [`DriverStats`](crate::DriverStats)  |
//! | `shiome_membership_engine_<field>_total`  | counter | a field of [`shiome_swim::Stats`]               |
//!
//! Counters are absolute: of two nodes of one cluster in one process the greater is shown.

use std::{sync::Arc, time::Duration};

use metrics::{counter, gauge};
use tokio::time::{MissedTickBehavior, interval};

use crate::shared::Shared;

/// Time from one publication to the next. Those who collect metrics do not ask more often.
const INTERVAL: Duration = Duration::from_secs(1);

/// Publishes again and again, until it is dropped.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        publish(&shared);
    }
}

/// Publishes what there is now.
pub(crate) fn publish(shared: &Shared) {
    let stats = shared.stats();
    let cluster = || Arc::clone(&shared.cluster);
    for (name, value) in [
        ("shiome_membership_members", stats.members),
        ("shiome_membership_suspects", stats.suspects),
        ("shiome_membership_backlog", stats.backlog),
        ("shiome_membership_local_health", stats.local_health.into()),
    ] {
        gauge!(name, "cluster" => cluster()).set(value as f64);
    }
    for (name, value) in stats.driver.named().chain(engine(&stats.engine)) {
        counter!(name, "cluster" => cluster()).absolute(value);
    }
}

/// Names the fields of the engine's counts.
macro_rules! engine_fields {
    ($($name:ident,)*) => {
        fn engine(stats: &shiome_swim::Stats) -> impl Iterator<Item = (&'static str, u64)> + use<> {
            [$((concat!("shiome_membership_engine_", stringify!($name), "_total"), stats.$name),)*].into_iter()
        }
    };
}

engine_fields! {
    datagrams_sent,
    datagrams_received,
    bytes_sent,
    bytes_received,
    malformed,
    partly_malformed,
    wrong_cluster,
    unknown_sender,
    unexpected_ack,
    refused,
    impossible,
    void,
    probes,
    probes_failed,
    probes_indirect,
    suspicions,
    deaths,
    refutations,
    syncs,
    stalls,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_of_the_engine_has_a_name() {
        let stats = shiome_swim::Stats::default();
        let printed = format!("{stats:?}");
        let fields: Vec<_> = printed
            .split(['{', ',', '}'])
            .filter_map(|field| field.trim().split_once(':'))
            .map(|(name, _)| format!("shiome_membership_engine_{name}_total"))
            .collect();
        let named: Vec<_> = engine(&stats).map(|(name, _)| name).collect();
        assert_eq!(named, fields);
    }
}
