use thiserror::Error;

/// A local call about a channel that did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The peer knows no channels.
    #[error("the peer does not understand it")]
    NotNegotiated,
    /// A name has 1 to [`MAX_CHANNEL_NAME_LEN`](crate::MAX_CHANNEL_NAME_LEN) bytes.
    #[error("no name for a channel")]
    InvalidName,
    /// This side has an open channel of that name.
    #[error("there is a channel of that name")]
    NameInUse,
    /// As many are open as [`MAX_CHANNELS`](crate::MAX_CHANNELS) allows.
    #[error("{limit} channels are open already")]
    TooMany {
        /// The limit in force.
        limit: usize,
    },
    /// This side or the peer has not opened it, or has closed it.
    #[error("the channel is not open")]
    NotOpen,
    /// The peer takes no message of that length.
    #[error("message of {len} bytes, the peer's limit is {limit}")]
    TooLong {
        /// Length of the message, in bytes.
        len: u64,
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// As much waits as [`ChannelConfig::max_queued`](crate::ChannelConfig::max_queued) allows.
    /// [`Event::ChannelRoom`](crate::Event::ChannelRoom) tells when less does.
    #[error("{queued} bytes wait on the channel already")]
    Full {
        /// Bytes that wait.
        queued: usize,
    },
    /// The session is closed, or about to be.
    #[error("the session is closed")]
    Closed,
}

/// What is wrong with what the peer says about a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChannelFault {
    /// The name is empty or too long.
    #[error("no name for a channel")]
    InvalidName,
    /// A window that is too small for its messages, or messages above
    /// [`MAX_CHANNEL_MESSAGE_LEN`](crate::MAX_CHANNEL_MESSAGE_LEN).
    #[error("channel with impossible limits")]
    InvalidLimits,
    /// A number that is not above those before.
    #[error("number of a channel used again")]
    NumberReused,
    /// The peer has an open channel of that name.
    #[error("channel opened twice")]
    NameInUse,
    /// More than [`MAX_CHANNELS`](crate::MAX_CHANNELS).
    #[error("more than {limit} open channels")]
    TooMany {
        /// The limit in force.
        limit: usize,
    },
    /// A number that no channel ever had.
    #[error("no such channel")]
    Unknown,
    /// A message from an end that the peer has not opened, or has closed.
    #[error("message on a channel that the peer has not opened")]
    NotOpen,
    /// A message above [`ChannelConfig::max_message_len`](crate::ChannelConfig::max_message_len).
    #[error("message on a channel of more than {limit} bytes")]
    TooLong {
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// A piece of which more is to come, and that holds nothing.
    #[error("empty piece")]
    Empty,
}
