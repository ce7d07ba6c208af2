//! Clients that speak for others.

use std::{
    collections::hash_map::Entry,
    sync::{Arc, PoisonError},
};

use super::Hub;
use crate::{
    Incarnation, PeerId,
    websocket::{
        member::{Member, State},
        names::name_taken,
    },
    wire::{CloseReason, Presence, Refused},
};

/// Others for whom a gateway may speak.
const MAX_SPEAKS_FOR: usize = 256;

impl Hub {
    /// A gateway tells for whom it speaks: those that it may not speak for.
    pub(crate) fn speaks_for(
        self: &Arc<Self>,
        gateway: &Arc<Member>,
        presence: Presence,
    ) -> Vec<Refused> {
        let mut state = gateway.state();
        let mut gone = presence.absent;
        if presence.all {
            gone.extend(state.speaks_for.keys().cloned());
            gone.retain(|id| !presence.present.iter().any(|(present, _)| present == id));
        }
        self.forget(gateway, &mut state, &gone);
        let mut refused = Vec::new();
        for (id, incarnation) in presence
            .present
            .into_iter()
            .filter(|(id, _)| *id != gateway.id)
        {
            match self.speak_for(gateway, &mut state, &id, incarnation) {
                Ok(()) => {
                    self.member_is_here(&id, incarnation);
                }
                Err(no) => refused.push(Refused { id: Some(id), ..no }),
            }
        }
        refused
    }

    fn forget(self: &Arc<Self>, gateway: &Arc<Member>, state: &mut State, gone: &[PeerId]) {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        for id in gone.iter().filter(|id| **id != gateway.id) {
            state.speaks_for.remove(id);
            if members
                .get(id)
                .is_some_and(|known| Arc::ptr_eq(known, gateway))
            {
                members.remove(id);
                self.told(|present| present.remove(id));
            }
        }
    }

    fn speak_for(
        &self,
        gateway: &Arc<Member>,
        state: &mut State,
        id: &PeerId,
        incarnation: Incarnation,
    ) -> Result<(), Refused> {
        if state.speaks_for.len() >= MAX_SPEAKS_FOR {
            return Err(Refused::new(CloseReason::Limit));
        }
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        let seat = members.entry(id.clone());
        if *id == self.id
            || matches!(&seat, Entry::Occupied(seat) if !Arc::ptr_eq(seat.get(), gateway))
        {
            return Err(name_taken(id, None));
        }
        seat.or_insert_with(|| Arc::clone(gateway));
        state.speaks_for.insert(id.clone(), incarnation);
        Ok(())
    }
}
