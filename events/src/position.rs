//! Positions in the log, in the form that clients see: `Feedmill-Position: 12:345,40:7`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::id::{PARTITIONS, Partition};

/// A sequence number for each of some partitions. Empty is reached by any reader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<Partition, i64>);

impl Positions {
    /// The position of one event.
    pub fn single(partition: Partition, seq: i64) -> Self {
        Self(BTreeMap::from([(partition, seq)]))
    }

    /// Adds a sequence number. Of two in one partition, the higher one is kept.
    pub fn include(&mut self, partition: Partition, seq: i64) {
        let known = self.0.entry(partition).or_insert(seq);
        *known = seq.max(*known);
    }

    /// In ascending order of partitions.
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
    "a position must be <partition>:<sequence>[,…], with partitions from 0 to 63, for example 12:345"
)]
pub struct InvalidPosition;

impl FromStr for Positions {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let mut positions = Self::default();
        for (index, part) in text.split(',').enumerate() {
            if index >= usize::from(PARTITIONS) {
                return Err(InvalidPosition);
            }
            let (partition, seq) = part.trim().split_once(':').ok_or(InvalidPosition)?;
            let partition: u8 = partition.parse().map_err(|_| InvalidPosition)?;
            let seq: i64 = seq.parse().map_err(|_| InvalidPosition)?;
            if seq < 0 {
                return Err(InvalidPosition);
            }
            positions.include(
                Partition::try_from(partition).map_err(|_| InvalidPosition)?,
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
    fn a_position_parses_from_its_text() {
        let positions: Positions = "40:7, 12:345,12:9".parse().unwrap();
        assert_eq!(positions.to_string(), "12:345,40:7");
        assert_eq!(positions.to_string().parse(), Ok(positions));
    }

    #[test]
    fn an_invalid_position_is_refused() {
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
            assert_eq!(text.parse::<Positions>(), Err(InvalidPosition), "{text:?}");
        }
    }
}
