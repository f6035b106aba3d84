//! How much of which partition to read next.

use feedmill_events::Partition;

use super::Places;
use crate::batch::Range;

/// At most `limit` events (or one a partition, if that is more) of what `partitions` have between `done` and
/// `heads`: the same number of each, and what the short ones leave over goes to the others.
pub fn plan(
    partitions: impl Iterator<Item = Partition>,
    done: &Places,
    heads: &Places,
    limit: i64,
) -> Vec<Range> {
    let mut ranges: Vec<Range> = partitions
        .map(|partition| Range {
            partition,
            after: done[partition],
            upto: heads[partition],
        })
        .filter(|range| !range.is_empty())
        .collect();
    ranges.sort_by_key(Range::len);
    let (mut left, mut waiting) = (limit, ranges.len() as i64);
    for range in &mut ranges {
        let share = (left / waiting).max(1);
        range.upto = range.upto.min(range.after + share);
        left = (left - range.len()).max(0);
        waiting -= 1;
    }
    ranges.sort_by_key(|range| range.partition);
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lens(heads: [i64; 3], limit: i64) -> Vec<i64> {
        let mut places = Places::default();
        let partitions: Vec<Partition> = Partition::all().take(3).collect();
        for (partition, head) in partitions.iter().zip(heads) {
            places[*partition] = head;
        }
        let ranges = plan(partitions.into_iter(), &Places::default(), &places, limit);
        ranges.iter().map(Range::len).collect()
    }

    #[test]
    fn what_short_partitions_leave_goes_to_long_ones() {
        assert_eq!(lens([1, 100, 1000], 301), [1, 100, 200]);
        assert_eq!(lens([500, 500, 500], 300), [100, 100, 100]);
        assert_eq!(lens([0, 5, 0], 300), [5]);
        assert_eq!(lens([9, 9, 9], 1), [1, 1, 1]);
        assert!(lens([0, 0, 0], 300).is_empty());
    }
}
