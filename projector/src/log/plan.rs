//! Chooses how much of each partition to read next.

use feedmill_events::Partition;

use super::offsets::Offsets;
use crate::batch::Range;

/// The next ranges after `after` and up to `heads`, in ascending order: at most `limit` events, or one per partition if
/// that is more. Partitions get equal shares; what a short partition does not use goes to the others.
pub fn plan(
    partitions: impl Iterator<Item = Partition>,
    after: &Offsets,
    heads: &Offsets,
    limit: i64,
) -> Vec<Range> {
    let mut ranges: Vec<Range> = partitions
        .map(|partition| Range {
            partition,
            after: after[partition],
            upto: heads[partition],
        })
        .filter(|range| !range.is_empty())
        .collect();
    ranges.sort_by_key(Range::len);
    let (mut left, mut remaining) = (limit, ranges.len() as i64);
    for range in &mut ranges {
        let share = (left / remaining).max(1);
        range.upto = range.upto.min(range.after + share);
        left = (left - range.len()).max(0);
        remaining -= 1;
    }
    ranges.sort_by_key(|range| range.partition);
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lens(heads: [i64; 3], limit: i64) -> Vec<i64> {
        let mut offsets = Offsets::default();
        let partitions: Vec<Partition> = Partition::all().take(3).collect();
        for (partition, head) in partitions.iter().zip(heads) {
            offsets[*partition] = head;
        }
        let ranges = plan(partitions.into_iter(), &Offsets::default(), &offsets, limit);
        ranges.iter().map(Range::len).collect()
    }

    #[test]
    fn long_partitions_get_what_short_ones_leave() {
        assert_eq!(lens([1, 100, 1000], 301), [1, 100, 200]);
        assert_eq!(lens([500, 500, 500], 300), [100, 100, 100]);
        assert_eq!(lens([0, 5, 0], 300), [5]);
        assert_eq!(lens([9, 9, 9], 1), [1, 1, 1]);
        assert!(lens([0, 0, 0], 300).is_empty());
    }
}
