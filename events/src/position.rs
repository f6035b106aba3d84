//! Places in the log as clients see them: `Feedmill-Position: 12:345,40:7`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{PARTITIONS, Partition};

/// At most one sequence number a partition. Empty means "anywhere".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<Partition, i64>);

impl Positions {
    pub fn single(partition: Partition, seq: i64) -> Self {
        Self(BTreeMap::from([(partition, seq)]))
    }

    /// Adds a place; of two in one partition the later one stays.
    pub fn include(&mut self, partition: Partition, seq: i64) {
        let known = self.0.entry(partition).or_insert(seq);
        *known = seq.max(*known);
    }

    pub fn iter(&self) -> impl Iterator<Item = (Partition, i64)> + '_ {
        self.0.iter().map(|(partition, seq)| (*partition, *seq))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (partition, seq)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{partition}:{seq}")?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a position is <partition>:<sequence>[,…], with partitions from 0 to 63, for example 12:345"
)]
pub struct NotAPosition;

impl FromStr for Positions {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let mut positions = Self::default();
        for (index, part) in text.split(',').enumerate() {
            if index >= usize::from(PARTITIONS) {
                return Err(NotAPosition);
            }
            let (partition, seq) = part.trim().split_once(':').ok_or(NotAPosition)?;
            let partition: u8 = partition.parse().map_err(|_| NotAPosition)?;
            let seq: i64 = seq.parse().map_err(|_| NotAPosition)?;
            if seq < 0 {
                return Err(NotAPosition);
            }
            positions.include(
                Partition::try_from(partition).map_err(|_| NotAPosition)?,
                seq,
            );
        }
        Ok(positions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_what_it_wrote() {
        let positions: Positions = "40:7, 12:345,12:9".parse().unwrap();
        assert_eq!(positions.to_string(), "12:345,40:7");
        assert_eq!(positions.to_string().parse(), Ok(positions));
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in [
            "",
            "1",
            "1:",
            ":1",
            "64:1",
            "-1:1",
            "1:-1",
            "1:1,",
            "a:b",
            "1:99999999999999999999",
        ] {
            assert_eq!(text.parse::<Positions>(), Err(NotAPosition), "{text:?}");
        }
    }
}
