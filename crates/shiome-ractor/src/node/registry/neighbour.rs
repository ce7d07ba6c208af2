use std::net::SocketAddr;

use shiome_handshake::{DialState, SessionState, Side};
use shiome_wire::auth::NameMessage;

use super::{Phase, Record};

/// A session next to one that is being decided on. One node can have many addresses; where one of this session's leads
/// to the address in question, that is the one it goes by.
pub(super) struct Neighbour {
    side: Side,
    phase: Phase,
    address: String,
    peer: Option<NameMessage>,
}

impl Neighbour {
    pub(super) fn new(record: &Record, address: &str) -> Self {
        let leads_there = address
            .parse()
            .is_ok_and(|address: SocketAddr| record.reachable_at.contains(&address));
        let mut peer = record.peer_name.clone();
        if let Some(peer) = &mut peer
            && leads_there
        {
            address.clone_into(&mut peer.connection_string);
        }
        Self {
            side: record.side,
            phase: record.phase,
            address: if leads_there {
                address.to_owned()
            } else {
                record.target.clone()
            },
            peer,
        }
    }

    pub(super) fn dial_state(&self) -> Option<DialState<'_>> {
        let target = self.address.as_str();
        match (self.phase, &self.peer) {
            (Phase::Connecting, _) => Some(DialState::Connecting { target }),
            (Phase::NameSent, _) => Some(DialState::NameSent { target }),
            (Phase::Named, Some(peer)) => Some(DialState::Named { target, peer }),
            _ => None,
        }
    }

    pub(super) fn session_state(&self) -> Option<SessionState<'_>> {
        match (self.phase, &self.peer) {
            (Phase::Challenged, Some(peer)) => Some(SessionState::Challenged { peer }),
            (Phase::Authenticated, Some(peer)) => Some(SessionState::Authenticated {
                peer,
                side: self.side,
            }),
            _ => None,
        }
    }
}
