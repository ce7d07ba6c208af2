use shiome_webrtc::script;

use crate::memory::within;

/// Memory for a byte that comes over a data channel: a buffer that doubles as it grows, the message, and one that is cut anew.
const PER_BYTE: usize = 8;

/// Memory beside that, in bytes.
const SPARE: usize = 4 * 1024;

/// Any pieces of messages over a data channel, see [`script::chunks`], in memory that the length of what came allows.
pub fn rtc_chunks(input: &[u8]) {
    within(PER_BYTE * input.len() + SPARE, || script::chunks(input));
}

/// Any signal for a direct connection, see [`script::signal`].
pub fn rtc_signal(input: &[u8]) {
    script::signal(&input[..input.len().min(MAX_SIGNAL_LEN)]);
}

/// Bytes of a signal: longer ones are refused by their length.
const MAX_SIGNAL_LEN: usize = 64 * 1024;
