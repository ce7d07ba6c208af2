//! Who is at either end of a client's link.

use super::ClientEnd;
use crate::{
    websocket::{
        client::shared::{Shared, State},
        presence::all_of_one,
    },
    wire::{CloseReason, MAX_PRESENCE, Presence},
};

/// Peers that a server may tell of, as many as a bus takes from one link.
const MAX_PEERS: usize = 65_536;

impl ClientEnd {
    pub(super) fn hear_presence(&mut self, presence: Presence) {
        let Ok(gathered) = self.snapshot.add(presence) else {
            self.over = Some(CloseReason::Malformed);
            return;
        };
        let Some(presence) = gathered else {
            return;
        };
        let known = {
            let mut state = self.shared.state();
            let known = match presence.all {
                true => std::mem::take(&mut state.peers),
                false => {
                    let gone = presence.absent.iter();
                    gone.filter_map(|id| state.peers.remove_entry(id)).collect()
                }
            };
            state.peers.extend(presence.present.iter().cloned());
            if state.peers.len() > MAX_PEERS {
                self.over = Some(CloseReason::Malformed);
            }
            known
        };
        // Those whom the bus does not take from here are those of other links.
        let _ = self.attached.hear_presence(&known, &presence);
    }

    /// The other peers of the bus, for a server that lets this link speak for them.
    pub(super) fn others(shared: &Shared, state: &State) -> Vec<Presence> {
        let others = state.local.iter().filter(|(id, _)| **id != shared.id);
        let others: Vec<_> = others.map(|(id, run)| (id.clone(), *run)).collect();
        let mut frames: Vec<_> = others
            .chunks(MAX_PRESENCE)
            .map(|chunk| Presence {
                present: chunk.to_vec(),
                ..Presence::default()
            })
            .collect();
        if frames.is_empty() {
            frames.push(Presence::default());
        }
        all_of_one(&mut frames);
        frames
    }
}
