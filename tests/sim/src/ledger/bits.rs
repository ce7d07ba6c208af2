//! A square of bits.

#[derive(Debug)]
pub(super) struct Matrix {
    words: Vec<u64>,
    row_words: usize,
}

impl Matrix {
    pub(super) fn new(side: u32) -> Self {
        let row_words = (side as usize).div_ceil(64);
        Self {
            words: vec![0; row_words * side as usize],
            row_words,
        }
    }

    #[inline]
    pub(super) fn get(&self, row: u32, column: u32) -> bool {
        self.words[self.word(row, column)] >> (column % 64) & 1 == 1
    }

    /// Sets a bit. Returns what it was.
    #[inline]
    pub(super) fn set(&mut self, row: u32, column: u32, value: bool) -> bool {
        let word = self.word(row, column);
        let mask = 1 << (column % 64);
        let was = self.words[word] & mask != 0;
        if value {
            self.words[word] |= mask;
        } else {
            self.words[word] &= !mask;
        }
        was
    }

    pub(super) fn clear_row(&mut self, row: u32) {
        let begin = row as usize * self.row_words;
        self.words[begin..begin + self.row_words].fill(0);
    }

    /// The columns that are set in a row, in order.
    pub(super) fn row(&self, row: u32) -> impl Iterator<Item = u32> {
        let begin = row as usize * self.row_words;
        let words = &self.words[begin..begin + self.row_words];
        words.iter().zip(0..).flat_map(|(word, at)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| at * 64 + bit)
        })
    }

    #[inline]
    fn word(&self, row: u32, column: u32) -> usize {
        row as usize * self.row_words + column as usize / 64
    }
}
