//! Spans go to a collector of OpenTelemetry, by OTLP over HTTP.

use std::{env, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::{Level, level_filters::LevelFilter, warn};
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{ConfigError, settings::Settings};
use crate::{error::Error, log};

mod client;

use client::Client;

/// Time for what is left of the spans when the node has stopped.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Where collectors take spans, when nothing else is said (OTLP/HTTP Request).
const DEFAULT_PATH: &str = "/v1/traces";

/// Sends spans as long as it is there.
pub(super) struct Export {
    provider: Option<SdkTracerProvider>,
}

impl Export {
    /// Logs from now on, and sends spans if the settings say where.
    pub(super) fn install(filter: EnvFilter, settings: &Settings) -> Result<Self, Error> {
        let Some(collector) = &settings.operation.otlp else {
            let _ = tracing::subscriber::set_global_default(log::subscriber(filter));
            return Ok(Self { provider: None });
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(Handle::current()))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint(collector.as_str()))
            .build()
            .map_err(|error| ConfigError::Otlp(error.to_string()))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource(settings))
            .build();
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("shiome"));
        let wanted = Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("shiome::trace", Level::DEBUG);
        let _ = tracing_subscriber::registry()
            .with(log::layer(filter))
            .with(spans.with_filter(wanted))
            .try_init();
        Ok(Self {
            provider: Some(provider),
        })
    }

    /// Sends what is left, for a while.
    pub(super) async fn finish(self) {
        let Some(provider) = self.provider else {
            return;
        };
        // It waits for a thread of its own, which waits for tasks of this runtime.
        let flush = move || provider.shutdown_with_timeout(FLUSH_TIMEOUT);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(flush).await {
            warn!(%error, "not all spans were sent");
        }
    }
}

/// What the spans are of. The variables of OpenTelemetry count more.
fn resource(settings: &Settings) -> Resource {
    let mut resource = Resource::builder();
    if env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("shiome");
    }
    let name = settings.name.as_ref().map(|name| name.as_str().to_owned());
    let instance = name.map(|name| KeyValue::new("service.instance.id", name));
    resource.with_attributes(instance).build()
}

fn endpoint(url: &str) -> String {
    let base = url.trim_end_matches('/');
    match base.strip_prefix("http://") {
        Some(authority) if !authority.contains('/') => format!("{base}{DEFAULT_PATH}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_path_spans_go_where_collectors_take_them() {
        for (url, expected) in [
            ("http://h:4318", "http://h:4318/v1/traces"),
            ("http://h/", "http://h/v1/traces"),
            ("http://h:1/otlp/", "http://h:1/otlp/"),
        ] {
            assert_eq!(endpoint(url), expected);
        }
    }
}
