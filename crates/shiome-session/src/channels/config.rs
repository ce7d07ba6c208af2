use shiome_wire::native;

use super::ChannelFault;
use crate::config::FRAGMENT_THRESHOLD;

/// Limit on the channels that are open at a time, each way.
pub const MAX_CHANNELS: usize = 16;

/// Limit on the name of a channel, in bytes.
pub const MAX_CHANNEL_NAME_LEN: usize = 64;

/// Longest message that any channel takes, in bytes. What is longer belongs into pieces of the program's own.
pub const MAX_CHANNEL_MESSAGE_LEN: u64 = 64 * 1024 * 1024;

/// Limits of one end of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelConfig {
    /// Longest message that this side takes, in bytes. From 1 to [`MAX_CHANNEL_MESSAGE_LEN`]. Default: 1 MiB. A longer one
    /// ends the link.
    pub max_message_len: u64,
    /// Bytes that this side takes before it grants more: what messages that nobody has taken yet can hold. At least twice
    /// `max_message_len` and 256 KiB, so that a message fits while another's credit is on its way. Default: 4 MiB.
    pub window: u64,
    /// Bytes that wait here to be sent before more is refused, each message with 64 bytes on top; a single message always
    /// finds room. Default: 256 KiB.
    pub max_queued: usize,
}

/// What a window has beyond two messages: two pieces each way, and what each piece takes on top.
const WINDOW_BEYOND: u64 = 4 * FRAGMENT_THRESHOLD as u64;

impl ChannelConfig {
    pub(super) fn bounded(self) -> Self {
        let max_message_len = self.max_message_len.clamp(1, MAX_CHANNEL_MESSAGE_LEN);
        Self {
            max_message_len,
            window: self.window.max(least_window(max_message_len)),
            ..self
        }
    }
}

impl Default for ChannelConfig {
    fn default() -> Self {
        Self {
            max_message_len: 1024 * 1024,
            window: 4 * 1024 * 1024,
            max_queued: 256 * 1024,
        }
    }
}

/// What a receiver of such messages has to take, so that nobody waits for ever: it grants when half of the window is taken.
fn least_window(max_message_len: u64) -> u64 {
    2 * max_message_len + WINDOW_BEYOND
}

/// Whether an end of the peer can be one.
pub(super) fn check(open: &native::ChannelOpen) -> Result<(), ChannelFault> {
    if open.name.is_empty() || open.name.len() > MAX_CHANNEL_NAME_LEN {
        return Err(ChannelFault::InvalidName);
    }
    let messages = 1..=MAX_CHANNEL_MESSAGE_LEN;
    if !messages.contains(&open.max_message_len) || open.window < least_window(open.max_message_len)
    {
        return Err(ChannelFault::InvalidLimits);
    }
    Ok(())
}
