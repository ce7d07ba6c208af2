//! Spans of what passes between nodes, and how a trace goes on at the other end.
//!
//! They are spans of [`tracing`], of the target `shiome::trace` and the level DEBUG, for whatever subscriber the program has
//! installed; without one that wants them nothing is done for a message but to look at a flag.
//!
//! | span          | of                                                     | `otel.kind`           | ends                      |
//! |---------------|--------------------------------------------------------|-----------------------|---------------------------|
//! | `dial`        | a link that is opened                                  | client                | it is open, or is not     |
//! | `handshake`   | a link, up to where both ends have proven the cookie   | client, server        | they have, or have not    |
//! | `call`        | a call to an actor of another node                     | client                | with its reply            |
//! | `handle_call` | a call of another node                                 | server                | with its reply            |
//! | `cast`        | a cast to an actor of another node                     | producer              | it is handed to the link  |
//! | `handle_cast` | a cast of another node                                 | consumer              | see below                 |
//!
//! Their fields follow OpenTelemetry's semantic conventions: `rpc.system.name` (`shiome`) and `rpc.method` (the variant) of
//! calls, `messaging.system`, `messaging.operation.name`, `messaging.operation.type` and `messaging.destination.name` (the
//! node) of casts, `server.address` and `client.address` (the full name of the other node), `error.type` of what fails.
//! `shiome.actor.pid` is the number of the actor on its node. Contents of messages are never shown.
//!
//! # One trace over many nodes
//!
//! With the feature `opentelemetry`, and a layer of `tracing_opentelemetry` in the subscriber, the context of `call` and
//! `cast` goes along with the message, to peers that can take it: `handle_call` and `handle_cast` have them as parents,
//! over the network. Where they are not enabled none goes along.
//!
//! The parent of `call` and `cast` is the span in which a [`RemoteRef`](crate::RemoteRef) is used. A message to an
//! `ActorRef` of another node's actor is encoded by its own type, before this crate sees it: derive it with
//! `#[cluster(trace = ::shiome_ractor)]` for the same, otherwise a trace begins there.
//!
//! What the local actor does with the message is inside `handle_call` or `handle_cast` with the feature
//! `message_span_propogation`: the span is that of `ractor`'s message, in which the handler runs, and does not end before.
//! `ractor` gives only messages that are decoded a span, and knows how to decode no sooner than the actor runs. So this is for
//! actors that are [exported](crate::Node::export), and those whose messages are derived with `#[cluster(trace = …)]`, but
//! for types with parameters, or made known by [`learn`]. For others `handle_cast` ends when the message is in the mailbox.

use std::{fmt, sync::LazyLock};

use bytes::Bytes;
use shiome_session::{
    Session,
    wire::{
        Capabilities,
        node::{self, node_message},
        trace::{MAX_OVERHEAD, TraceContext, unwrap, wrap},
    },
};
use tracing::{Span, field::display};

use crate::remote_actor::Caller;

#[cfg(feature = "opentelemetry")]
mod otel;
mod spans;

pub(crate) use spans::{call, cast, dial, handle_call, handle_cast, handshake, is_wanted};

/// Target of all spans.
const TARGET: &str = "shiome::trace";

/// Bytes of a message beside what it carries, at most.
const ENCODING_OVERHEAD: usize = 64;

/// What a message that is sent in this span takes along, as its metadata; `None` where there is no trace.
///
/// For implementations of `ractor::Message` by hand, whose messages to an `ActorRef` of another node's actor are part of a
/// trace then. What is derived calls it with `#[cluster(trace = ::shiome_ractor)]`. It never reaches the other node's
/// program.
pub fn metadata() -> Option<Vec<u8>> {
    #[cfg(feature = "opentelemetry")]
    if tracing::span_enabled!(target: TARGET, tracing::Level::DEBUG) {
        let context = otel::context_of(&Span::current())?;
        let wrapped = wrap(Some(&context), None)?;
        return Some([&MARK[..], &wrapped].concat());
    }
    None
}

/// Makes a type of messages known, so that what actors do with messages of it is part of the trace that these are sent in.
///
/// For implementations of `ractor::Message` by hand, before there are actors that take them. What is derived with
/// `#[cluster(trace = ::shiome_ractor)]` calls it. In a trace such messages are decoded in the task of the link.
pub fn learn<M: ractor::Message>() {
    crate::exposure::learn::<M>();
}

/// What [`metadata`] begins with, by chance in each process: no metadata of the program's is taken for it.
static MARK: LazyLock<[u8; 16]> = LazyLock::new(rand::random);

/// Takes away what [`metadata`] has put there.
#[inline]
pub(crate) fn take(metadata: &mut Option<Bytes>) -> Option<TraceContext> {
    let marked = metadata.take_if(|metadata| metadata.starts_with(&*MARK))?;
    unwrap(marked.slice(MARK.len()..)).context
}

/// What the span is of has failed, in a way that this word names.
pub(crate) fn failed(span: &Span, word: &str, error: &dyn fmt::Display) {
    if !span.is_disabled() {
        span.record("error.type", word);
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", display(error));
    }
}

/// What is told to the peer of the span, if there is a trace.
pub(crate) fn context_of(span: &Span) -> Option<Box<TraceContext>> {
    #[cfg(feature = "opentelemetry")]
    if !span.is_disabled() {
        return otel::context_of(span).map(Box::new);
    }
    let _ = span;
    None
}

/// Where the parent of a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Here,
    Peer,
}

/// Makes the span the child of one that it cannot be given as a `Span`. Before anything is done in it.
pub(crate) fn continue_trace(span: &Span, context: Option<&TraceContext>, origin: Origin) {
    #[cfg(feature = "opentelemetry")]
    if let Some(context) = context.filter(|_| !span.is_disabled()) {
        otel::set_parent(span, context, origin == Origin::Peer);
    }
    let _ = (span, context, origin);
}

/// A message that goes to a peer.
pub(crate) trait Pack {
    /// Makes its metadata what the peer takes.
    fn pack(&mut self, session: &Session<Caller>, context: Option<&TraceContext>);
}

impl Pack for node::Cast {
    fn pack(&mut self, session: &Session<Caller>, context: Option<&TraceContext>) {
        if context.is_some() || self.metadata.is_some() {
            let len = self.what.len() + self.variant.len();
            self.metadata = pack(session, context, self.metadata.take(), len);
        }
    }
}

impl Pack for node::Call {
    fn pack(&mut self, session: &Session<Caller>, context: Option<&TraceContext>) {
        if context.is_some() || self.metadata.is_some() {
            let len = self.what.len() + self.variant.len();
            self.metadata = pack(session, context, self.metadata.take(), len);
        }
    }
}

impl Pack for node::NodeMessage {
    fn pack(&mut self, session: &Session<Caller>, context: Option<&TraceContext>) {
        match &mut self.msg {
            Some(node_message::Msg::Cast(cast)) => cast.pack(session, context),
            Some(node_message::Msg::Call(call)) => call.pack(session, context),
            Some(node_message::Msg::Reply(_)) | None => {}
        }
    }
}

/// The metadata of a message with `len` bytes beside it, as the peer takes it. A message does not become too long by its
/// context.
fn pack(
    session: &Session<Caller>,
    context: Option<&TraceContext>,
    metadata: Option<Bytes>,
    len: usize,
) -> Option<Bytes> {
    let Some(terms) = session.terms() else {
        return metadata;
    };
    if !terms.capabilities.contains(Capabilities::TRACE_CONTEXT) {
        return metadata;
    }
    let own = metadata.as_ref().map_or(0, Bytes::len);
    let len = len + own + MAX_OVERHEAD + ENCODING_OVERHEAD;
    let fits = len as u64 <= session.max_message_len();
    wrap(context.filter(|_| fits), metadata)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use shiome_session::{
        Config, Terms,
        wire::{
            Encode,
            trace::{TraceParent, is_wrapped},
        },
    };

    use super::*;

    fn session(terms: Terms) -> Session<Caller> {
        let mut session = Session::new(Instant::now(), Config::default(), 1);
        session.negotiated(terms);
        session
    }

    fn terms() -> Terms {
        Terms {
            version: 1,
            capabilities: Capabilities::ALL,
            incarnation: 1,
            max_frame_len: 1 << 20,
            max_message_len: 1 << 20,
            max_reassembly_len: 1 << 20,
            window: 1 << 20,
        }
    }

    fn without(capability: Capabilities) -> Capabilities {
        Capabilities::from_bits(Capabilities::ALL.bits() & !capability.bits())
    }

    #[test]
    fn a_context_makes_no_message_too_long_for_what_the_peer_takes() {
        let parent: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            .parse()
            .unwrap();
        let context = TraceContext::from(parent);
        let limit = 100_000;
        let limited = [
            Terms {
                max_message_len: limit,
                ..terms()
            },
            Terms {
                max_reassembly_len: limit,
                ..terms()
            },
            Terms {
                capabilities: without(Capabilities::FRAGMENTS),
                max_frame_len: limit,
                ..terms()
            },
            Terms {
                capabilities: without(Capabilities::FRAGMENTS),
                window: 2 * limit,
                ..terms()
            },
        ];
        for terms in limited {
            let session = session(terms);
            let most = session.max_message_len();
            assert!((limit..=2 * limit).contains(&most), "{most}");
            let mut traced = 0;
            for less in (0..2 * MAX_OVERHEAD).step_by(7) {
                let what = vec![0; usize::try_from(most).unwrap() - less].into();
                let mut cast = node::Cast {
                    what,
                    ..node::Cast::default()
                };
                let fitted = cast.body_len() as u64 <= most;
                cast.pack(&session, Some(&context));
                assert_eq!(cast.body_len() as u64 <= most, fitted);
                traced += usize::from(cast.metadata.is_some_and(|m| is_wrapped(&m)));
            }
            assert!(traced > 10, "{traced}");
        }
    }
}
