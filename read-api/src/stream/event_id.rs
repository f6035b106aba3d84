//! Event ids: the watermarks of a client, signed like a cursor. A client sends the last one as `Last-Event-ID`, and any
//! instance can resume its stream.
//!
//! The bytes, in base64url: the time of the event (8), the fingerprint of the posts of the feed (16 + 2 + 8), then per list its newest watermark (8), a bit set of the
//! partitions whose watermark is within the lookback (8), and for each of these its age, by how much it is older than
//! the newest one (seven bits per byte). All times are in milliseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use feedmill_events::PARTITIONS;
use uuid::Uuid;

use super::{
    items::LISTS,
    visible::Fingerprint,
    watermarks::{LOOKBACK_MILLIS, Watermarks},
};
use crate::http::cursor::Cursors;

const PATH: &str = "/v1/stream";

/// Where a stream is resumed.
#[derive(Debug)]
pub struct ResumePoint {
    /// When the client's last event was sent, in Unix milliseconds.
    pub sent_at: i64,
    pub watermarks: [Watermarks; LISTS],
    pub fingerprint: Fingerprint,
}

pub fn sign(
    cursors: &Cursors,
    viewer: Uuid,
    now: i64,
    watermarks: &[Watermarks; LISTS],
    fingerprint: Fingerprint,
) -> String {
    let key = URL_SAFE_NO_PAD.encode(encode(now, watermarks, fingerprint));
    cursors.sign(PATH, viewer, &key)
}

/// None for an id that was not signed for this viewer's stream.
pub fn parse(cursors: &Cursors, viewer: Uuid, event_id: &str) -> Option<ResumePoint> {
    let key = cursors.verify(PATH, viewer, event_id)?;
    decode(&URL_SAFE_NO_PAD.decode(key).ok()?)
}

fn encode(now: i64, watermarks: &[Watermarks; LISTS], fingerprint: Fingerprint) -> Vec<u8> {
    let mut bytes = now.to_be_bytes().to_vec();
    bytes.extend(fingerprint.newest.as_bytes());
    bytes.extend(fingerprint.count.to_be_bytes());
    bytes.extend(fingerprint.hash.to_be_bytes());
    for watermarks in watermarks {
        let from = watermarks.resume();
        let newest = from.iter().copied().fold(now, i64::max);
        let ages = from.map(|from| newest - from);
        let mut recent = 0_u64;
        for (partition, age) in ages.iter().enumerate() {
            recent |= u64::from(*age < LOOKBACK_MILLIS) << partition;
        }
        bytes.extend(newest.to_be_bytes());
        bytes.extend(recent.to_be_bytes());
        for mut age in ages.into_iter().filter(|age| *age < LOOKBACK_MILLIS) {
            while age >= 0x80 {
                bytes.push(age as u8 | 0x80);
                age >>= 7;
            }
            bytes.push(age as u8);
        }
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<ResumePoint> {
    let mut rest = bytes;
    let sent_at = number(&mut rest)?;
    let fingerprint = Fingerprint {
        newest: Uuid::from_bytes(array(&mut rest)?),
        count: u16::from_be_bytes(array(&mut rest)?),
        hash: u64::from_be_bytes(array(&mut rest)?),
    };
    let mut list = || {
        let newest = number(&mut rest)?;
        let recent = number(&mut rest)?;
        let mut from = [newest - LOOKBACK_MILLIS; PARTITIONS as usize];
        for (partition, from) in from.iter_mut().enumerate() {
            if recent >> partition & 1 == 1 {
                *from = newest - age(&mut rest)?;
            }
        }
        Some(Watermarks::starting_at(&from))
    };
    let watermarks = [list()?, list()?, list()?];
    rest.is_empty().then_some(ResumePoint {
        sent_at,
        watermarks,
        fingerprint,
    })
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*array)
}

fn number(bytes: &mut &[u8]) -> Option<i64> {
    array(bytes).map(i64::from_be_bytes)
}

fn age(bytes: &mut &[u8]) -> Option<i64> {
    let mut age = 0;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        age |= i64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Some(age);
        }
    }
    None
}

pub fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

pub fn unix_millis() -> i64 {
    unix_time().as_millis() as i64
}

#[cfg(test)]
mod tests {
    use feedmill_events::{Partition, id::compose};

    use super::*;

    const NOW: i64 = 1_713_000_000_000;

    #[test]
    fn a_parsed_id_has_the_watermarks_that_were_signed() {
        let (cursors, viewer) = (Cursors::new(&[7; 32]), Uuid::from_u128(1));
        let mut watermarks = [(); LISTS].map(|()| Watermarks::new(NOW));
        for (index, partition) in Partition::all().enumerate() {
            // From half a second in the future to almost a day ago.
            let millis = NOW + 500 - (LOOKBACK_MILLIS / 64) * index as i64;
            watermarks[1].mark_sent(partition, compose(millis, 0, 0, Some(partition)));
        }
        watermarks[2].mark_sent(Partition::of(viewer), compose(NOW - 5, 0, 0, None));
        let fingerprint = Fingerprint {
            newest: viewer,
            count: 7,
            hash: u64::MAX,
        };
        let id = sign(&cursors, viewer, NOW, &watermarks, fingerprint);
        assert!(id.len() < 600, "{} characters", id.len());
        let point = parse(&cursors, viewer, &id).unwrap();
        assert_eq!((point.sent_at, point.fingerprint), (NOW, fingerprint));
        for (parsed, original) in point.watermarks.iter().zip(&watermarks) {
            assert_eq!(parsed.resume(), original.resume());
        }
        assert!(parse(&cursors, Uuid::from_u128(2), &id).is_none());
        assert!(parse(&cursors, viewer, "").is_none());
        let feed = cursors.sign("/v1/feed", viewer, "key");
        assert!(parse(&cursors, viewer, &feed).is_none());
    }

    #[test]
    fn truncated_or_extended_bytes_are_invalid() {
        let watermarks = [(); LISTS].map(|()| Watermarks::new(NOW));
        let bytes = encode(NOW, &watermarks, Fingerprint::default());
        assert!(decode(&bytes).is_some());
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_none());
        }
        assert!(decode(&[bytes.as_slice(), &[0]].concat()).is_none());
    }
}
