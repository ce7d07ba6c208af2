//! The parts of a binary frame.

use super::super::WireError;

/// Longest varint of a `u64`.
const MAX_VARINT_LEN: usize = 10;

/// Bytes that are looked at together: all varints but the longest fit.
const WORD_LEN: usize = size_of::<u64>();

/// The bit of each byte of a varint that says that another one follows.
const MORE: u64 = 0x8080_8080_8080_8080;

/// Reads a body from its start. Whatever it is asked for beyond the end is [`WireError::Truncated`].
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        let (&byte, rest) = self.rest.split_first().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    /// A varint in its shortest form.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        if let [byte @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok((*byte).into());
        }
        match self.varint_of_word() {
            Some(value) => Ok(value),
            None => self.any_varint(),
        }
    }

    /// One that ends within the next word, if that is all there and has one.
    fn varint_of_word(&mut self) -> Option<u64> {
        let word = u64::from_le_bytes(*self.rest.first_chunk::<WORD_LEN>()?);
        let ends = !word & MORE;
        if ends == 0 {
            return None;
        }
        // Up to the first byte after which there is no more.
        let bits = ends.trailing_zeros() + 1;
        let groups = word & (u64::MAX >> (u64::BITS - bits));
        if groups >> (bits - 8) == 0 {
            return None;
        }
        self.rest = self.rest.get(bits as usize / 8..)?;
        Some(gather(groups & !MORE))
    }

    /// One that is long, near the end, or none.
    #[cold]
    fn any_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for (at, &byte) in self.rest.iter().take(MAX_VARINT_LEN).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                let too_much = at + 1 == MAX_VARINT_LEN && byte > 1;
                if too_much || (at > 0 && byte == 0) {
                    return Err(WireError::Varint);
                }
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        match self.rest.len() {
            MAX_VARINT_LEN.. => Err(WireError::Varint),
            _ => Err(WireError::Truncated),
        }
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// So many bytes as the varint before them says.
    pub(super) fn counted(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.varint()?;
        self.bytes(usize::try_from(len).map_err(|_| WireError::Truncated)?)
    }

    #[inline]
    pub(super) fn str(&mut self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.counted()?).map_err(|_| WireError::Utf8)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn rest_str(&mut self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.rest()).map_err(|_| WireError::Utf8)
    }
}

#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        return out.push(value as u8);
    }
    let len = varint_len(value);
    if len > WORD_LEN {
        return put_long_varint(out, value);
    }
    let more = MORE & !(u64::MAX << (8 * (len - 1)));
    let end = out.len() + len;
    out.extend_from_slice(&(spread(value) | more).to_le_bytes());
    out.truncate(end);
}

/// One that does not fit into a word.
#[cold]
fn put_long_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Puts groups of 7 bits each into a byte of its own: a varint but for the bits that say that there is more.
fn spread(value: u64) -> u64 {
    let halves = (value & 0xfff_ffff) | ((value & 0xff_ffff_f000_0000) << 4);
    let quarters = (halves & 0x3fff_0000_3fff) | ((halves & 0xfff_c000_0fff_c000) << 2);
    (quarters & 0x7f_007f_007f_007f) | ((quarters & 0x3f80_3f80_3f80_3f80) << 1)
}

/// The value of groups that were [spread].
fn gather(groups: u64) -> u64 {
    let quarters = (groups & 0x7f_007f_007f_007f) | ((groups & 0x7f00_7f00_7f00_7f00) >> 1);
    let halves = (quarters & 0x3fff_0000_3fff) | ((quarters & 0x3fff_0000_3fff_0000) >> 2);
    (halves & 0xfff_ffff) | ((halves & 0xfff_ffff_0000_0000) >> 4)
}

#[inline]
pub(super) fn put_str(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[inline]
pub(super) fn varint_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    // For up to 64 bits that is one byte for each 7 bits begun.
    ((bits * 9 + 64) / 64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn varints_have_one_form() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0x80, 0x00],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[
                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0x00,
            ],
        ] {
            let amid_others = [bytes, &[0x01; WORD_LEN]].concat();
            for bytes in [bytes, &amid_others] {
                assert_eq!(
                    Reader::new(bytes).varint(),
                    Err(WireError::Varint),
                    "{bytes:x?}"
                );
            }
        }
        let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Reader::new(&longest).varint(), Ok(u64::MAX));
        assert_eq!(
            Reader::new(&longest[..9]).varint(),
            Err(WireError::Truncated)
        );
    }

    #[test]
    fn a_length_beyond_the_end_is_not_believed() {
        let mut reader = Reader::new(&[
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, b'a',
        ]);
        assert_eq!(reader.counted(), Err(WireError::Truncated));
    }

    proptest! {
        #[test]
        fn varints_survive_amid_others(values: Vec<(u64, u8)>) {
            // Of all lengths.
            let values: Vec<_> = values.into_iter().map(|(value, by)| value >> (by % 64)).collect();
            let mut out = Vec::new();
            values.iter().for_each(|value| put_varint(&mut out, *value));
            let mut reader = Reader::new(&out);
            for value in values {
                prop_assert_eq!(reader.varint(), Ok(value));
            }
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn varints_survive(value: u64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            prop_assert_eq!(out.len(), varint_len(value));
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert!(reader.is_empty());
        }
    }
}
