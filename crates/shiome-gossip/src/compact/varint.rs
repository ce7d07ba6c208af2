//! Integers of as many bytes as they need: unsigned LEB128 of a u64.
//!
//! Each byte carries 7 bits, the low ones first, and has its high bit set when another follows. Of the tenth, only
//! bit 0 is there to be used. Zeros at the end are read and not written.

use crate::{
    error::{DecodeError, DecodeErrorKind, EncodeError},
    reader::Reader,
    writer::Writer,
};

/// Set in every byte but the last.
const MORE: u8 = 0x80;

/// Length of the longest, in bytes.
pub(super) const MAX_LEN: usize = 10;

#[inline(always)]
pub(super) fn read(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let start = *reader;
    let byte = reader.u8()?;
    if byte < MORE {
        return Ok(byte.into());
    }
    match read_long(start.rest()) {
        Ok((value, len)) => {
            *reader = start;
            reader.part(len)?;
            Ok(value)
        }
        Err(kind) => Err(start.error(kind)),
    }
}

/// Out of line, and by value: what reads stays in registers.
#[inline(never)]
fn read_long(bytes: &[u8]) -> Result<(u64, usize), DecodeErrorKind> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(MAX_LEN).enumerate() {
        let bits = u64::from(byte & !MORE);
        let shift = 7 * index as u32;
        if bits > u64::MAX >> shift {
            return Err(DecodeErrorKind::InvalidVarint);
        }
        value |= bits << shift;
        if *byte < MORE {
            return Ok((value, index + 1));
        }
    }
    Err(match bytes.len() {
        ..MAX_LEN => DecodeErrorKind::Truncated,
        _ => DecodeErrorKind::InvalidVarint,
    })
}

#[inline(always)]
pub(super) fn write(mut value: u64, out: &mut Writer<'_>) -> Result<(), EncodeError> {
    while value >= MORE.into() {
        out.u8(value as u8 | MORE)?;
        value >>= 7;
    }
    out.u8(value as u8)
}

/// Length on the wire, in bytes.
pub(super) fn encoded_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}
