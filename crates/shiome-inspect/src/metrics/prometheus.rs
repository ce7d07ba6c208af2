use std::time::Duration;

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use shiome_ractor::inspect::LATENCY_BOUNDS_US;
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};

/// How long what a peer is at is told after the last that was heard of it. Counters are kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// How often recorded times are put into their classes, whether anybody collects them or not.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The metrics of the process, as Prometheus reads them. Clones are the same.
#[derive(Clone)]
pub struct Prometheus(PrometheusHandle);

/// The process has a recorder of metrics already.
#[derive(Debug, Error)]
#[error("a recorder of metrics is installed already")]
#[non_exhaustive]
pub struct RecorderInstalled {}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prometheus").finish_non_exhaustive()
    }
}

impl Prometheus {
    /// Installs the recorder of the process: whatever is recorded from now on can be collected. Before the node is started.
    ///
    /// # Errors
    ///
    /// [`RecorderInstalled`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn install() -> Result<Self, RecorderInstalled> {
        let bounds: Vec<_> = LATENCY_BOUNDS_US
            .iter()
            .map(|us| *us as f64 / 1e6)
            .collect();
        let calls = Matcher::Full("shiome_call_duration_seconds".to_owned());
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(calls, &bounds)
            .expect("there are bounds");
        let builder = builder.idle_timeout(MetricKindMask::GAUGE, Some(IDLE_TIMEOUT));
        let handle = builder
            .install_recorder()
            .map_err(|_| RecorderInstalled {})?;
        let kept = handle.clone();
        tokio::spawn(async move {
            let mut ticks = interval(UPKEEP_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                kept.run_upkeep();
            }
        });
        Ok(Self(handle))
    }

    /// The metrics as they are now, in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// `/metrics`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/metrics", get(metrics))
            .with_state(self.clone())
    }
}

async fn metrics(State(prometheus): State<Prometheus>) -> impl IntoResponse {
    let format = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, format)], prometheus.render())
}
