//! Which instance has which partitions: rendezvous hashing.
//!
//! Every instance gives each partition a weight, and the heaviest has it. So all who know the same instances
//! agree without talking; when one comes it only takes, when one goes it only leaves behind, and no partition
//! moves between two that stay.

use std::collections::BTreeSet;

use feedmill_events::{Partition, id};
use uuid::Uuid;

/// Whose the partition is; nobody's, if there is nobody.
pub fn owner(projection: &str, partition: Partition, instances: &[Uuid]) -> Option<Uuid> {
    let heaviest = |instance: &Uuid| (weight(projection, partition, *instance), *instance);
    instances.iter().copied().max_by_key(heaviest)
}

/// What one of these instances has of a projection.
pub fn share(projection: &str, instance: Uuid, instances: &[Uuid]) -> BTreeSet<Partition> {
    Partition::all()
        .filter(|partition| owner(projection, *partition, instances) == Some(instance))
        .collect()
}

/// The same on every machine. The projection counts, so that each is shared out in another way.
fn weight(projection: &str, partition: Partition, instance: Uuid) -> u64 {
    let bytes = instance.into_bytes().into_iter();
    let hash = id::fnv1a(bytes.chain([partition.number()]).chain(projection.bytes()));
    // FNV's high bits hardly depend on the last bytes: mixed as in SplitMix64.
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instances(seed: u8, count: u8) -> Vec<Uuid> {
        (0..count)
            .map(|n| Uuid::from_u128(u128::from(id::fnv1a([seed, n])) << 32))
            .collect()
    }

    fn owners(instances: &[Uuid]) -> Vec<Option<Uuid>> {
        Partition::all()
            .map(|partition| owner("feed", partition, instances))
            .collect()
    }

    #[test]
    fn every_partition_is_one_instances_whatever_order_they_are_known_in() {
        let mut known = instances(1, 5);
        let before = owners(&known);
        known.reverse();
        assert_eq!(owners(&known), before);
        let shares: Vec<_> = known.iter().map(|i| share("feed", *i, &known)).collect();
        assert_eq!(shares.iter().map(BTreeSet::len).sum::<usize>(), 64);
        assert!(shares.iter().all(|share| !share.is_empty()));
        assert!(owners(&[]).iter().all(Option::is_none));
        assert_eq!(share("feed", known[0], &known[..1]).len(), 64);
    }

    #[test]
    fn only_what_must_move_moves() {
        for seed in 0..50 {
            let all = instances(seed, 6);
            let before = owners(&all);
            for (gone, one) in all.iter().enumerate() {
                let mut rest = all.clone();
                rest.remove(gone);
                for (old, new) in before.iter().zip(owners(&rest)) {
                    assert!(*old == Some(*one) || *old == new);
                }
            }
        }
    }

    #[test]
    fn shares_are_about_equal() {
        let mut most = 0;
        for seed in 0..100 {
            let all = instances(seed, 4);
            for instance in &all {
                let count = share("feed", *instance, &all).len();
                assert!(count > 3, "{count}");
                most = most.max(count);
            }
        }
        assert!(most < 32, "one of four has {most} of 64");
    }

    #[test]
    fn projections_are_shared_out_differently() {
        let all = instances(9, 3);
        assert_ne!(share("feed", all[0], &all), share("digest", all[0], &all));
    }
}
