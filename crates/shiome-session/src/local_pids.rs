use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, Hasher},
};

/// Pids of local actors. Others choose what is looked up, but not what is in it, so that a secret in the hash would be
/// of no use.
pub(crate) type LocalPids = HashSet<u64, BuildHasherDefault<PidHasher>>;

/// Spreads numbers that follow each other.
#[derive(Debug, Default)]
pub(crate) struct PidHasher(u64);

impl Hasher for PidHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, pid: u64) {
        // 2^64 over the golden ratio.
        let spread = (self.0 ^ pid).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
