//! Wall-clock time. What it says never decides about who is alive.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds of Unix time, modulo 2^32.
pub(crate) fn unix_seconds() -> u32 {
    (since_unix_epoch().as_secs() & u64::from(u32::MAX)) as u32
}

/// An epoch to encrypt in: greater after each start, if the clock is, and not that of another node which started in the
/// same millisecond.
pub(crate) fn epoch() -> u64 {
    let millis = since_unix_epoch().as_millis() as u64;
    let random = rand::random::<u64>() & ((1 << RANDOM_BITS) - 1);
    (millis << RANDOM_BITS) | random
}

/// An incarnation for a node that keeps its id but has nowhere to keep its incarnation. 256 a second leave room for
/// those that it takes while it runs.
pub(crate) fn incarnation() -> u64 {
    since_unix_epoch().as_secs() << 8
}

/// The rest of the 64 bits holds milliseconds until the year 2527.
const RANDOM_BITS: u32 = 20;

/// Zero if the clock stands before 1970.
fn since_unix_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_starts_have_greater_epochs() {
        let first = epoch();
        // The clock that is asked has to move on by a millisecond.
        let second = std::iter::repeat_with(epoch)
            .find(|epoch| epoch >> RANDOM_BITS != first >> RANDOM_BITS);
        assert!(second.unwrap() > first);
    }
}
