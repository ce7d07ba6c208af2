use std::array;

use ractor::{ActorCell, ActorStatus};

use super::{Refusal, decoder::Decoder};

/// Actors that are remembered.
const PLACES: usize = 64;

/// The local actors that a peer has sent to just before, so that not each message is a look into the registry and into
/// what is exported.
///
/// The peer chooses the pids. Those that share a place drive each other out, and that is all.
#[derive(Debug)]
pub(crate) struct Targets([Option<Target>; PLACES]);

/// An actor that may be addressed, unless a policy says otherwise.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) actor: ActorCell,
    /// `None`: it was not exported.
    pub(super) decoder: Option<Decoder>,
    /// How to decode its messages all the same.
    pub(super) learned: Option<Decoder>,
    /// State of the exports that this is true of.
    pub(super) revision: u64,
}

impl Targets {
    /// What is known of the actor, if it has not ended and the exports are in that state still; otherwise what `look_up`
    /// finds.
    pub(super) fn find(
        &mut self,
        pid: u64,
        revision: u64,
        look_up: impl FnOnce() -> Result<Target, Refusal>,
    ) -> Result<&Target, Refusal> {
        let place = &mut self.0[Self::place(pid)];
        let known = place.as_ref();
        if known.is_none_or(|known| !known.is(pid) || !known.holds(revision)) {
            // Nothing is held on to when there is nothing to put there.
            *place = None;
            *place = Some(look_up()?);
        }
        Ok(place
            .as_ref()
            .expect("something is there, or was just put there"))
    }

    fn place(pid: u64) -> usize {
        (pid % PLACES as u64) as usize
    }
}

impl Target {
    fn is(&self, pid: u64) -> bool {
        self.actor.get_id().pid() == pid
    }

    fn holds(&self, revision: u64) -> bool {
        // An actor leaves the registry when it begins to stop.
        self.revision == revision && self.actor.get_status() < ActorStatus::Stopping
    }
}

impl Default for Targets {
    fn default() -> Self {
        Self(array::from_fn(|_| None))
    }
}
