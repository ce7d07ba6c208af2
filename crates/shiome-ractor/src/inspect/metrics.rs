//! What a node is at and does, through the `metrics` facade: [`METRICS`].
//!
//! Published once a second from what an [`Inspector`] tells, for as long as the node runs, to the recorder
//! that the program has installed. Of several nodes in one process each would publish under the same names. What gossip
//! counts is published by `shiome_membership`, under names that begin with `shiome_membership_`.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use tokio::time::{MissedTickBehavior, interval};

use super::{Inspector, LATENCY_BOUNDS_US, PeerView, SessionView};

/// Time from one publication to the next. Those who collect metrics do not ask more often.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no other kinds")]
pub enum Kind {
    /// It grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Times, in classes that end at [`LATENCY_BOUNDS_US`].
    Histogram,
}

/// A metric that a node publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident: $name:literal, $kind:ident, [$($label:literal),*], $help:literal;)*) => {
        $(const $constant: &str = $name;)*

        /// All metrics of a node, in order.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        },)*];
    };
}

metrics! {
    UPTIME: "shiome_node_uptime_seconds", Gauge, [], "time since the node was started";
    ACTORS: "shiome_node_actors", Gauge, [], "actors of the process";
    EXPORTED: "shiome_node_exported_actors", Gauge, [], "actors that were exported";
    SESSIONS: "shiome_node_sessions", Gauge, [], "authenticated sessions";
    HANDSHAKES: "shiome_node_handshakes", Gauge, [], "connections that are not authenticated";
    DENIED: "shiome_node_denied_total", Counter, [], "messages of peers that the policy has denied";
    ADMISSION: "shiome_node_admission_total", Counter, ["outcome"],
        "connections of others: admitted, authenticated, failed, refused_full, refused_source, refused_penalty";
    KEPT: "shiome_node_kept_connections", Gauge, ["state"],
        "addresses that are kept connected to: connecting, connected";
    CONNECTED: "shiome_peer_connected", Gauge, ["peer"], "1 while there is a session with the peer";
    PEER_SESSIONS: "shiome_peer_sessions_total", Counter, ["peer"], "sessions with the peer that were authenticated";
    RECONNECTS: "shiome_peer_reconnects_total", Counter, ["peer"], "those of them after the first";
    REMOTE_ACTORS: "shiome_peer_actors", Gauge, ["peer"], "actors that the peer has announced";
    LINK_BYTES: "shiome_link_bytes_total", Counter, ["peer", "direction"], "bytes on the link, in and out";
    ROUND_TRIP: "shiome_link_round_trip_seconds", Gauge, ["peer"], "mean time of the last pings; 0 before the first";
    SILENCE: "shiome_link_silence_seconds", Gauge, ["peer"], "time since the last byte of the peer";
    QUEUED: "shiome_link_queued_bytes", Gauge, ["peer"], "bytes that wait, with the overhead of each message";
    CREDIT: "shiome_link_credit_bytes", Gauge, ["peer"],
        "bytes of bulk that the peer takes before it grants more; 0 with a legacy peer";
    WINDOW: "shiome_link_window_bytes", Gauge, ["peer"], "bytes of bulk that the peer may send before it is granted more";
    FULL: "shiome_link_full", Gauge, ["peer"], "1 while casts are refused for want of room";
    STALLED: "shiome_link_stalled", Gauge, ["peer"], "1 while bytes wait and neither end moves";
    LANE_MESSAGES: "shiome_lane_messages_total", Counter, ["peer", "lane", "direction"],
        "messages by lane; inbound, fragments count as messages";
    LANE_BYTES: "shiome_lane_bytes_total", Counter, ["peer", "lane", "direction"],
        "bytes by lane: outbound of encodings, inbound of contents";
    LANE_QUEUED: "shiome_lane_queued_messages", Gauge, ["peer", "lane"], "messages that wait in the lane";
    LANE_QUEUED_BYTES: "shiome_lane_queued_bytes", Gauge, ["peer", "lane"], "bytes of them";
    DROPS: "shiome_drops_total", Counter, ["peer", "reason"], "messages that were dropped";
    MALFORMED_TRACES: "shiome_malformed_traces_total", Counter, ["peer"],
        "messages of the peer with a trace context that is none, which was ignored";
    CALLS: "shiome_calls_total", Counter, ["peer", "outcome"], "calls to actors of the peer that have ended";
    CALLS_PENDING: "shiome_calls_pending", Gauge, ["peer", "direction"], "calls that wait for a reply";
    CALL_DURATION: "shiome_call_duration_seconds", Histogram, ["peer"], "time from a call to its reply";
}

/// Publishes again and again, until the node has stopped.
pub(crate) async fn run(node: Inspector) {
    describe();
    let mut publisher = Publisher::default();
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => publisher.publish(&node),
            () = node.stopped() => return publisher.publish(&node),
        }
    }
}

fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, Unit::Seconds, metric.help),
        }
    }
}

/// Remembers what has been published of histograms, which take new times only.
#[derive(Debug, Default)]
struct Publisher {
    classes: HashMap<String, Vec<u64>>,
}

impl Publisher {
    fn publish(&mut self, node: &Inspector) {
        let sessions = node.sessions();
        publish_node(node, &sessions);
        let peers = node.peers();
        self.classes
            .retain(|name, _| peers.iter().any(|peer| peer.name == *name));
        let none = SessionView::default();
        for peer in &peers {
            let mut with_peer = sessions.iter().filter(|session| session.peer == peer.name);
            publish_link(peer, with_peer.next().unwrap_or(&none));
            publish_peer(peer);
            self.publish_latency(peer);
        }
    }

    fn publish_latency(&mut self, peer: &PeerView) {
        let histogram = histogram!(CALL_DURATION, "peer" => peer.name.clone());
        let classes = &peer.latency.classes;
        let before = self.classes.insert(peer.name.clone(), classes.clone());
        let before = before.unwrap_or_default();
        for (class, count) in classes.iter().enumerate() {
            let new = count.saturating_sub(before.get(class).copied().unwrap_or(0));
            // The end of a class is in it. What is beyond the last end counts twice as long as that.
            let last = LATENCY_BOUNDS_US[LATENCY_BOUNDS_US.len() - 1];
            let end = LATENCY_BOUNDS_US.get(class).copied().unwrap_or(2 * last);
            if new > 0 {
                let new = usize::try_from(new).unwrap_or(usize::MAX);
                histogram.record_many(end as f64 / 1e6, new);
            }
        }
    }
}

fn publish_node(node: &Inspector, sessions: &[SessionView]) {
    let view = node.node();
    gauge!(UPTIME).set(view.uptime_ms as f64 / 1e3);
    gauge!(ACTORS).set(view.actors as f64);
    gauge!(EXPORTED).set(view.exported as f64);
    gauge!(SESSIONS).set(view.sessions as f64);
    let unproven = sessions.iter().filter(|session| session.peer.is_empty());
    gauge!(HANDSHAKES).set(unproven.count() as f64);
    counter!(DENIED).absolute(view.denied);
    let admission = &view.admission;
    for (outcome, count) in [
        ("admitted", admission.admitted),
        ("authenticated", admission.authenticated),
        ("failed", admission.failed),
        ("refused_full", admission.refused_full),
        ("refused_source", admission.refused_source),
        ("refused_penalty", admission.refused_penalty),
    ] {
        counter!(ADMISSION, "outcome" => outcome).absolute(count);
    }
    for state in ["connecting", "connected"] {
        let count = view.kept.iter().filter(|kept| kept.state == state).count();
        gauge!(KEPT, "state" => state).set(count as f64);
    }
}

fn publish_link(peer: &PeerView, link: &SessionView) {
    let name = || Cow::<'static, str>::Owned(peer.name.clone());
    for (metric, value) in [
        (
            ROUND_TRIP,
            link.round_trip_mean_us.unwrap_or(0) as f64 / 1e6,
        ),
        (SILENCE, link.silence_ms as f64 / 1e3),
        (QUEUED, link.queued_bytes as f64),
        (CREDIT, link.credit_bytes.unwrap_or(0) as f64),
        (WINDOW, link.window_bytes as f64),
        (FULL, f64::from(link.full)),
        (STALLED, f64::from(link.stalled)),
        (REMOTE_ACTORS, link.remote_actors as f64),
    ] {
        gauge!(metric, "peer" => name()).set(value);
    }
    for (direction, count) in [("out", link.calls_out), ("in", link.calls_in)] {
        gauge!(CALLS_PENDING, "peer" => name(), "direction" => direction).set(count as f64);
    }
}

fn publish_peer(peer: &PeerView) {
    let name = || Cow::<'static, str>::Owned(peer.name.clone());
    gauge!(CONNECTED, "peer" => name()).set(f64::from(peer.connected));
    counter!(PEER_SESSIONS, "peer" => name()).absolute(peer.sessions);
    counter!(RECONNECTS, "peer" => name()).absolute(peer.reconnects);
    for (direction, bytes) in [("in", peer.bytes_in), ("out", peer.bytes_out)] {
        counter!(LINK_BYTES, "peer" => name(), "direction" => direction).absolute(bytes);
    }
    for lane in &peer.lanes {
        for (direction, messages, bytes) in [
            ("out", lane.sent, lane.sent_bytes),
            ("in", lane.received, lane.received_bytes),
        ] {
            let labels = [
                ("peer", peer.name.clone()),
                ("lane", lane.name.clone()),
                ("direction", direction.to_owned()),
            ];
            counter!(LANE_MESSAGES, &labels).absolute(messages);
            counter!(LANE_BYTES, &labels).absolute(bytes);
        }
        let labels = [("peer", peer.name.clone()), ("lane", lane.name.clone())];
        gauge!(LANE_QUEUED, &labels).set(lane.queued as f64);
        gauge!(LANE_QUEUED_BYTES, &labels).set(lane.queued_bytes as f64);
    }
    for reason in super::DropReason::ALL {
        let count = peer.drops.get(reason.as_str()).copied().unwrap_or(0);
        counter!(DROPS, "peer" => name(), "reason" => reason.as_str()).absolute(count);
    }
    counter!(MALFORMED_TRACES, "peer" => name()).absolute(peer.malformed_traces);
    for (outcome, count) in &peer.calls_ended {
        counter!(CALLS, "peer" => name(), "outcome" => outcome.clone()).absolute(*count);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;

    fn latency(classes: &[(usize, u64)]) -> PeerView {
        let mut counts = vec![0; LATENCY_BOUNDS_US.len() + 1];
        classes
            .iter()
            .for_each(|(class, count)| counts[*class] = *count);
        let mut peer = PeerView {
            name: "p@h".to_owned(),
            ..PeerView::default()
        };
        peer.latency.classes = counts;
        peer
    }

    #[test]
    fn a_time_is_published_once_and_in_its_class() {
        let recorder = DebuggingRecorder::new();
        let mut publisher = Publisher::default();
        let mut seen = |peer: &PeerView| -> BTreeMap<u64, usize> {
            metrics::with_local_recorder(&recorder, || publisher.publish_latency(peer));
            let mut seen = BTreeMap::new();
            for (_, _, _, value) in recorder.snapshotter().snapshot().into_vec() {
                let DebugValue::Histogram(times) = value else {
                    continue;
                };
                for time in times {
                    *seen.entry((time.into_inner() * 1e6) as u64).or_default() += 1;
                }
            }
            seen
        };
        assert_eq!(
            seen(&latency(&[(0, 2), (4, 1)])),
            BTreeMap::from([(50, 2), (1_000, 1)])
        );
        assert_eq!(seen(&latency(&[(0, 3), (4, 1)])), BTreeMap::from([(50, 1)]));
        assert_eq!(
            seen(&latency(&[(0, 3), (4, 1), (18, 1)])),
            BTreeMap::from([(120_000_000, 1)])
        );
    }

    #[test]
    fn names_are_of_one_kind_and_say_it() {
        let mut names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            assert_eq!(
                metric.kind == Kind::Counter,
                metric.name.ends_with("_total"),
                "{}",
                metric.name
            );
            assert!(metric.name.starts_with("shiome_") && !metric.help.is_empty());
        }
    }
}
