//! Limits of the format and of what speaks it.

/// Longest datagram that is decoded or written, in bytes: what UDP over IPv4 can carry.
///
/// It bounds every list in a datagram: at most 3 851 updates or 1 926 members.
pub const MAX_DATAGRAM_LEN: usize = 65_507;

/// Length of datagrams that pass ordinary paths in one piece, in bytes. It leaves room below 1 500 for IP and UDP
/// headers and for a tunnel.
pub const SUGGESTED_DATAGRAM_LEN: usize = 1_400;

/// Most items that are written into one list, because `ember-cluster` 0.4.9 refuses a datagram with more.
///
/// Longer lists are read, since 0.2.1 writes them: reading is bounded by the bytes there are.
pub const MAX_LIST_ITEMS: usize = 1_024;

/// Number of hash slots. The last slot is one below it.
pub const SLOT_COUNT: u16 = 16_384;
