use super::samples;

/// Length of the longest datagram that mutations make, in bytes.
const MAX_LEN: usize = 2 * samples::MAX_LEN;

/// Most mutations of one datagram.
const MAX_MUTATIONS: usize = 4;

/// Counts on the edges of limits, and what a length becomes when it wraps.
const COUNTS: [u16; 12] = [0, 1, 2, 8, 9, 127, 128, 255, 1_024, 1_025, 0x7fff, 0xffff];

/// Where counts stand in samples: bits and first kind of a compact datagram, lists of Welcome, Ping and SlotsAnnounce,
/// slots of the first update.
const COUNT_OFFSETS: [usize; 6] = [7, 8, 17, 19, 25, 52];

/// SplitMix64.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    #[inline]
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `end`, which is not 0.
    #[inline]
    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }
}

/// Makes datagrams out of samples, one after the other in the same place.
pub(crate) struct Mutator<'a> {
    samples: &'a [Vec<u8>],
    rng: Rng,
    buf: [u8; MAX_LEN],
    len: usize,
}

impl<'a> Mutator<'a> {
    /// There is at least one sample, and none is longer than it may be.
    pub(crate) fn new(samples: &'a [Vec<u8>], rng: Rng) -> Self {
        Self {
            samples,
            rng,
            buf: [0; MAX_LEN],
            len: 0,
        }
    }

    /// What the last mutations made.
    pub(crate) fn datagram(&self) -> &[u8] {
        &self.buf[..self.len]
    }

    /// Makes the next datagram.
    pub(crate) fn mutate(&mut self) {
        let sample = &self.samples[self.rng.below(self.samples.len())];
        self.len = sample.len();
        self.buf[..self.len].copy_from_slice(sample);
        for _ in 0..=self.rng.below(MAX_MUTATIONS) {
            match self.rng.below(16) {
                0..=5 => self.flip(),
                6..=8 => self.set(),
                9..=10 => self.truncate(),
                11..=12 => self.splice(),
                13..=14 => self.count(),
                _ => self.noise(),
            }
        }
    }

    /// Flips a bit.
    fn flip(&mut self) {
        if self.len > 0 {
            let bit = self.rng.below(self.len * 8);
            self.buf[bit / 8] ^= 1 << (bit % 8);
        }
    }

    /// Sets a byte to any value.
    fn set(&mut self) {
        if self.len > 0 {
            let at = self.rng.below(self.len);
            self.buf[at] = self.rng.next() as u8;
        }
    }

    fn truncate(&mut self) {
        self.len = self.rng.below(self.len + 1);
    }

    /// Puts the end of any sample behind the start of this.
    fn splice(&mut self) {
        let other = &self.samples[self.rng.below(self.samples.len())];
        let tail = &other[self.rng.below(other.len() + 1)..];
        let at = self.rng.below(self.len.min(samples::MAX_LEN) + 1);
        self.len = at + tail.len();
        self.buf[at..self.len].copy_from_slice(tail);
    }

    /// Writes a count where one stands, or elsewhere.
    fn count(&mut self) {
        let Some(last) = self.len.checked_sub(2) else {
            return;
        };
        let count = COUNTS[self.rng.below(COUNTS.len())];
        let at = match self.rng.below(2 * COUNT_OFFSETS.len()) {
            known if known < COUNT_OFFSETS.len() => COUNT_OFFSETS[known].min(last),
            _ => self.rng.below(last + 1),
        };
        self.buf[at..at + 2].copy_from_slice(&count.to_le_bytes());
    }

    /// Random bytes from somewhere to the end.
    fn noise(&mut self) {
        let at = self.rng.below(self.len + 1);
        for bytes in self.buf[at..self.len].chunks_mut(8) {
            let noise = self.rng.next().to_le_bytes();
            bytes.copy_from_slice(&noise[..bytes.len()]);
        }
    }
}
