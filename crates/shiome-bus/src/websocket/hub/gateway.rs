//! Clients that speak for others.

use std::{
    collections::{HashSet, hash_map::Entry},
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
    /// A gateway tells for whom it speaks: those that it may not speak for, who are taken out of what it tells.
    pub(crate) fn speaks_for(
        self: &Arc<Self>,
        gateway: &Arc<Member>,
        presence: &mut Presence,
    ) -> Vec<Refused> {
        let mut state = gateway.state();
        if state.ended {
            presence.present.clear();
            return Vec::new();
        }
        let mut gone = presence.absent.clone();
        if presence.all {
            let here: HashSet<_> = presence.present.iter().map(|(id, _)| id).collect();
            let known = state.speaks_for.keys();
            gone.extend(known.filter(|id| !here.contains(id)).cloned());
        }
        self.forget(gateway, &mut state, &gone);
        let mut refused = Vec::new();
        presence.present.retain(|(id, incarnation)| {
            let spoken = match *id == gateway.id {
                true => return true,
                false => self.speak_for(gateway, &mut state, id, *incarnation),
            };
            match spoken {
                Ok(()) => self.member_is_here(id, *incarnation),
                Err(no) => {
                    let id = Some(id.clone());
                    refused.push(Refused { id, ..no });
                    return false;
                }
            }
            true
        });
        refused
    }

    /// A gateway does not speak for these after all.
    pub(crate) fn speaks_not_for(self: &Arc<Self>, gateway: &Arc<Member>, ids: &[PeerId]) {
        self.forget(gateway, &mut gateway.state(), ids);
    }

    fn forget(self: &Arc<Self>, gateway: &Arc<Member>, state: &mut State, gone: &[PeerId]) {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        for id in gone.iter().filter(|id| **id != gateway.id) {
            let spoken = state.speaks_for.remove(id);
            let seated = members
                .get(id)
                .is_some_and(|known| Arc::ptr_eq(known, gateway));
            if let (Some(incarnation), true) = (spoken, seated) {
                members.remove(id);
                self.told(|present| present.remove(id, incarnation));
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
        let known = state.speaks_for.contains_key(id);
        if !known && state.speaks_for.len() >= MAX_SPEAKS_FOR {
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
