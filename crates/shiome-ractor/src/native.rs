use std::{
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use shiome_handshake::{Announce, MIN_ANNOUNCED_LIMIT};
use shiome_session::{Config, Terms, wire::Capabilities};

/// What this node does with the protocol that nodes of shiome speak among themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NativePolicy {
    /// Whether this node announces it.
    pub(crate) enabled: bool,
    /// Whether peers that do not speak it are refused.
    pub(crate) required: bool,
}

impl Default for NativePolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            required: false,
        }
    }
}

impl NativePolicy {
    /// What peers are told of this node.
    pub(crate) fn announce(&self, config: &Config, max_frame_len: u64) -> Option<Announce> {
        self.enabled.then(|| {
            let mut announce = Announce {
                capabilities: Capabilities::ALL,
                incarnation: *INCARNATION,
                max_frame_len,
                max_message_len: config.max_message_len,
                max_reassembly_len: config.max_reassembly_len,
                window: config.window.max(MIN_ANNOUNCED_LIMIT),
            };
            set_max_frame_len(&mut announce, max_frame_len);
            announce
        })
    }
}

/// Announces this limit, or the least that there is, and with it the limits that have to hold such a frame.
pub(crate) fn set_max_frame_len(announce: &mut Announce, max_frame_len: u64) {
    let Announce {
        max_frame_len: frame,
        max_message_len: message,
        max_reassembly_len: reassembly,
        ..
    } = announce;
    *frame = max_frame_len.max(MIN_ANNOUNCED_LIMIT);
    *message = (*message).max(*frame);
    *reassembly = (*reassembly).max(*message);
}

/// The limits of a session with a peer that was told `announce`: what was promised is taken.
pub(crate) fn keep_word(config: &mut Config, announce: &Announce) {
    config.max_message_len = announce.max_message_len;
    config.max_reassembly_len = announce.max_reassembly_len;
    config.window = announce.window;
}

/// What was agreed on with a peer, for the session.
pub(crate) fn terms(native: &shiome_handshake::Native) -> Terms {
    Terms {
        version: native.version,
        capabilities: native.capabilities,
        incarnation: native.hello.incarnation,
        max_frame_len: native.hello.max_frame_len,
        max_message_len: native.hello.max_message_len,
        max_reassembly_len: native.hello.max_reassembly_len,
        window: native.hello.window,
    }
}

/// Which run of this node this is. Actors, with their pids, are of the process, so a run is that of the process.
static INCARNATION: LazyLock<u64> = LazyLock::new(incarnation);

/// Which run of this node this is.
pub(crate) fn this_run() -> u64 {
    *INCARNATION
}

/// A number for a run that starts now: greater than those before, unless the clock was set back meanwhile. Then peers
/// take the earlier run for the later one until that has not answered a probe.
fn incarnation() -> u64 {
    u64::try_from(since_epoch().as_micros())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// A nonce for a connection that this node dials now: smaller than those before.
///
/// Of several connections that one node has dialled the smallest nonce stays, at published acceptors too. So a node
/// that was started anew wins against a connection of its earlier run that nobody has closed. It is no secret; the low
/// bits tell connections of the same millisecond apart.
pub(crate) fn connection_id(random: u32) -> u64 {
    let millis = u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX);
    let remaining = MILLIS_MASK - (millis & MILLIS_MASK);
    remaining << RANDOM_BITS | u64::from(random) & ((1 << RANDOM_BITS) - 1)
}

const RANDOM_BITS: u32 = 20;

/// 44 bits of milliseconds, more than 500 years from 1970.
const MILLIS_MASK: u64 = u64::MAX >> RANDOM_BITS;

fn since_epoch() -> std::time::Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_connections_have_smaller_nonces_and_none_is_zero() {
        let first = connection_id(u32::MAX);
        std::iter::repeat_with(|| connection_id(u32::MAX))
            .find(|later| later >> RANDOM_BITS < first >> RANDOM_BITS)
            .expect("the clock goes on");
        assert_ne!(connection_id(0), 0);
    }

    #[test]
    fn later_runs_have_greater_numbers() {
        let first = incarnation();
        assert!(std::iter::repeat_with(incarnation).any(|later| later > first));
    }
}
