//! The context of a span, between OpenTelemetry and the wire.

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt, TraceState as OtelState},
};
use shiome_session::wire::trace::{TraceContext, TraceParent, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// `None` where no layer of OpenTelemetry sees the span.
pub(super) fn context_of(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    let parent = TraceParent::new(
        span.trace_id().to_bytes(),
        span.span_id().to_bytes(),
        span.trace_flags().to_u8(),
    );
    Some(TraceContext {
        parent: parent.ok()?,
        state: TraceState::fit(&span.trace_state().header()),
    })
}

pub(super) fn set_parent(span: &Span, context: &TraceContext, is_remote: bool) {
    let TraceContext { parent, state } = context;
    let parent = SpanContext::new(
        TraceId::from_bytes(parent.trace_id()),
        SpanId::from_bytes(parent.span_id()),
        TraceFlags::new(parent.flags()),
        is_remote,
        OtelState::from_key_value(state.members()).unwrap_or_default(),
    );
    // Without a layer of OpenTelemetry there is nothing to set.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}
