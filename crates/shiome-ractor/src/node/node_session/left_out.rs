use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the actors of one peer that there was no room for in groups.
#[derive(Debug, Default)]
pub(super) struct LeftOut(AtomicU64);

impl LeftOut {
    /// Counts some more; all of them so far when that is worth telling: the first time, and whenever there are twice as
    /// many. A peer may let its actors join again and again.
    pub(super) fn count(&self, more: usize) -> Option<u64> {
        let more = more as u64;
        let before = self.0.fetch_add(more, Ordering::Relaxed);
        let all = before.saturating_add(more);
        (all.checked_ilog2() > before.checked_ilog2()).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_told_and_then_whenever_there_are_twice_as_many() {
        let left_out = LeftOut::default();
        assert_eq!(left_out.count(0), None);
        assert_eq!(left_out.count(5), Some(5));
        let told: Vec<_> = (0..1000).filter_map(|_| left_out.count(1)).collect();
        assert_eq!(told, [8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(left_out.count(9000), Some(10_005));
    }
}
