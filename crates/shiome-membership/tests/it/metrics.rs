use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::support::{builder, cluster, talk};

/// On one thread, so that what the nodes' tasks say goes to this test's recorder.
#[tokio::test(flavor = "current_thread")]
async fn what_is_counted_is_published() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let nodes = cluster(2, |_| builder()).await;
    talk(&nodes).await;
    let stats = nodes[0].stats();
    for node in &nodes {
        node.membership.stop().await;
    }

    let published: Vec<_> = snapshotter.snapshot().into_vec();
    let value = |name: &str| {
        let (key, _, _, value) = published
            .iter()
            .find(|(key, ..)| key.key().name() == name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        let labels: Vec<_> = key
            .key()
            .labels()
            .map(|label| (label.key(), label.value()))
            .collect();
        assert_eq!(labels, [("cluster", "tests")]);
        match value {
            DebugValue::Counter(value) => *value as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => panic!("{name} is no count"),
        }
    };
    assert_eq!(value("shiome_membership_members"), 1.0);
    assert!(value("shiome_membership_sent_total") >= stats.driver.sent as f64);
    assert!(value("shiome_membership_engine_probes_total") >= stats.engine.probes as f64);
    assert_eq!(value("shiome_membership_rejected_forged_total"), 0.0);
}
