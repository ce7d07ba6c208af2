//! What two tables are compared by.
//!
//! Each member that is up has a fingerprint of its id, address, incarnation and metadata; a bucket is the exclusive or of the
//! fingerprints of the members in it. So a change costs two operations, whatever the number of members, and a bucket
//! of a coarser grid is the exclusive or of finer ones. Suspicion leaves no trace in it: it comes and goes too fast to
//! be reconciled, and gossip carries it.

use shiome_gossip::NodeId;

/// Grid of the buckets that are kept: 2^8.
pub(crate) const MAX_BITS: u8 = 8;
const BUCKETS: usize = 1 << MAX_BITS;

/// Fingerprints of a table.
#[derive(Clone)]
pub(crate) struct Digest {
    /// As they go on the wire.
    buckets: Box<[u32; BUCKETS]>,
    total: u64,
}

impl Digest {
    pub(crate) fn new() -> Self {
        Self {
            buckets: Box::new([0; BUCKETS]),
            total: 0,
        }
    }

    /// Adds a fingerprint, or takes it away.
    #[inline]
    pub(crate) fn toggle(&mut self, id: &NodeId, fingerprint: u64) {
        self.buckets[bucket(id, MAX_BITS)] ^= fingerprint as u32;
        self.total ^= fingerprint;
    }

    #[inline]
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The buckets of the grid with 2^`bits` of them. `bits` is at most [`MAX_BITS`].
    pub(crate) fn buckets(&self, bits: u8) -> impl ExactSizeIterator<Item = u32> {
        let merged = 1 << (MAX_BITS - bits);
        let merge = |fine: &[u32]| fine.iter().fold(0, |sum, bucket| sum ^ bucket);
        self.buckets.chunks_exact(merged).map(merge)
    }
}

/// The bucket of a member in the grid of 2^`bits`.
#[inline]
pub(crate) fn bucket(id: &NodeId, bits: u8) -> usize {
    let (high, low) = halves(id);
    let mixed = fold(high ^ 0x2d35_8dcc_aa6c_78a5, low ^ 0x8bb8_4b93_962e_acc9);
    ((mixed >> (64 - MAX_BITS)) as usize) >> (MAX_BITS - bits)
}

/// Fingerprint of what all nodes should agree on about a member that is up. The same on every node. `place` is its
/// address, IPv4 as mapped into IPv6, and its port.
#[inline]
pub(crate) fn fingerprint(
    id: &NodeId,
    incarnation: u64,
    place: (u128, u16),
    meta_incarnation: u64,
) -> u64 {
    let (high, low) = halves(id);
    let (ip, port) = place;
    let id = fold(high ^ 0x4b33_a62e_d433_d4a3, low ^ 0x4d5a_2da5_1de1_aa47);
    let version = fold(
        incarnation ^ 0xa076_1d64_78bd_642f,
        meta_incarnation ^ 0xe703_7ed1_a0b4_28db,
    );
    let place = fold(
        (ip >> 64) as u64 ^ u64::from(port) ^ 0x8ebc_6af0_9c88_c6e3,
        ip as u64 ^ 0x5899_65cc_7537_4cc3,
    );
    fold(
        id ^ place.rotate_left(32) ^ 0x9fb2_1c65_1e98_df25,
        version ^ place ^ 0x0ddd_b1e7_c9b5_0d4f,
    )
}

#[inline]
fn halves(id: &NodeId) -> (u64, u64) {
    let whole = u128::from_be_bytes(*id.as_bytes());
    ((whole >> 64) as u64, whole as u64)
}

/// Both halves of the product, folded into one.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn id(n: u64) -> NodeId {
        NodeId::from(u128::from(n).to_be_bytes())
    }

    #[test]
    fn what_is_added_and_taken_away_leaves_nothing() {
        let mut digest = Digest::new();
        digest.toggle(&id(1), 77);
        digest.toggle(&id(2), 99);
        digest.toggle(&id(1), 77);
        digest.toggle(&id(2), 99);
        assert_eq!(digest.total(), 0);
        assert!(digest.buckets(8).all(|bucket| bucket == 0));
    }

    #[test]
    fn a_coarser_grid_holds_the_same_members() {
        let mut digest = Digest::new();
        for n in 0..1_000 {
            digest.toggle(&id(n), fingerprint(&id(n), n, (7, 7), 0));
        }
        for bits in 0..=MAX_BITS {
            assert_eq!(digest.buckets(bits).len(), 1 << bits);
            let before: Vec<u32> = digest.buckets(bits).collect();
            let member = id(500);
            let change = fingerprint(&member, 1, (7, 8), 0);
            digest.toggle(&member, change);
            let after: Vec<u32> = digest.buckets(bits).collect();
            digest.toggle(&member, change);
            let differ: Vec<usize> = (0..1 << bits).filter(|n| before[*n] != after[*n]).collect();
            assert_eq!(differ, [bucket(&member, bits)]);
        }
    }

    #[test]
    fn each_part_changes_the_fingerprint() {
        let mut seen = HashSet::new();
        for n in 0..30 {
            for incarnation in 0..30 {
                for ip in [0, 1, 1 << 64] {
                    for port in [1, 2] {
                        for meta in 0..4 {
                            seen.insert(fingerprint(&id(n), incarnation, (ip, port), meta));
                        }
                    }
                }
            }
        }
        assert_eq!(seen.len(), 30 * 30 * 3 * 2 * 4);
    }

    #[test]
    fn counted_ids_spread_over_the_buckets() {
        let mut buckets = [0_u32; 256];
        for n in 0..25_600 {
            buckets[bucket(&id(n), 8)] += 1;
        }
        assert!(buckets.iter().all(|n| (50..160).contains(n)), "{buckets:?}");
    }
}
