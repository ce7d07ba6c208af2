use core::{iter::FusedIterator, slice};

use super::{header::Header, message::SYNC};
use crate::{
    error::{DecodeError, DecodeErrorKind, EncodeError},
    reader::Reader,
    writer::Writer,
};

/// Most bits that tell members' buckets apart: [`Sync`] stays within 1 033 bytes.
pub const MAX_BUCKET_BITS: u8 = 8;

const IS_ANSWER: u8 = 1 << 0;

const HASH_LEN: usize = 4;

/// Message 0x45: what the sender knows of the cluster, as a hash for each bucket of members. The receiver finds the
/// buckets that differ and sends their members; what a bucket is and what of a member is hashed is the engines' affair.
///
/// | offset | bytes    | field                                                       |
/// |--------|----------|-------------------------------------------------------------|
/// | 0      | 7        | [`Header`]                                                  |
/// | 7      | 1        | flags. Bit 0: this is an answer. Written 0, read as nothing: the others |
/// | 8      | 1        | bits: there are 2^bits buckets; at most [`MAX_BUCKET_BITS`] |
/// | 9      | 4 × 2^bits | hashes of the buckets, u32 each                           |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sync<'a> {
    is_answer: bool,
    bits: u8,
    buckets: &'a [[u8; HASH_LEN]],
}

impl<'a> Sync<'a> {
    /// Whether it answers another Sync, and so needs no answer.
    pub fn is_answer(&self) -> bool {
        self.is_answer
    }

    /// How many bits tell the buckets apart, from 0 to [`MAX_BUCKET_BITS`].
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// The hashes of the 2^[`bits`](Self::bits) buckets, from the first.
    pub fn buckets(&self) -> Buckets<'a> {
        Buckets(self.buckets.iter())
    }

    /// Writes the message to the start of `buf` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`EncodeError::BucketCount`] when `bits` is above [`MAX_BUCKET_BITS`] or the hashes are not 2^`bits`,
    /// [`EncodeError::NoRoom`] when it does not fit.
    pub fn encode(
        header: &Header,
        buf: &mut [u8],
        is_answer: bool,
        bits: u8,
        hashes: impl ExactSizeIterator<Item = u32>,
    ) -> Result<usize, EncodeError> {
        if bits > MAX_BUCKET_BITS || hashes.len() != 1 << bits {
            return Err(EncodeError::BucketCount);
        }
        let mut out = Writer::new(buf);
        header.write(SYNC, &mut out)?;
        out.u8(if is_answer { IS_ANSWER } else { 0 })?;
        out.u8(bits)?;
        out.arrays(hashes.map(u32::to_le_bytes))?;
        Ok(out.len())
    }

    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let flags = reader.u8()?;
        let at_bits = *reader;
        let bits = reader.u8()?;
        if bits > MAX_BUCKET_BITS {
            return Err(at_bits.error(DecodeErrorKind::TooManyBuckets(bits)));
        }
        let (buckets, _) = reader.part(HASH_LEN << bits)?.rest().as_chunks();
        Ok(Self {
            is_answer: flags & IS_ANSWER != 0,
            bits,
            buckets,
        })
    }
}

/// Iterator over the hashes of a [`Sync`].
#[derive(Debug, Clone)]
pub struct Buckets<'a>(slice::Iter<'a, [u8; HASH_LEN]>);

impl Iterator for Buckets<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        self.0.next().copied().map(u32::from_le_bytes)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Buckets<'_> {}

impl FusedIterator for Buckets<'_> {}
