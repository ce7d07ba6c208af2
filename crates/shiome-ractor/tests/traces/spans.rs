//! Spans as an exporter of OpenTelemetry gets them, and as a line of text.

use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

/// A span that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) trace: String,
    pub(crate) span: String,
    pub(crate) parent: String,
    pub(crate) is_remote: bool,
    pub(crate) failed: bool,
    pub(crate) kind: SpanKind,
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Seen {
    fn of(span: &SpanData) -> Self {
        let attributes = span.attributes.iter();
        Self {
            trace: span.span_context.trace_id().to_string(),
            span: span.span_context.span_id().to_string(),
            parent: span.parent_span_id.to_string(),
            is_remote: span.parent_span_is_remote,
            failed: matches!(span.status, Status::Error { .. }),
            kind: span.span_kind.clone(),
            name: span.name.to_string(),
            attributes: attributes
                .map(|one| (one.key.to_string(), one.value.to_string()))
                .collect(),
        }
    }

    /// What the attribute says, as text; empty without it.
    pub(crate) fn attribute(&self, key: &str) -> &str {
        let found = self.attributes.iter().find(|(one, _)| one == key);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn to_line(&self) -> String {
        let kind = KINDS.iter().position(|kind| *kind == self.kind).unwrap();
        let mut fields = vec![
            self.trace.clone(),
            self.span.clone(),
            self.parent.clone(),
            u8::from(self.is_remote).to_string(),
            u8::from(self.failed).to_string(),
            kind.to_string(),
            self.name.clone(),
        ];
        let attributes = self.attributes.iter();
        fields.extend(attributes.flat_map(|(key, value)| [key.clone(), value.clone()]));
        fields.join("\t")
    }

    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let fields: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let [
            trace,
            span,
            parent,
            is_remote,
            failed,
            kind,
            name,
            rest @ ..,
        ] = &fields[..]
        else {
            return None;
        };
        Some(Self {
            trace: trace.clone(),
            span: span.clone(),
            parent: parent.clone(),
            is_remote: is_remote == "1",
            failed: failed == "1",
            kind: KINDS[kind.parse::<usize>().ok()?].clone(),
            name: name.clone(),
            attributes: rest
                .chunks(2)
                .map(|one| (one[0].clone(), one[1].clone()))
                .collect(),
        })
    }
}

const KINDS: [SpanKind; 5] = [
    SpanKind::Client,
    SpanKind::Server,
    SpanKind::Producer,
    SpanKind::Consumer,
    SpanKind::Internal,
];

/// Keeps what it is to export.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spans(Arc<Mutex<Vec<Seen>>>);

impl Spans {
    /// All spans of this process from now on.
    pub(crate) fn install() -> Self {
        let spans = Self::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(spans.clone())
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let filter = tracing_subscriber::filter::LevelFilter::DEBUG;
        let subscriber = tracing_subscriber::registry().with(filter).with(layer);
        subscriber.init();
        spans
    }

    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut spans = self.0.lock().unwrap();
        spans.extend(batch.iter().map(Seen::of));
        Ok(())
    }
}
