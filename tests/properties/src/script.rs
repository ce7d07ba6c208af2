//! Input as a script: what happens, taken from it a byte at a time.

/// What is left of a script. At its end all that it says is 0.
#[derive(Debug, Clone)]
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Below `limit`, which is at least 1 and at most 256.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    /// So many bytes, or those that are left.
    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Bytes behind their length, of which there are up to 255.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let len = self.byte().into();
        self.take(len)
    }

    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// Mostly a small number, so that two of them meet; any at all if the script says so.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..192 => (small % 8).into(),
            192..224 => u64::from(self.byte()) << 10,
            _ => {
                let mut bytes = [0; 8];
                let taken = self.take(8);
                bytes[..taken.len()].copy_from_slice(taken);
                u64::from_le_bytes(bytes)
            }
        }
    }

    pub(crate) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len().min(256))].clone()
    }

    /// Of the last 256, which count from the end.
    pub(crate) fn one_of_last<T: Clone>(&mut self, choices: &[T]) -> T {
        let back = self.below(choices.len().min(256));
        choices[choices.len() - 1 - back].clone()
    }
}
