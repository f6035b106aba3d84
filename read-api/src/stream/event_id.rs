//! Event ids: what a client has, sealed like a cursor. It gives the last one back as `Last-Event-ID`.
//!
//! In base64url, `moment (8) ‖` for each list `partitions (8) ‖ ages`: which partitions have made something within the reach, and
//! for each of them by how much its mark is older than the newest, in milliseconds, seven bits a byte.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use feedmill_events::PARTITIONS;
use uuid::Uuid;

use super::marks::{Marks, REACH};
use crate::cursor::Cursors;

const PATH: &str = "/v1/stream";

/// By list, in a fixed order.
pub const LISTS: usize = 3;

/// What a client had, and when.
#[derive(Debug)]
pub struct Had {
    /// In Unix milliseconds.
    pub moment: i64,
    pub marks: [Marks; LISTS],
}

pub fn seal(cursors: &Cursors, viewer: Uuid, moment: i64, marks: &[Marks; LISTS]) -> String {
    let place = URL_SAFE_NO_PAD.encode(write(moment, marks));
    cursors.seal(PATH, viewer, &place)
}

/// None for what was not sealed for this viewer's stream.
pub fn open(cursors: &Cursors, viewer: Uuid, event_id: &str) -> Option<Had> {
    let place = cursors.open(PATH, viewer, event_id)?;
    read(&URL_SAFE_NO_PAD.decode(place).ok()?)
}

fn write(moment: i64, marks: &[Marks; LISTS]) -> Vec<u8> {
    let mut bytes = moment.to_be_bytes().to_vec();
    for marks in marks {
        let from = marks.resume();
        let newest = from.iter().copied().fold(moment, i64::max);
        let ages = from.map(|from| newest - from);
        let mut made = 0_u64;
        for (partition, age) in ages.iter().enumerate() {
            made |= u64::from(*age < REACH) << partition;
        }
        bytes.extend(newest.to_be_bytes());
        bytes.extend(made.to_be_bytes());
        for mut age in ages.into_iter().filter(|age| *age < REACH) {
            while age >= 0x80 {
                bytes.push(age as u8 | 0x80);
                age >>= 7;
            }
            bytes.push(age as u8);
        }
    }
    bytes
}

fn read(bytes: &[u8]) -> Option<Had> {
    let mut rest = bytes;
    let moment = number(&mut rest)?;
    let mut list = || {
        let newest = number(&mut rest)?;
        let made = number(&mut rest)?;
        let mut from = [newest - REACH; PARTITIONS as usize];
        for (partition, from) in from.iter_mut().enumerate() {
            if made >> partition & 1 == 1 {
                *from = newest - age(&mut rest)?;
            }
        }
        Some(Marks::of(&from))
    };
    let marks = [list()?, list()?, list()?];
    rest.is_empty().then_some(Had { moment, marks })
}

fn number(bytes: &mut &[u8]) -> Option<i64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(i64::from_be_bytes(*number))
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

#[cfg(test)]
mod tests {
    use feedmill_events::{Partition, id};

    use super::*;

    const NOW: i64 = 1_713_000_000_000;

    #[test]
    fn what_is_sealed_is_what_is_opened() {
        let (cursors, viewer) = (Cursors::new(&[7; 32]), Uuid::from_u128(1));
        let mut marks = [Marks::new(NOW), Marks::new(NOW), Marks::new(NOW)];
        for (index, partition) in Partition::all().enumerate() {
            // From half a second in the future to almost a day ago.
            let millis = NOW + 500 - (REACH / 64) * index as i64;
            marks[1].note(partition, id::compose(millis, 0, 0, Some(partition)));
        }
        marks[2].note(Partition::of(viewer), id::compose(NOW - 5, 0, 0, None));
        let sealed = seal(&cursors, viewer, NOW, &marks);
        assert!(sealed.len() < 550, "{} characters", sealed.len());
        let had = open(&cursors, viewer, &sealed).unwrap();
        assert_eq!(had.moment, NOW);
        for (had, marks) in had.marks.iter().zip(&marks) {
            let (had, marks) = (had.resume(), marks.resume());
            for (had, marks) in had.iter().zip(marks) {
                assert_eq!(*had, marks);
            }
        }
        assert!(open(&cursors, Uuid::from_u128(2), &sealed).is_none());
        assert!(open(&cursors, viewer, "").is_none());
        let feed = cursors.seal("/v1/feed", viewer, "place");
        assert!(open(&cursors, viewer, &feed).is_none());
    }

    #[test]
    fn nothing_else_is_read() {
        let whole = write(NOW, &[Marks::new(NOW), Marks::new(NOW), Marks::new(NOW)]);
        assert!(read(&whole).is_some());
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_none());
        }
        assert!(read(&[whole.as_slice(), &[0]].concat()).is_none());
    }
}
