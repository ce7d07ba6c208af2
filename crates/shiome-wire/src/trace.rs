//! Trace context of a message, as [W3C Trace Context] has it, and how it travels.
//!
//! A [`TraceContext`] travels in [`Cast::metadata`](crate::node::Cast::metadata) and
//! [`Call::metadata`](crate::node::Call::metadata), and only to a peer that has announced
//! [`Capabilities::TRACE_CONTEXT`](crate::Capabilities::TRACE_CONTEXT). These fields are the program's, so what it has put
//! there goes along unchanged: [`wrap`] puts the context in front, and [`unwrap`] takes it off again.
//!
//! # Layout of wrapped metadata
//!
//! | offset    | bytes | content                                                                             |
//! |-----------|-------|-------------------------------------------------------------------------------------|
//! | 0         | 8     | [`MAGIC`]                                                                           |
//! | 8         | 1     | flags: 1 when the message has metadata of the program's, even of length 0; others 0 |
//! | 9         | 1     | length p of `traceparent`, 0 for none                                               |
//! | 10        | p     | `traceparent`, as in the HTTP header                                                |
//! | 10+p      | 2     | length s of `tracestate`, big-endian, 0 for none                                    |
//! | 12+p      | s     | `tracestate`, as in the HTTP header, at most [`MAX_TRACE_STATE_LEN`]                |
//! | 12+p+s    |       | metadata of the program, up to the end                                              |
//!
//! Metadata of the program's that begins with [`MAGIC`] is wrapped also without a context, so that none is taken for what
//! it is not.
//!
//! [W3C Trace Context]: https://www.w3.org/TR/trace-context/

mod envelope;
mod parent;
mod state;

pub use envelope::{MAGIC, MAX_OVERHEAD, Unwrapped, is_wrapped, unwrap, wrap};
pub use parent::{MAX_TRACE_PARENT_LEN, TRACE_PARENT_LEN, TraceParent, TraceParentError};
pub use state::{MAX_TRACE_STATE_LEN, MAX_TRACE_STATE_MEMBERS, TraceState, TraceStateError};

use thiserror::Error;

/// Which span a message was sent in, and what tracing systems say beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The span.
    pub parent: TraceParent,
    /// What tracing systems say beside; mostly nothing.
    pub state: TraceState,
}

impl From<TraceParent> for TraceContext {
    fn from(parent: TraceParent) -> Self {
        let state = TraceState::default();
        Self { parent, state }
    }
}

/// What a peer has sent is no trace context. The message is as good as without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TraceError {
    /// Lengths point beyond the end, or flags are not known. Nothing is taken off.
    #[error("wrapped metadata is malformed")]
    Envelope,
    /// There is no context.
    #[error("traceparent")]
    Parent(#[from] TraceParentError),
    /// The context is as good as without `tracestate` (Trace Context, §3.3.1).
    #[error("tracestate")]
    State(#[from] TraceStateError),
}
