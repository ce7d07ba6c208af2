//! What the code under test allocates.

/// Memory for a byte of an encoded message, in bytes: two bytes on the wire can be an item of a hundred, in a list that
/// is moved as it doubles.
pub(crate) const PER_BYTE_OF_MESSAGE: usize = 160;

/// Runs `code`, and what it gives must at no time have had more than `limit` bytes allocated beyond what was there.
///
/// Not to be nested.
#[track_caller]
pub(crate) fn within<T>(limit: usize, code: impl FnOnce() -> T) -> T {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(code()));
    assert!(
        info.bytes_max <= limit as u64,
        "{} bytes allocated, the limit is {limit}",
        info.bytes_max
    );
    result.expect("the code has run")
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, panic::catch_unwind};

    use super::*;

    #[test]
    fn the_most_that_is_held_at_a_time_counts() {
        let code = || {
            for _ in 0..10 {
                drop(black_box(vec![0u8; 1000]));
            }
            black_box(vec![0u8; 600])
        };
        assert_eq!(within(1000, code).len(), 600);
        assert!(catch_unwind(|| within(999, code)).is_err());
    }
}
