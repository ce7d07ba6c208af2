//! The spans themselves.

use std::fmt;

use shiome_session::wire::trace::TraceContext;
use shiome_transport::Address;
use tracing::{
    Level, Span, debug_span,
    field::Empty,
    level_filters::{LevelFilter, STATIC_MAX_LEVEL},
};

use super::{Origin, TARGET, continue_trace};

/// Bytes of a peer's word that a span shows.
const MAX_SHOWN_LEN: usize = 64;

/// Whether anybody could want a span.
#[inline]
pub(crate) fn is_wanted() -> bool {
    Level::DEBUG <= STATIC_MAX_LEVEL && Level::DEBUG <= LevelFilter::current()
}

/// The span, if anybody could want it. Messages pass here: without a subscriber for it that is all that is done.
#[inline]
fn wanted(span: impl FnOnce() -> Span) -> Span {
    if is_wanted() { span() } else { Span::none() }
}

/// Span of a call to the actor `pid` of a node.
#[inline]
pub(crate) fn call(node: &str, pid: u64, variant: &str) -> Span {
    wanted(|| {
        debug_span!(
            target: TARGET, "call", otel.kind = "client", otel.name = name(variant, "call"),
            rpc.system.name = "shiome", rpc.method = variant, server.address = node, shiome.actor.pid = pid,
            error.type = Empty, otel.status_code = Empty, otel.status_description = Empty,
        )
    })
}

/// Span of a cast to the actor `pid` of a node.
#[inline]
pub(crate) fn cast(node: &str, pid: u64, variant: &str) -> Span {
    wanted(|| {
        debug_span!(
            target: TARGET, "cast", otel.kind = "producer", otel.name = %Named("send", variant),
            messaging.system = "shiome", messaging.operation.name = "cast", messaging.operation.type = "send",
            messaging.destination.name = node, rpc.method = variant, server.address = node, shiome.actor.pid = pid,
            error.type = Empty, otel.status_code = Empty, otel.status_description = Empty,
        )
    })
}

/// Span of a call of a peer to the local actor `pid`, which goes on with the trace of the peer.
#[inline]
pub(crate) fn handle_call(
    peer: &str,
    pid: u64,
    variant: &str,
    context: Option<&TraceContext>,
) -> Span {
    let span = wanted(|| {
        debug_span!(
            target: TARGET, parent: None, "handle_call", otel.kind = "server",
            otel.name = name(shown(variant), "call"),
            rpc.system.name = "shiome", rpc.method = shown(variant), client.address = peer, shiome.actor.pid = pid,
            error.type = Empty, otel.status_code = Empty, otel.status_description = Empty,
        )
    });
    continue_trace(&span, context, Origin::Peer);
    span
}

/// Span of a cast of a peer to the local actor `pid`, which goes on with the trace of the peer.
#[inline]
pub(crate) fn handle_cast(
    peer: &str,
    pid: u64,
    variant: &str,
    context: Option<&TraceContext>,
) -> Span {
    let span = wanted(|| {
        debug_span!(
            target: TARGET, parent: None, "handle_cast", otel.kind = "consumer",
            otel.name = %Named("process", shown(variant)),
            messaging.system = "shiome", messaging.operation.name = "cast", messaging.operation.type = "process",
            rpc.method = shown(variant), client.address = peer, shiome.actor.pid = pid,
            error.type = Empty, otel.status_code = Empty, otel.status_description = Empty,
        )
    });
    continue_trace(&span, context, Origin::Peer);
    span
}

/// Span of a dial.
#[inline]
pub(crate) fn dial(address: &Address) -> Span {
    wanted(|| {
        debug_span!(
            target: TARGET, "dial", otel.kind = "client", otel.name = "dial", network.transport = address.scheme(),
            server.address = address.host(), server.port = address.port(),
            error.type = Empty, otel.status_code = Empty, otel.status_description = Empty,
        )
    })
}

/// Span of a handshake with whoever is at the other end of a link. Its name is known at the end.
#[inline]
pub(crate) fn handshake(is_server: bool, peer: &str) -> Span {
    wanted(|| {
        debug_span!(
            target: TARGET, "handshake", otel.kind = if is_server { "server" } else { "client" },
            otel.name = "handshake", network.peer.address = shown(peer), server.address = Empty, client.address = Empty,
            error.type = Empty, otel.status_code = Empty, otel.status_description = Empty,
        )
    })
}

fn name<'a>(variant: &'a str, without: &'a str) -> &'a str {
    if variant.is_empty() { without } else { variant }
}

/// As much of a peer's word as there is room for.
fn shown(word: &str) -> &str {
    let mut end = word.len().min(MAX_SHOWN_LEN);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

/// What is done, and with what.
struct Named<'a>(&'static str, &'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            "" => f.write_str(self.0),
            variant => write!(f, "{} {variant}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_peer_is_cut_between_its_characters() {
        assert_eq!(shown("Add"), "Add");
        let long = format!("{}潮目", "x".repeat(63));
        assert_eq!(shown(&long), "x".repeat(63));
        assert_eq!(shown(&"x".repeat(1000)).len(), MAX_SHOWN_LEN);
    }

    #[test]
    fn messages_without_a_name_have_a_span_with_one() {
        assert_eq!(name("", "call"), "call");
        assert_eq!(Named("send", "").to_string(), "send");
        assert_eq!(Named("send", "Add").to_string(), "send Add");
    }
}
