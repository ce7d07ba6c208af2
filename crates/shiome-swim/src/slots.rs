use shiome_gossip::SlotRange;

/// The ranges in order, with those that overlap or touch made one.
pub(crate) fn normalised(ranges: impl IntoIterator<Item = SlotRange>) -> Vec<SlotRange> {
    let mut ranges: Vec<SlotRange> = ranges.into_iter().collect();
    ranges.sort_unstable_by_key(|range| (range.start(), range.end()));
    let mut merged: Vec<SlotRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start() <= last.end().saturating_add(1) => {
                let end = last.end().max(range.end());
                if let Ok(joint) = SlotRange::new(last.start(), end) {
                    *last = joint;
                }
            }
            _ => merged.push(range),
        }
    }
    merged
}

/// Most ranges of a member. The same on every node, or nodes would differ for ever; a record with as many fits into
/// the shortest datagram that may be configured.
pub(crate) const MAX_RANGES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(pairs: &[(u16, u16)]) -> Vec<SlotRange> {
        let range = |&(start, end)| SlotRange::new(start, end).unwrap();
        pairs.iter().map(range).collect()
    }

    #[test]
    fn ranges_are_put_in_order_and_made_one_where_they_meet() {
        let given = ranges(&[(9, 12), (0, 3), (4, 4), (11, 20), (22, 30), (25, 26)]);
        assert_eq!(normalised(given), ranges(&[(0, 4), (9, 20), (22, 30)]));
        assert!(normalised([]).is_empty());
    }
}
