//! The ways in which a stream of bytes may be split on its way.

use std::iter;

/// Single bytes, after which they become pieces that take less time.
const MAX_SINGLE: usize = 2 * 1024;
const THEN: usize = 1000;

/// How a stream arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pieces {
    Whole,
    /// Byte by byte, if it is not long.
    Single,
    /// Of any length, as this number says.
    Mixed(u32),
}

/// Ways that differ, the whole first; one of them as `input` says.
pub(crate) fn ways(input: &[u8]) -> [Pieces; 3] {
    let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    let hash = input.iter().fold(0x811c_9dc5, mix);
    [Pieces::Whole, Pieces::Single, Pieces::Mixed(hash | 1)]
}

impl Pieces {
    /// Lengths of the pieces, at least 1 each, without end.
    pub(crate) fn lens(self) -> impl Iterator<Item = usize> {
        let mut state = match self {
            Self::Mixed(seed) => seed,
            _ => 0,
        };
        let mut singles = MAX_SINGLE;
        iter::repeat_with(move || match self {
            Self::Whole => usize::MAX,
            Self::Single if singles == 0 => THEN,
            Self::Single => {
                singles -= 1;
                1
            }
            Self::Mixed(_) => {
                // xorshift32
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                // Mostly short ones.
                let most = [3, 16, 64, 1024][state as usize % 4];
                1 + (state >> 8) as usize % most
            }
        })
    }

    pub(crate) fn of(self, mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut lens = self.lens();
        iter::from_fn(move || {
            let len = lens.next()?.min(bytes.len());
            let (piece, rest) = bytes.split_at(len);
            bytes = rest;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_give_the_same_bytes() {
        let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let pieces = ways(&bytes).map(|way| way.of(&bytes).count());
        assert_eq!(pieces[..2], [1, MAX_SINGLE + 3]);
        assert!((10..2000).contains(&pieces[2]), "{pieces:?}");
        for way in ways(&bytes) {
            assert_eq!(way.of(&bytes).collect::<Vec<_>>().concat(), bytes);
            assert_eq!(way.of(&[]).count(), 0);
        }
    }
}
