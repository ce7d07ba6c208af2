//! What a session is at, for whoever watches it.

use super::Session;
use crate::{
    lanes::Flow,
    traffic::{Figures, Lane},
};

impl<C> Session<C> {
    /// Messages that have left by that lane since the session began.
    pub fn sent(&self, lane: Lane) -> u64 {
        self.traffic.sent(lane)
    }

    /// Messages that wait to leave by that lane.
    pub fn queued(&self, lane: Lane) -> u64 {
        self.traffic.waiting(lane)
    }

    /// Calls of the peer that wait for a reply.
    pub fn calls_in(&self) -> usize {
        self.exports.open_calls()
    }

    /// What has passed since the session began, and what it is at now. Costs a few loads; when the session is closed it
    /// tells what had passed until then.
    pub fn figures(&mut self) -> Figures {
        let credit = match self.lanes.flow() {
            Flow::Credit { available } => Some(*available),
            Flow::Pongs(_) => None,
        };
        Figures {
            lanes: self.traffic.lanes(),
            credit,
            window: self.window.available(),
            calls_out: self.calls.len(),
            calls_in: self.calls_in(),
            remote_actors: self.directory.len(),
            is_full: self.is_full(),
        }
    }
}
