//! A bus of peers, as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shiome_bus::Bus;

/// Names of peers that are told.
const MAX_PEERS: usize = 1000;

/// A bus: what it has done, who is on it, what it has dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BusView {
    /// Peers that are on the bus, or that its links tell of.
    pub peers: usize,
    /// Their names, up to 1000.
    pub names: Vec<String>,
    /// Handlers that are registered.
    pub handlers: usize,
    /// Envelopes that a mailbox or a link took.
    pub routed: u64,
    /// Envelopes that could not be sent.
    pub routing_errors: u64,
    /// Envelopes that peers took out of their mailboxes.
    pub delivered: u64,
    /// Runs of handlers.
    pub handler_calls: u64,
    /// Runs of handlers that returned an error.
    pub handler_errors: u64,
    /// Runs of handlers that panicked.
    pub handler_panics: u64,
    /// Envelopes that wait in mailboxes.
    pub queued: usize,
    /// Dropped envelopes, by reason.
    pub drops: BTreeMap<String, u64>,
    /// Links to other buses, and to pages.
    pub links: Vec<BusLinkView>,
    /// The envelopes that were dropped last, the oldest first.
    pub dead_letters: Vec<DeadLetterView>,
}

/// A link of a bus.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BusLinkView {
    /// What it is made of.
    pub kind: String,
    /// Whether it is up.
    pub ready: bool,
    /// Envelopes that it sent.
    pub sent: u64,
    /// Envelopes that arrived.
    pub received: u64,
    /// Envelopes that it could not send, or that were none.
    pub errors: u64,
    /// Envelopes that wait.
    pub queued: usize,
}

/// An envelope that was dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct DeadLetterView {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Why.
    pub reason: String,
    /// Who sent it.
    pub from: String,
    /// For whom it was.
    pub to: String,
    /// Name of its intent.
    pub intent: String,
}

pub(crate) fn view(bus: &Bus) -> BusView {
    let stats = bus.stats();
    let reached = bus.reached();
    let mut names: Vec<_> = reached.iter().map(|id| id.as_str().to_owned()).collect();
    names.sort();
    names.truncate(MAX_PEERS);
    let links = bus.links();
    let links = links.iter().map(|(_, link)| BusLinkView {
        kind: link.transport_type.to_string(),
        ready: link.is_ready,
        sent: link.messages_sent,
        received: link.messages_received,
        errors: link.errors,
        queued: link.queued,
    });
    let dropped = bus.recent_drops();
    let dead_letters = dropped.iter().map(|dropped| DeadLetterView {
        at_ms: dropped.at_ms,
        reason: dropped.reason.as_str().to_owned(),
        from: dropped.from.as_str().to_owned(),
        to: dropped.to.as_str().to_owned(),
        intent: dropped.intent.as_str().to_owned(),
    });
    let drops = stats.drops.iter();
    BusView {
        peers: reached.len(),
        names,
        handlers: stats.total_callbacks,
        routed: stats.messages_routed,
        routing_errors: stats.routing_errors,
        delivered: stats.messages_delivered,
        handler_calls: stats.handler_calls,
        handler_errors: stats.handler_errors,
        handler_panics: stats.handler_panics,
        queued: stats.queued,
        drops: drops
            .map(|(reason, count)| (reason.as_str().to_owned(), *count))
            .collect(),
        links: links.collect(),
        dead_letters: dead_letters.collect(),
    }
}
