//! Memory that comes and goes with messages.

use std::hint::black_box;

/// Memory that messages on their way through one process take, and give back, within a moment, in bytes: what waits to be
/// written, what a peer is granted, what one read brings.
const TURNOVER_LEN: usize = 4 * 1024 * 1024;

/// Lets a memory manager that learns what comes and goes learn it before the first message does, instead of from it.
///
/// glibc's gives free memory back to the system from 128 KiB on, and takes it again for the next message of 64 KiB, page by
/// page, which costs more than to send it. It keeps up to twice the length of the longest block that it has mapped and has
/// seen freed. Nothing is touched, and for others this is a block that nobody used.
pub(crate) fn announce() {
    drop(black_box(Vec::<u8>::with_capacity(TURNOVER_LEN)));
}
