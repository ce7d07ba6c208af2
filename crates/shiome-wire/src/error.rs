use thiserror::Error;

/// The byte stream is not a sequence of acceptable frames. The connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The peer announced a frame above the limit. Nothing was allocated for it.
    #[error("frame of {announced} bytes announced, the limit is {limit}")]
    TooLong {
        /// What the length prefix says, in bytes.
        announced: u64,
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// The stream ended inside a frame.
    #[error("stream ended inside a frame, {buffered} bytes into it")]
    Truncated {
        /// Bytes of the unfinished frame that had arrived, prefix included.
        buffered: usize,
    },
}

/// A frame's body is not an acceptable message. The frames after it are not affected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not valid protobuf, or a known field has another type than the schema's.
    #[error("malformed message: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// The lists of the message have more items than [`MAX_LIST_ITEMS`](crate::MAX_LIST_ITEMS).
    /// Nothing was allocated for them.
    #[error("message lists {items} items or more, the limit is {limit}")]
    TooManyItems {
        /// Items counted when the count was given up.
        items: usize,
        /// The limit in force.
        limit: usize,
    },
}

/// The message cannot be sent as one frame. The buffer is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The receiver would refuse the frame and close the connection.
    #[error("message of {len} bytes, the receiver's limit is {limit}")]
    TooLong {
        /// Length of the encoded message, in bytes.
        len: u64,
        /// The limit in force, in bytes.
        limit: u64,
    },
}
