//! The one source of chance. Its stream is part of every published figure, so it is written here rather than taken from
//! a crate whose next version may change it.

/// xoshiro256** (Blackman and Vigna 2018), filled by SplitMix64.
#[derive(Debug, Clone)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut mix = seed;
        Self {
            state: std::array::from_fn(|_| split_mix(&mut mix)),
        }
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let bits = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        bits
    }

    /// A number below `bound`, which is not 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from 0 to 1, without 1.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// 32 random bytes.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        for chunk in seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes());
        }
        seed
    }

    /// `count` different numbers below `bound`, in random order.
    pub fn choose(&mut self, count: usize, bound: u32) -> Vec<u32> {
        let mut all = Vec::from_iter(0..bound);
        let count = count.min(all.len());
        for i in 0..count {
            let other = i + self.below((all.len() - i) as u64) as usize;
            all.swap(i, other);
        }
        all.truncate(count);
        all
    }
}

/// One step of SplitMix64, also good to spread numbers that lie close together.
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_the_published_algorithm() {
        let mut rng = Rng {
            state: [1, 2, 3, 4],
        };
        let first = [rng.bits(), rng.bits(), rng.bits(), rng.bits()];
        assert_eq!(first, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn chosen_numbers_differ() {
        let mut chosen = Rng::new(7).choose(50, 50);
        assert_ne!(chosen, Vec::from_iter(0..50));
        chosen.sort_unstable();
        assert_eq!(chosen, Vec::from_iter(0..50));
    }
}
