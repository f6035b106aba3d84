//! Which instance owns which partition, by rendezvous hashing.
//!
//! Every pair of an instance and a partition has a weight, and the instance with the greatest weight owns the partition.
//! All who know the same instances agree without communication. A partition moves only to an instance that joins or
//! from one that leaves, never between two that stay.

use std::collections::BTreeSet;

use feedmill_events::{Partition, id};
use uuid::Uuid;

/// The owner of a partition. None without instances.
pub fn owner(projection: &str, partition: Partition, instances: &[Uuid]) -> Option<Uuid> {
    let heaviest = |instance: &Uuid| (weight(projection, partition, *instance), *instance);
    instances.iter().copied().max_by_key(heaviest)
}

/// The partitions of a projection that one of these instances owns.
pub fn owned_partitions(
    projection: &str,
    instance: Uuid,
    instances: &[Uuid],
) -> BTreeSet<Partition> {
    Partition::all()
        .filter(|partition| owner(projection, *partition, instances) == Some(instance))
        .collect()
}

/// The same on every machine. It includes the projection, so that each projection is distributed differently.
fn weight(projection: &str, partition: Partition, instance: Uuid) -> u64 {
    let bytes = instance.into_bytes().into_iter();
    let hash = id::fnv1a(bytes.chain([partition.number()]).chain(projection.bytes()));
    // The high bits of FNV hardly depend on the last bytes, so they are mixed as in SplitMix64.
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
    fn every_partition_has_one_owner_whatever_the_order_of_instances() {
        let mut known = instances(1, 5);
        let before = owners(&known);
        known.reverse();
        assert_eq!(owners(&known), before);
        let shares: Vec<_> = known
            .iter()
            .map(|i| owned_partitions("feed", *i, &known))
            .collect();
        assert_eq!(shares.iter().map(BTreeSet::len).sum::<usize>(), 64);
        assert!(shares.iter().all(|share| !share.is_empty()));
        assert!(owners(&[]).iter().all(Option::is_none));
        assert_eq!(owned_partitions("feed", known[0], &known[..1]).len(), 64);
    }

    #[test]
    fn a_partition_moves_only_if_its_owner_leaves() {
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
    fn partitions_are_distributed_about_equally() {
        let mut max = 0;
        for seed in 0..100 {
            let all = instances(seed, 4);
            for instance in &all {
                let count = owned_partitions("feed", *instance, &all).len();
                assert!(count > 3, "{count}");
                max = max.max(count);
            }
        }
        assert!(
            max < 32,
            "one of four instances owns {max} of 64 partitions"
        );
    }

    #[test]
    fn projections_are_distributed_differently() {
        let all = instances(9, 3);
        assert_ne!(
            owned_partitions("feed", all[0], &all),
            owned_partitions("digest", all[0], &all)
        );
    }
}
