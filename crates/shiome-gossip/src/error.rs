use thiserror::Error;

/// A datagram, or a part of it, does not decode. What decoded before stays good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} at byte {offset}")]
pub struct DecodeError {
    // No datagram is longer than a u16 can say, and small errors keep results of iterators small.
    offset: u16,
    kind: DecodeErrorKind,
}

impl DecodeError {
    /// Out of line, and by value: what reads stays in registers.
    #[cold]
    #[inline(never)]
    pub(crate) fn new(offset: usize, kind: DecodeErrorKind) -> Self {
        let offset = u16::try_from(offset).unwrap_or(u16::MAX);
        Self { offset, kind }
    }

    /// Where the field stands that is wrong or cut short, in bytes from the start of the datagram.
    pub fn offset(&self) -> usize {
        self.offset.into()
    }

    /// What is wrong.
    pub fn kind(&self) -> DecodeErrorKind {
        self.kind
    }
}

/// What is wrong with a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The datagram is longer than [`MAX_DATAGRAM_LEN`](crate::MAX_DATAGRAM_LEN); nothing of it was read.
    #[error("datagram too long")]
    DatagramTooLong,
    /// The datagram ends before the field does.
    #[error("field cut short")]
    Truncated,
    /// No such message is known. Newer nodes may have more.
    #[error("unknown message {0}")]
    UnknownMessage(u8),
    /// No such update is known. It tells no length, so those after it in the same list are lost.
    #[error("unknown update {0}")]
    UnknownUpdate(u8),
    /// An address is neither of IPv4 nor of IPv6.
    #[error("unknown address family {0}")]
    UnknownAddressFamily(u8),
    /// A list announces more items than the bytes that follow could hold.
    #[error("list of {0} items announced, with bytes for fewer")]
    CountTooLarge(u16),
    /// A slot range ends before it starts, or ends at [`SLOT_COUNT`](crate::SLOT_COUNT) or above.
    #[error("slot range {start}-{end}")]
    InvalidSlotRange {
        /// First slot, as it was sent.
        start: u16,
        /// Last slot, as it was sent.
        end: u16,
    },
    /// A field of the extension has not the length that it always has.
    #[error("extension field {tag} of {len} bytes")]
    InvalidFieldLen {
        /// Tag of the field.
        tag: u8,
        /// Its announced length, in bytes.
        len: u8,
    },
    /// A varint has more than ten bytes, or more bits than a u64.
    #[error("varint beyond 64 bits")]
    InvalidVarint,
    /// A member has flags that do not go together.
    #[error("member with flags {0:#04x}")]
    InvalidMemberFlags(u8),
    /// Metadata would be older than the member's first incarnation.
    #[error("metadata older than its member")]
    InvalidMetaAge,
    /// A member announces more slot ranges than [`MAX_LIST_ITEMS`](crate::MAX_LIST_ITEMS).
    #[error("more slot ranges than a list may have")]
    TooManySlotRanges,
    /// A Sync tells its buckets apart by more bits than
    /// [`MAX_BUCKET_BITS`](crate::compact::MAX_BUCKET_BITS).
    #[error("buckets of {0} bits")]
    TooManyBuckets(u8),
    /// Bytes follow the message, and the caller wanted none.
    #[error("trailing bytes")]
    TrailingBytes,
}

/// Something cannot be written. What was written before it stands as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer has too few bytes left.
    #[error("no room left in the datagram")]
    NoRoom,
    /// The list has [`MAX_LIST_ITEMS`](crate::MAX_LIST_ITEMS) items already.
    #[error("list is full")]
    ListFull,
    /// More slot ranges than [`MAX_LIST_ITEMS`](crate::MAX_LIST_ITEMS). No datagram can carry them as one item.
    #[error("more slot ranges than a list may have")]
    TooManySlotRanges,
    /// Metadata is said to be set at a later incarnation than its member has.
    #[error("metadata ahead of its member")]
    MetaAheadOfMember,
    /// A Sync's hashes are not one for each bucket, or its buckets are too many.
    #[error("not a number of buckets that a Sync can have")]
    BucketCount,
}
