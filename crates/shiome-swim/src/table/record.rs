use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use shiome_gossip::{NodeId, compact::Handle};

use crate::member::State;

/// One member, in 48 bytes: there may be many.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: NodeId,
    /// IPv4 as mapped into IPv6.
    ip: [u8; 16],
    pub(super) incarnation: u64,
    port: u16,
    flags: u16,
    /// Where it stands in the list of those that are up, or of those that are not.
    pub(super) position: u32,
}

/// What a record says beside its numbers, a bit each; the two lowest are the [`State`].
pub(crate) mod flag {
    /// It is a primary.
    pub(crate) const PRIMARY: u16 = 1 << 2;
    /// It speaks the compact form.
    pub(crate) const COMPACT: u16 = 1 << 3;
    /// It has shown that it knows the updates of the extended set.
    pub(crate) const EXTENDED: u16 = 1 << 4;
    /// The owner was told that it is up.
    pub(crate) const ANNOUNCED: u16 = 1 << 5;
    /// Another member has the same handle: it is only to be called by its id.
    pub(crate) const AMBIGUOUS: u16 = 1 << 6;
    /// There is metadata of it.
    pub(crate) const META: u16 = 1 << 7;
    /// It has been gone for so long that it is no longer told.
    pub(crate) const AGED: u16 = 1 << 8;
    /// Nobody is here.
    pub(crate) const VACANT: u16 = 1 << 9;
    /// It waits to be announced.
    pub(crate) const PENDING: u16 = 1 << 10;
}

impl Record {
    pub(super) fn new(id: NodeId, addr: SocketAddr, incarnation: u64, state: State) -> Self {
        let mut record = Self {
            id,
            ip: [0; 16],
            incarnation,
            port: 0,
            flags: state as u16,
            position: 0,
        };
        record.set_addr(addr);
        record
    }

    #[inline]
    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        match self.flags & 3 {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Dead,
            _ => State::Left,
        }
    }

    #[inline]
    pub(super) fn set_state(&mut self, state: State) {
        self.flags = self.flags & !3 | state as u16;
    }

    #[inline]
    pub(crate) fn handle(&self) -> Handle {
        Handle::of(&self.id)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        let ip = IpAddr::V6(Ipv6Addr::from(self.ip)).to_canonical();
        SocketAddr::new(ip, self.port)
    }

    /// Its address, as it goes into the fingerprint: two numbers.
    #[inline]
    pub(super) fn place(&self) -> (u128, u16) {
        (u128::from_be_bytes(self.ip), self.port)
    }

    pub(crate) fn set_addr(&mut self, addr: SocketAddr) {
        self.ip = match addr.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        self.port = addr.port();
    }

    #[inline]
    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn set(&mut self, flag: u16, on: bool) {
        if on {
            self.flags |= flag;
        } else {
            self.flags &= !flag;
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_record_is_small() {
        assert_eq!(size_of::<Record>(), 48);
    }

    #[test]
    fn an_address_has_one_spelling() {
        let mapped: SocketAddr = (Ipv4Addr::LOCALHOST.to_ipv6_mapped(), 7).into();
        let record = Record::new(NodeId::from([1; 16]), mapped, 1, State::Alive);
        assert_eq!(record.addr(), (Ipv4Addr::LOCALHOST, 7).into());
        let v6: SocketAddr = (Ipv6Addr::LOCALHOST, 8).into();
        let record = Record::new(NodeId::from([1; 16]), v6, 1, State::Alive);
        assert_eq!(record.addr(), v6);
    }

    #[test]
    fn flags_and_state_do_not_touch_each_other() {
        let addr = (Ipv4Addr::LOCALHOST, 7).into();
        let mut record = Record::new(NodeId::from([1; 16]), addr, 1, State::Dead);
        record.set(flag::PRIMARY, true);
        for state in [State::Alive, State::Suspect, State::Dead, State::Left] {
            record.set_state(state);
            assert_eq!(record.state(), state);
            assert!(record.has(flag::PRIMARY));
        }
        record.set(flag::PRIMARY, false);
        assert_eq!(record.state(), State::Left);
    }
}
