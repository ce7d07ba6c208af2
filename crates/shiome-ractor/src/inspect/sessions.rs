//! Sessions, and what has passed with each peer.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
};

use shiome_handshake::Side;
use shiome_session::{Figures, Lane, Session, Terms, wire::Capabilities};
use shiome_transport::Security;
use tokio::time::Instant;

use super::{
    CallOutcome, DropReason, Inspector, LATENCY_BOUNDS_US, LaneView, LatencyView, PeerView,
    SessionView, history::Peer, latency::Histogram, ms, ms_since_epoch, totals::Totals, us,
};
use crate::{
    NodeId,
    node::{Phase, Record, node_session::Shared},
    remote_actor::Caller,
};

impl Inspector {
    /// All sessions and connections, by number. At most as many as there may be sessions and strangers.
    pub fn sessions(&self) -> Vec<SessionView> {
        let records = self.connector.registry.records();
        let mut sessions: Vec<_> = records.iter().filter_map(view).collect();
        sessions.sort_by_key(|session| session.node_id);
        sessions
    }

    /// The session of that number.
    pub fn session(&self, node_id: NodeId) -> Option<SessionView> {
        view(&self.record(node_id)?)
    }

    /// All peers that are remembered, by name: see [`MAX_REMEMBERED_PEERS`](super::MAX_REMEMBERED_PEERS).
    pub fn peers(&self) -> Vec<PeerView> {
        let registry = &self.connector.registry;
        let live = registry.authenticated();
        let mut by_peer: HashMap<String, Vec<Arc<Shared>>> = HashMap::new();
        for record in &live {
            let link = record
                .shared
                .upgrade()
                .filter(|link| link.run.get().is_some());
            if let Some(link) = link {
                by_peer
                    .entry(record.peer().to_owned())
                    .or_default()
                    .push(link);
            }
        }
        let mut peers: Vec<_> = registry.history().read(|peers| {
            let links = |name: &str| by_peer.get(name).map_or(&[][..], Vec::as_slice);
            let peers = peers.iter();
            peers
                .map(|(name, peer)| PeerView::of(name, peer, links(name)))
                .collect()
        });
        peers.sort_by(|one, other| one.name.cmp(&other.name));
        peers
    }

    /// The link of that number, if it is authenticated.
    pub(super) fn link(&self, node_id: NodeId) -> Option<Arc<Shared>> {
        let link = self.record(node_id)?.shared.upgrade()?;
        link.authenticated.load(Ordering::Relaxed).then_some(link)
    }

    /// The link to the node of that name.
    pub(super) fn link_to(&self, name: &str) -> Option<Arc<Shared>> {
        let records = self.connector.registry.authenticated();
        let mut named = records.iter().filter(|record| record.peer() == name);
        named.find_map(|record| record.shared.upgrade())
    }

    fn record(&self, node_id: NodeId) -> Option<Record> {
        let records = self.connector.registry.records();
        records.into_iter().find(|record| record.node_id == node_id)
    }
}

/// What one lock of the session tells.
struct Seen {
    figures: Figures,
    terms: Option<Terms>,
    is_ready: bool,
    heard: std::time::Instant,
}

impl Seen {
    fn of(session: &mut Session<Caller>) -> Self {
        Self {
            figures: session.figures(),
            terms: session.terms().copied(),
            is_ready: session.is_ready(),
            heard: session.last_heard(),
        }
    }
}

/// `None` when its tasks are gone.
fn view(record: &Record) -> Option<SessionView> {
    let link = record.shared.upgrade()?;
    let Seen {
        figures,
        terms,
        is_ready,
        heard,
    } = link.peer.apply(|session, _| Seen::of(session));
    let meter = &link.meter;
    let proven = link.run.get().is_some();
    let state = match record.phase {
        Phase::Connecting => "connecting",
        Phase::Closing => "closing",
        Phase::Authenticated if is_ready => "ready",
        Phase::Authenticated => "syncing",
        _ => "handshake",
    };
    let trip = meter.round_trip();
    let name = record.peer_name.as_ref().filter(|_| proven);
    Some(SessionView {
        node_id: record.node_id,
        peer: name.map(|name| name.name.clone()).unwrap_or_default(),
        state: state.to_owned(),
        tier: match (proven, terms) {
            (false, _) => "unknown",
            (true, None) => "legacy",
            (true, Some(_)) => "native",
        }
        .to_owned(),
        protocol: terms.map_or(0, |terms| terms.version),
        capabilities: terms.map_or_else(Vec::new, |terms| capabilities(terms.capabilities)),
        incarnation: terms.map_or(0, |terms| terms.incarnation),
        inbound: record.side == Side::Server,
        address: record.peer_addr.clone(),
        dialled_at: name
            .map(|name| name.connection_string.clone())
            .unwrap_or_default(),
        security: security(link.security()).to_owned(),
        bound: link.is_bound(),
        age_ms: ms(meter.began.elapsed()),
        silence_ms: ms(Instant::now().into_std().saturating_duration_since(heard)),
        round_trip_us: (trip.pongs > 0).then(|| us(trip.last)),
        round_trip_mean_us: (trip.pongs > 0).then(|| us(trip.smoothed)),
        lanes: (Lane::ALL.iter().zip(figures.lanes))
            .map(|(lane, seen)| LaneView {
                name: lane_name(*lane).to_owned(),
                sent: seen.sent,
                sent_bytes: seen.sent_bytes,
                received: seen.received,
                received_bytes: seen.received_bytes,
                queued: seen.queued,
                queued_bytes: seen.queued_bytes,
            })
            .collect(),
        queued_bytes: link.peer.queued_len() as u64,
        credit_bytes: figures.credit,
        window_bytes: figures.window,
        full: figures.is_full,
        stalled: link.peer.is_stalled(),
        bytes_in: meter.read.load(Ordering::Relaxed),
        bytes_out: meter.written.load(Ordering::Relaxed),
        calls_out: figures.calls_out,
        calls_in: figures.calls_in,
        calls_ended: outcomes(&meter.outcomes()),
        latency: LatencyView::of(&meter.latency.histogram()),
        drops: drops(&meter.drops()),
        malformed_traces: meter.malformed_traces(),
        remote_actors: figures.remote_actors,
    })
}

impl PeerView {
    fn of(name: &str, past: &Peer, links: &[Arc<Shared>]) -> Self {
        let mut totals = past.totals;
        // Sessions that have just become part of the past are in it already.
        let live = links.iter();
        let live = live.filter(|link| !link.meter.is_history.load(Ordering::Relaxed));
        live.for_each(|link| totals.add(&Totals::of(link)));
        let last_down = past.last_down.as_ref();
        Self {
            name: name.to_owned(),
            connected: !links.is_empty(),
            sessions: past.sessions,
            reconnects: past.sessions.saturating_sub(1),
            last_down: last_down.map(|(_, why)| why.to_string()),
            last_down_at_ms: last_down.map(|(at, _)| ms_since_epoch(*at)),
            bytes_in: totals.read,
            bytes_out: totals.written,
            lanes: lanes(&totals, links),
            calls_ended: outcomes(&totals.outcomes),
            latency: LatencyView::of(&totals.latency),
            drops: drops(&totals.drops),
            malformed_traces: totals.malformed_traces,
        }
    }
}

fn lanes(totals: &Totals, links: &[Arc<Shared>]) -> Vec<LaneView> {
    let waiting = |lane: Lane| {
        let figures = links
            .iter()
            .map(|link| link.peer.apply(|session, _| session.figures()).lanes[lane as usize]);
        figures.fold((0, 0), |(messages, bytes), lane| {
            (messages + lane.queued, bytes + lane.queued_bytes)
        })
    };
    let lanes = Lane::ALL.iter().zip(totals.lanes);
    lanes
        .map(|(lane, [sent, sent_bytes, received, received_bytes])| {
            let (queued, queued_bytes) = waiting(*lane);
            LaneView {
                name: lane_name(*lane).to_owned(),
                sent,
                sent_bytes,
                received,
                received_bytes,
                queued,
                queued_bytes,
            }
        })
        .collect()
}

impl LatencyView {
    fn of(histogram: &Histogram) -> Self {
        Self {
            count: histogram.count(),
            sum_us: us(histogram.sum()),
            classes: histogram.classes().map(|(_, count)| count).collect(),
            p50_us: histogram.quantile(0.5).map(us),
            p99_us: histogram.quantile(0.99).map(us),
        }
    }

    /// Upper ends of the classes; of the last there is none.
    pub fn bounds_us(&self) -> &'static [u64] {
        &LATENCY_BOUNDS_US
    }
}

/// A word for the lane, as in metrics.
pub(super) fn lane_name(lane: Lane) -> &'static str {
    match lane {
        Lane::Control => "control",
        Lane::Express => "express",
        Lane::Bulk => "bulk",
    }
}

fn security(security: Security) -> &'static str {
    match security {
        Security::Plain => "plain",
        Security::Tls => "tls",
        Security::Local => "local",
        _ => "unknown",
    }
}

fn capabilities(set: Capabilities) -> Vec<String> {
    let words = [
        (Capabilities::CALL_ERRORS, "call_errors"),
        (Capabilities::FRAGMENTS, "fragments"),
        (Capabilities::CREDIT, "credit"),
        (Capabilities::STOP, "stop"),
        (Capabilities::MONITORS, "monitors"),
        (Capabilities::GOODBYE, "goodbye"),
        (Capabilities::CHANNELS, "channels"),
        (Capabilities::TRACE_CONTEXT, "trace_context"),
    ];
    let both = words.iter().filter(|(one, _)| set.contains(*one));
    both.map(|(_, word)| (*word).to_owned()).collect()
}

fn drops(counts: &[u64; DropReason::ALL.len()]) -> BTreeMap<String, u64> {
    let counts = DropReason::ALL.iter().zip(counts);
    let occurred = counts.filter(|(_, count)| **count > 0);
    occurred
        .map(|(reason, count)| (reason.as_str().to_owned(), *count))
        .collect()
}

fn outcomes(counts: &[u64; CallOutcome::ALL.len()]) -> BTreeMap<String, u64> {
    let counts = CallOutcome::ALL.iter().zip(counts);
    counts
        .map(|(outcome, count)| (outcome.as_str().to_owned(), *count))
        .collect()
}
