//! Maps and sets by numbers: pids and tags of calls.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hasher, RandomState},
};

/// A map by numbers.
pub(crate) type NumberMap<T> = HashMap<u64, T, Secret>;

/// A set of numbers.
pub(crate) type NumberSet = HashSet<u64, Secret>;

/// What hashes numbers.
///
/// The peer chooses most of them, so each map has a secret of its own, and nobody who does not know it can choose numbers
/// that fall together. It costs a multiplication where the standard library's hash, made for texts, costs a hundred
/// instructions.
#[derive(Clone)]
pub(crate) struct Secret {
    mask: u64,
    factor: u64,
}

impl Default for Secret {
    fn default() -> Self {
        let random = RandomState::new();
        Self {
            mask: random.hash_one(0),
            factor: random.hash_one(1) | 1,
        }
    }
}

impl BuildHasher for Secret {
    type Hasher = NumberHasher;

    fn build_hasher(&self) -> NumberHasher {
        let Self { mask, factor } = *self;
        NumberHasher { hash: mask, factor }
    }
}

/// Hashes one number, or a few.
pub(crate) struct NumberHasher {
    hash: u64,
    factor: u64,
}

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // Both halves: the lower one alone has nothing of the number's upper bits in its lower ones.
        let product = u128::from(self.hash ^ number) * u128::from(self.factor);
        self.hash = product as u64 ^ (product >> 64) as u64;
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most numbers that share their hash's lowest bits, of as many numbers as there are such bits' values.
    fn crowd(numbers: impl Iterator<Item = u64>) -> usize {
        let secret = Secret::default();
        let mut counts = [0; 4096];
        for number in numbers.take(counts.len()) {
            counts[secret.hash_one(number) as usize % counts.len()] += 1;
        }
        counts.into_iter().max().unwrap_or(0)
    }

    #[test]
    fn numbers_in_any_row_are_spread() {
        for shift in [0, 1, 12, 32, 51] {
            // With a hash that is as good as random, 16 happens once in a billion times.
            let most = crowd((1..).map(|n: u64| n << shift));
            assert!(most < 24, "{most} of 4096, shifted by {shift}");
        }
    }

    #[test]
    fn what_falls_together_in_one_map_does_not_in_another() {
        let one = Secret::default();
        let together = (0..).filter(|n: &u64| one.hash_one(n) % 4096 == 0);
        let most = crowd(together);
        assert!(most < 24, "{most} of 4096");
    }
}
