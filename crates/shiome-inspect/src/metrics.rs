//! What this server has refused, and what a bus besides the node is at, through the `metrics` facade: [`METRICS`].
//!
//! What the node itself publishes stands in [`shiome_ractor::inspect::metrics`].

use std::time::Duration;

#[cfg(feature = "bus")]
use metrics::gauge;
use metrics::{counter, describe_counter, describe_gauge};
use shiome_ractor::inspect::metrics::Kind;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    inspect::WeakInspect,
    refusals::{RefusalReason, Refusals},
};

#[cfg(feature = "prometheus")]
mod prometheus;

#[cfg(feature = "prometheus")]
pub use prometheus::{Prometheus, RecorderInstalled};

/// Time from one publication to the next. Those who collect metrics do not ask more often.
const INTERVAL: Duration = Duration::from_secs(1);

/// Names, kinds, labels and meanings of the metrics.
pub const METRICS: &[(&str, Kind, &[&str], &str)] = &[
    (
        REFUSED,
        Kind::Counter,
        &["reason"],
        "requests and connections that this server has refused",
    ),
    (BUS_PEERS, Kind::Gauge, &[], "peers that are on the bus"),
    (
        BUS_LINKS,
        Kind::Gauge,
        &["kind"],
        "links of the bus that are up",
    ),
    (
        BUS_HANDLERS,
        Kind::Gauge,
        &[],
        "handlers that are registered",
    ),
    (
        BUS_QUEUED,
        Kind::Gauge,
        &[],
        "envelopes that wait in mailboxes",
    ),
    (
        BUS_ROUTED,
        Kind::Counter,
        &[],
        "envelopes that a mailbox or a link took",
    ),
    (
        BUS_ERRORS,
        Kind::Counter,
        &[],
        "envelopes that could not be sent",
    ),
    (
        BUS_DELIVERED,
        Kind::Counter,
        &[],
        "envelopes that peers took out of their mailboxes",
    ),
    (
        BUS_CALLS,
        Kind::Counter,
        &["outcome"],
        "runs of handlers: all, error, panic",
    ),
    (
        BUS_DROPS,
        Kind::Counter,
        &["reason"],
        "envelopes that were dropped",
    ),
];

const REFUSED: &str = "shiome_http_refused_total";
const BUS_PEERS: &str = "shiome_bus_peers";
const BUS_LINKS: &str = "shiome_bus_links";
const BUS_HANDLERS: &str = "shiome_bus_handlers";
const BUS_QUEUED: &str = "shiome_bus_queued";
const BUS_ROUTED: &str = "shiome_bus_routed_total";
const BUS_ERRORS: &str = "shiome_bus_routing_errors_total";
const BUS_DELIVERED: &str = "shiome_bus_delivered_total";
const BUS_CALLS: &str = "shiome_bus_handler_runs_total";
const BUS_DROPS: &str = "shiome_bus_drops_total";

/// Publishes again and again, while anybody serves it.
pub(crate) async fn run(inspect: WeakInspect) {
    for (name, kind, _, help) in METRICS {
        match kind {
            Kind::Counter => describe_counter!(*name, *help),
            _ => describe_gauge!(*name, *help),
        }
    }
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inspect) = inspect.upgrade() else {
            return;
        };
        publish(inspect.refusals());
        #[cfg(feature = "bus")]
        if let Some(bus) = inspect.bus() {
            publish_bus(bus);
        }
    }
}

fn publish(refusals: &Refusals) {
    for reason in RefusalReason::ALL {
        counter!(REFUSED, "reason" => reason.as_str()).absolute(refusals.of(*reason));
    }
}

#[cfg(feature = "bus")]
fn publish_bus(bus: &shiome_bus::Bus) {
    let stats = bus.stats();
    for (name, value) in [
        (BUS_PEERS, stats.nodes_registered),
        (BUS_HANDLERS, stats.total_callbacks),
        (BUS_QUEUED, stats.queued),
    ] {
        gauge!(name).set(value as f64);
    }
    for (name, value) in [
        (BUS_ROUTED, stats.messages_routed),
        (BUS_ERRORS, stats.routing_errors),
        (BUS_DELIVERED, stats.messages_delivered),
    ] {
        counter!(name).absolute(value);
    }
    for (outcome, value) in [
        ("all", stats.handler_calls),
        ("error", stats.handler_errors),
        ("panic", stats.handler_panics),
    ] {
        counter!(BUS_CALLS, "outcome" => outcome).absolute(value);
    }
    for reason in shiome_bus::DropReason::ALL {
        counter!(BUS_DROPS, "reason" => reason.as_str()).absolute(bus.dropped(reason));
    }
    let mut kinds = std::collections::BTreeMap::new();
    for (_, link) in bus.links() {
        *kinds
            .entry(link.transport_type.to_string())
            .or_insert(0_u32) += u32::from(link.is_ready);
    }
    for (kind, count) in kinds {
        gauge!(BUS_LINKS, "kind" => kind).set(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_what_is_documented() {
        use std::collections::BTreeSet;

        use metrics_util::debugging::DebuggingRecorder;

        let recorder = DebuggingRecorder::new();
        metrics::with_local_recorder(&recorder, || {
            publish(&Refusals::default());
            #[cfg(feature = "bus")]
            publish_bus(&shiome_bus::Bus::new());
        });
        let seen = recorder.snapshotter().snapshot().into_vec();
        let seen: BTreeSet<_> = seen
            .iter()
            .map(|(key, ..)| key.key().name().to_owned())
            .collect();
        // A bus without links has no kind of link.
        let mut documented: BTreeSet<_> = METRICS
            .iter()
            .map(|(name, ..)| (*name).to_owned())
            .filter(|name| name != BUS_LINKS)
            .collect();
        if cfg!(not(feature = "bus")) {
            documented.retain(|name| name == REFUSED);
        }
        assert_eq!(seen, documented);
    }
}
