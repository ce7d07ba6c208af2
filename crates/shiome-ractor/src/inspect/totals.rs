//! What has passed a link, or all links to one peer.

use std::sync::atomic::Ordering;

use shiome_session::Lane;

use super::{
    latency::Histogram,
    meter::{CallOutcome, DropReason},
};
use crate::node::node_session::Shared;

/// Counts that only grow.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(super) read: u64,
    pub(super) written: u64,
    /// For each lane: sent, bytes of these, received, bytes of these.
    pub(super) lanes: [[u64; 4]; Lane::ALL.len()],
    pub(super) drops: [u64; DropReason::ALL.len()],
    pub(super) malformed_traces: u64,
    pub(super) outcomes: [u64; CallOutcome::ALL.len()],
    pub(super) latency: Histogram,
}

impl Totals {
    pub(super) fn of(link: &Shared) -> Self {
        let meter = &link.meter;
        let figures = link.peer.apply(|session, _| session.figures());
        Self {
            read: meter.read.load(Ordering::Relaxed),
            written: meter.written.load(Ordering::Relaxed),
            lanes: figures.lanes.map(|lane| {
                [
                    lane.sent,
                    lane.sent_bytes,
                    lane.received,
                    lane.received_bytes,
                ]
            }),
            drops: meter.drops(),
            malformed_traces: meter.malformed_traces(),
            outcomes: meter.outcomes(),
            latency: meter.latency.histogram(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        fn add<const N: usize>(ours: &mut [u64; N], theirs: &[u64; N]) {
            for (ours, theirs) in ours.iter_mut().zip(theirs) {
                *ours += theirs;
            }
        }
        self.read += other.read;
        self.written += other.written;
        for (ours, theirs) in self.lanes.iter_mut().zip(&other.lanes) {
            add(ours, theirs);
        }
        add(&mut self.drops, &other.drops);
        self.malformed_traces += other.malformed_traces;
        add(&mut self.outcomes, &other.outcomes);
        self.latency.add(&other.latency);
    }
}
