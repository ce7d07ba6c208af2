//! The parts of a binary frame.

use super::super::WireError;

/// Longest varint of a `u64`.
const MAX_VARINT_LEN: usize = 10;

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
    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
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
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_str(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn varint_len(value: u64) -> usize {
    (u64::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
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
            assert_eq!(
                Reader::new(bytes).varint(),
                Err(WireError::Varint),
                "{bytes:x?}"
            );
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
