use std::collections::BTreeMap;

use shiome_bus::{
    BusError, Inbound, Incarnation, PeerId,
    wire::{MAX_PRESENCE, Presence},
};

/// Peers that one node may tell of, at most: as many as a bus takes of one link.
const MAX_CLAIMS: usize = 65_536;

/// The peers that the other node says it has.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    claims: BTreeMap<PeerId, Claim>,
    /// All are being told anew.
    anew: bool,
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    incarnation: Incarnation,
    /// Whether the bus knows it there.
    accepted: bool,
    /// Whether it is of before all were told anew, and has not been told since.
    stale: bool,
}

/// A claim that the bus does not take.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Another has the name.
    Taken(PeerId),
    /// There are too many.
    TooMany(PeerId),
}

impl Claims {
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &PeerId> {
        let accepted = self.claims.iter().filter(|(_, claim)| claim.accepted);
        accepted.map(|(peer, _)| peer)
    }

    pub(crate) fn has_refused(&self) -> bool {
        self.claims.values().any(|claim| !claim.accepted)
    }

    /// Goes by what the other node tells. What the bus does not take of it.
    pub(crate) fn hear(&mut self, presence: Presence, inbound: &dyn Inbound) -> Vec<Refusal> {
        if presence.all {
            self.anew = true;
            self.claims
                .values_mut()
                .for_each(|claim| claim.stale = true);
        }
        // As long as they are full, frames go on with telling all.
        let over = presence.present.len() + presence.absent.len() < MAX_PRESENCE;
        for peer in presence.absent {
            if let Some(claim) = self.claims.remove(&peer) {
                inbound.peer_down(&peer, claim.incarnation);
            }
        }
        let mut refused = Vec::new();
        for (peer, incarnation) in presence.present {
            refused.extend(self.claim(peer, incarnation, inbound));
        }
        if over {
            self.settle(inbound);
        }
        refused
    }

    /// All have been told: who was not is gone.
    pub(crate) fn settle(&mut self, inbound: &dyn Inbound) {
        if std::mem::take(&mut self.anew) {
            self.claims.retain(|peer, claim| {
                if claim.stale {
                    inbound.peer_down(peer, claim.incarnation);
                }
                !claim.stale
            });
        }
    }

    fn claim(
        &mut self,
        peer: PeerId,
        incarnation: Incarnation,
        inbound: &dyn Inbound,
    ) -> Option<Refusal> {
        match self.claims.get(&peer) {
            // It may have been told by an earlier session, and the bus has forgotten nothing since.
            Some(known) if known.incarnation == incarnation && known.accepted => {}
            // Who waits for an answer of the earlier life waits in vain.
            Some(known) => inbound.peer_down(&peer, known.incarnation),
            None if self.claims.len() >= MAX_CLAIMS => return Some(Refusal::TooMany(peer)),
            None => {}
        }
        let accepted = inbound.peer_up(&peer, incarnation);
        if accepted.is_err() {
            // While there was no session, another may have come by that name.
            inbound.peer_down(&peer, incarnation);
        }
        let claim = Claim {
            incarnation,
            accepted: accepted.is_ok(),
            stale: false,
        };
        self.claims.insert(peer.clone(), claim);
        match accepted {
            Ok(()) => None,
            Err(BusError::QueueFull(_)) => Some(Refusal::TooMany(peer)),
            Err(_) => Some(Refusal::Taken(peer)),
        }
    }

    /// Tries again what was refused: who had the name may be gone.
    pub(crate) fn reconsider(&mut self, inbound: &dyn Inbound) {
        for (peer, claim) in self.claims.iter_mut().filter(|(_, claim)| !claim.accepted) {
            claim.accepted = inbound.peer_up(peer, claim.incarnation).is_ok();
        }
    }
}
