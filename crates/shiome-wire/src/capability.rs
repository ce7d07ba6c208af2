//! Bits of `native.Hello.capabilities`.

use std::ops::BitAnd;

/// What a node can take beyond what every node understands: a set, as in [`Hello`](crate::native::Hello).
///
/// A node sends a kind of message only if both ends have announced its bit. Bits that are not known here are kept, and
/// mean nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u64);

impl Capabilities {
    /// None at all: what a peer without a Hello can take.
    pub const NONE: Self = Self(0);
    /// [`CallError`](crate::native::CallError).
    pub const CALL_ERRORS: Self = Self(1);
    /// [`Fragment`](crate::native::Fragment).
    pub const FRAGMENTS: Self = Self(2);
    /// [`Credit`](crate::native::Credit): casts and fragments wait for it.
    pub const CREDIT: Self = Self(4);
    /// [`Stop`](crate::native::Stop).
    pub const STOP: Self = Self(8);
    /// [`Monitor`](crate::native::Monitor), [`Demonitor`](crate::native::Demonitor) and [`Exit`](crate::native::Exit).
    pub const MONITORS: Self = Self(16);
    /// [`Goodbye`](crate::native::Goodbye).
    pub const GOODBYE: Self = Self(32);
    /// Channels beside the actors: [`ChannelOpen`](crate::native::ChannelOpen), [`ChannelData`](crate::native::ChannelData),
    /// [`ChannelCredit`](crate::native::ChannelCredit) and [`ChannelClose`](crate::native::ChannelClose).
    pub const CHANNELS: Self = Self(64);
    /// Metadata of casts and calls that is wrapped, see [`trace`](crate::trace).
    pub const TRACE_CONTEXT: Self = Self(128);
    /// All that are known here.
    pub const ALL: Self = Self(255);

    /// The set of these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits of the set.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of `other` are in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What both can take.
impl BitAnd for Capabilities {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_use_what_both_can_take() {
        let later = Capabilities::from_bits(Capabilities::STOP.bits() | 1 << 40);
        let both = later & Capabilities::ALL;
        assert_eq!(both, Capabilities::STOP);
        assert!(later.contains(Capabilities::STOP));
        assert!(!later.contains(Capabilities::CREDIT));
        assert!(!Capabilities::STOP.contains(later));
    }

    #[test]
    fn all_are_the_known_ones() {
        let known = [
            Capabilities::CALL_ERRORS,
            Capabilities::FRAGMENTS,
            Capabilities::CREDIT,
            Capabilities::STOP,
            Capabilities::MONITORS,
            Capabilities::GOODBYE,
            Capabilities::CHANNELS,
            Capabilities::TRACE_CONTEXT,
        ];
        let bits = known.iter().fold(0, |all, one| all | one.bits());
        assert_eq!(bits, Capabilities::ALL.bits());
        assert!(Capabilities::ALL.contains(Capabilities::NONE));
    }
}
