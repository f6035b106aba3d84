//! Ids: UUIDv7 (RFC 9562) with the partition in the low six bits.
//!
//! A new object gets the partition of its owner: a root post that of its author, a reply that of its thread, a message
//! that of its conversation. Routing a command is therefore arithmetic on the id in the request, without a lookup
//! before the partition is locked. The partition of an account or a conversation is a hash ([`partition_of_key`]) or
//! random.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The number of partitions of the log. Fixed, since every id contains its partition.
pub const PARTITIONS: u8 = 64;

const MASK: u8 = PARTITIONS - 1;

/// The number of a partition of the log, `0..PARTITIONS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Partition(u8);

impl Partition {
    /// The partition in an id.
    pub fn of(id: Uuid) -> Self {
        Self(id.as_bytes()[15] & MASK)
    }

    /// Every partition, in ascending order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..PARTITIONS).map(Self)
    }

    pub fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Partition {
    type Error = InvalidPartition;

    fn try_from(number: u8) -> Result<Self, InvalidPartition> {
        if number < PARTITIONS {
            Ok(Self(number))
        } else {
            Err(InvalidPartition(i64::from(number)))
        }
    }
}

/// From a `smallint` column.
impl TryFrom<i16> for Partition {
    type Error = InvalidPartition;

    fn try_from(number: i16) -> Result<Self, InvalidPartition> {
        u8::try_from(number)
            .ok()
            .and_then(|n| Self::try_from(n).ok())
            .ok_or(InvalidPartition(i64::from(number)))
    }
}

impl From<Partition> for u8 {
    fn from(partition: Partition) -> Self {
        partition.0
    }
}

impl From<Partition> for i16 {
    fn from(partition: Partition) -> Self {
        Self::from(partition.0)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a partition: partitions are 0 to 63")]
pub struct InvalidPartition(i64);

/// Composes an id.
///
/// `millis` is Unix time in milliseconds, of which the low 48 bits are used; times before 1970 become 1970. `counter`
/// orders the ids of one millisecond; its low 12 bits are used. `random` fills the rest, and without `partition` also
/// determines the partition.
pub fn compose(millis: i64, counter: u16, random: u64, partition: Option<Partition>) -> Uuid {
    let millis = u64::try_from(millis).unwrap_or(0) & 0xFFFF_FFFF_FFFF;
    let high = (millis << 16) | 0x7000 | u64::from(counter & 0x0FFF);
    let mut low = (random & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000;
    if let Some(partition) = partition {
        low = (low & !u64::from(MASK)) | u64::from(partition.0);
    }
    Uuid::from_u64_pair(high, low)
}

/// The time in an id, in Unix milliseconds. Creation times are derived from ids, so both always agree.
pub fn millis(id: Uuid) -> i64 {
    (id.as_u64_pair().0 >> 16) as i64
}

/// The lowest id of a millisecond: the ids of the time range `[a, b)` are those in `[first_of(a), first_of(b))`.
pub fn first_of(millis: i64) -> Uuid {
    let millis = u64::try_from(millis).unwrap_or(0) & 0xFFFF_FFFF_FFFF;
    Uuid::from_u64_pair(millis << 16, 0)
}

/// The 64-bit FNV-1a hash, which is the same on every machine and in every version. Not for input with which an
/// attacker gains from collisions.
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The partition of an object with a unique key, such as a handle or the members of a conversation: concurrent commands
/// for the same key are decided in the same partition, one after the other.
pub fn partition_of_key(bytes: impl IntoIterator<Item = u8>) -> Partition {
    Partition((fnv1a(bytes) as u8) & MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_contains_its_time_and_partition() {
        for partition in Partition::all() {
            let id = compose(1_713_000_000_123, 7, u64::MAX, Some(partition));
            assert_eq!(id.get_version_num(), 7);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
            assert_eq!(Partition::of(id), partition);
            assert_eq!(millis(id), 1_713_000_000_123);
        }
    }

    #[test]
    fn ids_order_by_time_then_counter() {
        let early = compose(10, 4095, u64::MAX, None);
        let late = compose(11, 0, 0, None);
        assert!(early < late);
        assert!(compose(10, 1, u64::MAX, None) < compose(10, 2, 0, None));
        assert!(first_of(11) <= late && early < first_of(11));
    }

    #[test]
    fn fnv1a_equals_its_published_test_vectors() {
        assert_eq!(fnv1a(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
    }
}
