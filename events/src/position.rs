//! Positions in the log. Clients see them sealed: encrypted and authenticated for one account, since the plain numbers would
//! tell what others do.

use std::{collections::BTreeMap, fmt, str::FromStr};

use aes_siv::{KeyInit, siv::Aes128Siv};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{
    id::{PARTITIONS, Partition},
    mac::{InvalidKey, KEY_BYTES},
};

/// A sequence number for each of some partitions. Empty is reached by any reader. As text, `12:345,40:7`.
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
#[error("not <partition>:<sequence>[,…]")]
pub struct InvalidText;

impl FromStr for Positions {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let mut positions = Self::default();
        for (index, part) in text.split(',').enumerate() {
            if index >= usize::from(PARTITIONS) {
                return Err(InvalidText);
            }
            let (partition, seq) = part.trim().split_once(':').ok_or(InvalidText)?;
            let partition: u8 = partition.parse().map_err(|_| InvalidText)?;
            let seq: i64 = seq.parse().map_err(|_| InvalidText)?;
            if seq < 0 {
                return Err(InvalidText);
            }
            positions.include(
                Partition::try_from(partition).map_err(|_| InvalidText)?,
                seq,
            );
        }
        Ok(positions)
    }
}

/// Seals positions for clients.
///
/// AES-SIV (RFC 5297), with the account as associated data, and a nonce: a command that changes nothing returns the present
/// position of its partition, and if equal positions looked equal, it would show when somebody else has done something there.
#[derive(Clone)]
pub struct PositionKey([u8; KEY_BYTES]);

/// A partition and a sequence number, before encryption.
const PLACE_BYTES: usize = 9;

/// The length of a nonce in bytes. If two are equal by chance, no more is lost than that equal positions look equal.
pub const NONCE_BYTES: usize = 8;

impl PositionKey {
    /// Errors: not [`KEY_BYTES`] long.
    pub fn new(key: &[u8]) -> Result<Self, InvalidKey> {
        key.try_into().map(Self).map_err(|_| InvalidKey(key.len()))
    }

    /// The text that an account gets. The nonce is random.
    pub fn seal(&self, account: Uuid, positions: &Positions, nonce: [u8; NONCE_BYTES]) -> String {
        let mut plain = Vec::with_capacity(positions.0.len() * PLACE_BYTES);
        for (partition, seq) in positions.iter() {
            plain.push(partition.number());
            plain.extend_from_slice(&seq.to_be_bytes());
        }
        let sealed = self
            .cipher()
            .encrypt([&account.as_bytes()[..], &nonce], &plain);
        // Only a plain text of more than 2^36 bytes cannot be encrypted.
        URL_SAFE_NO_PAD.encode([&nonce[..], &sealed.unwrap_or_default()].concat())
    }

    /// Errors: the text was not sealed with this key for this account.
    pub fn open(&self, account: Uuid, text: &str) -> Result<Positions, InvalidPosition> {
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidPosition)?;
        let (nonce, sealed) = sealed
            .split_at_checked(NONCE_BYTES)
            .ok_or(InvalidPosition)?;
        let plain = self
            .cipher()
            .decrypt([&account.as_bytes()[..], nonce], sealed);
        let plain = plain.map_err(|_| InvalidPosition)?;
        let mut positions = Positions::default();
        let (places, rest) = plain.as_chunks::<PLACE_BYTES>();
        for [partition, seq @ ..] in places {
            let partition = Partition::try_from(*partition).map_err(|_| InvalidPosition)?;
            positions.include(partition, i64::from_be_bytes(*seq));
        }
        rest.is_empty().then_some(positions).ok_or(InvalidPosition)
    }

    fn cipher(&self) -> Aes128Siv {
        Aes128Siv::new(&self.0.into())
    }
}

impl fmt::Debug for PositionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PositionKey")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a position that this account got from a command, or is from before the log was restored"
)]
pub struct InvalidPosition;

#[cfg(test)]
mod tests {
    use super::*;

    fn positions() -> Positions {
        "40:7, 12:345,12:9".parse().unwrap()
    }

    #[test]
    fn a_position_parses_from_its_text() {
        assert_eq!(positions().to_string(), "12:345,40:7");
        assert_eq!(positions().to_string().parse(), Ok(positions()));
    }

    #[test]
    fn a_position_opens_for_its_account_and_key_only() {
        let (key, account) = (
            PositionKey::new(&[1; KEY_BYTES]).unwrap(),
            Uuid::from_u128(1),
        );
        let sealed = key.seal(account, &positions(), [3; NONCE_BYTES]);
        assert_eq!(key.open(account, &sealed), Ok(positions()));
        assert_eq!(key.open(Uuid::from_u128(2), &sealed), Err(InvalidPosition));
        let other = PositionKey::new(&[2; KEY_BYTES]).unwrap();
        assert_eq!(other.open(account, &sealed), Err(InvalidPosition));
        for length in 0..sealed.len() {
            assert_eq!(key.open(account, &sealed[..length]), Err(InvalidPosition));
        }
        for text in [
            "",
            "12:345",
            "AAAA",
            "not a position",
            &format!("{sealed}A"),
        ] {
            assert_eq!(key.open(account, text), Err(InvalidPosition), "{text:?}");
        }
    }

    #[test]
    fn a_sealed_position_shows_neither_partition_nor_number_nor_whether_it_is_another() {
        let (key, account) = (
            PositionKey::new(&[1; KEY_BYTES]).unwrap(),
            Uuid::from_u128(1),
        );
        let seal = |partition: u8, seq, nonce| {
            let partition = Partition::try_from(partition).unwrap();
            key.seal(
                account,
                &Positions::single(partition, seq),
                [nonce; NONCE_BYTES],
            )
        };
        let (one, next, same) = (seal(1, 1, 1), seal(1, 2, 1), seal(1, 1, 2));
        assert_eq!(one.len(), seal(63, i64::MAX, 1).len());
        for other in [next, same] {
            // But for the nonce.
            let (one, other) = (&one[11..], &other[11..]);
            let common = one
                .bytes()
                .zip(other.bytes())
                .filter(|(a, b)| a == b)
                .count();
            assert!(common < one.len() / 2, "{one} {other}");
        }
    }

    #[test]
    fn an_invalid_text_is_refused() {
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
            assert_eq!(text.parse::<Positions>(), Err(InvalidText), "{text:?}");
        }
    }
}
