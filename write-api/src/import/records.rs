//! The records of a file, each with its place among the lines of its millisecond.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader},
};

use super::{
    lines::Lines,
    record::{self, Record},
    report::ImportError,
};

/// Reads records. A record's place counts every line of its millisecond, whether or not an earlier run imported it, so a
/// record has the same place on every run of its file, also after lines were added at the end.
pub struct Records<R> {
    lines: Lines<R>,
    /// The time of the last record, in Unix milliseconds.
    millis: i64,
    /// The number of records of this millisecond so far.
    count: u32,
    /// How many records of this millisecond had this name, for records without an id. A hash stands for the name: if two
    /// names collide, one of them is stored as a repetition, on every run alike.
    repetitions: HashMap<u64, u32>,
}

impl<'f> Records<BufReader<&'f File>> {
    pub fn of(file: &'f File) -> Self {
        Self::new(Lines::of(file))
    }
}

impl<R> Records<R> {
    fn new(lines: Lines<R>) -> Self {
        Self {
            lines,
            millis: i64::MIN,
            count: 0,
            repetitions: HashMap::new(),
        }
    }

    fn set_place(&mut self, record: &mut Record) {
        let millis = record.at.timestamp_millis();
        if millis != self.millis {
            self.millis = millis;
            self.count = 0;
            // Not cleared, which would keep the memory of a millisecond with very many records.
            self.repetitions = HashMap::new();
        }
        record.set_ordinal(self.count);
        self.count = self.count.saturating_add(1);
        if !record.creates_resource() {
            let before = self.repetitions.entry(record.name_hash()).or_default();
            record.set_repetition(*before);
            *before += 1;
        }
    }
}

impl<R: BufRead> Iterator for Records<R> {
    /// The number of a line with its record, or with the reason why it is none.
    type Item = Result<(u64, Result<Record, String>), ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (number, text) = match self.lines.next()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        let mut record = record::parse(&text);
        if let Ok(record) = &mut record {
            self.set_place(record);
        }
        Some(Ok((number, record)))
    }
}

#[cfg(test)]
mod tests {
    use feedmill_events::{Partition, id};
    use uuid::Uuid;

    use super::*;

    const AT: &str = "2004-01-16T14:56:01";

    fn read(lines: &[String]) -> Vec<Record> {
        let text = lines.join("\n");
        let records = Records::new(Lines::new(text.as_bytes()));
        let record = |item: Result<(u64, Result<Record, String>), ImportError>| item.unwrap().1;
        records.map(|item| record(item).ok().unwrap()).collect()
    }

    fn post(id: usize) -> String {
        format!(r#"{{"type":"post","id":"p{id}","author":"u1","text":"x","at":"{AT}Z"}}"#)
    }

    fn follow(record_type: &str) -> String {
        format!(r#"{{"type":"{record_type}","from":"u1","to":"u2","at":"{AT}Z"}}"#)
    }

    /// The ids of records that are spread over the partitions.
    fn ids(records: &[Record]) -> Vec<Uuid> {
        let partitions = Partition::all()
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .cycle();
        let records = records.iter().zip(partitions);
        records
            .map(|(record, partition)| record.moment().id(partition))
            .collect()
    }

    #[test]
    fn ids_of_one_millisecond_are_in_the_order_of_the_lines() {
        let lines: Vec<String> = (0..3_000).map(post).collect();
        let ids = ids(&read(&lines));
        assert!(ids.is_sorted_by(|a, b| a < b));
        let millis = 1_074_264_961_000;
        assert!(ids.iter().all(|id| id::millis(*id) == millis));
    }

    #[test]
    fn every_line_of_a_millisecond_counts_and_the_next_begins_anew() {
        let later = post(1).replace(AT, "2004-01-16T14:56:01.001");
        let lines = [post(0), follow("follow"), post(2), later.clone()];
        let read_lines = read(&lines);
        let moments: Vec<_> = read_lines.iter().map(Record::moment).collect();
        let ordinals: Vec<u64> = moments.iter().map(|m| m.random >> 42).collect();
        assert_eq!(ordinals, [0, 1, 2, 0]);
        // A line that was added at the end leaves the others as they were.
        let extended = [&lines[..], &[later.replace("p1", "p3")]].concat();
        assert_eq!(ids(&read(&extended))[..4], ids(&read_lines));
    }

    #[test]
    fn a_repeated_record_without_an_id_has_a_name_of_its_own() {
        let lines = ["follow", "unfollow", "follow", "follow", "unfollow"].map(follow);
        let names = |lines: &[String]| -> Vec<String> {
            let records = read(lines).into_iter();
            records.map(|record| record.name.1).collect()
        };
        let first = "u1>u2@1074264961000";
        let again = |n| format!("{first}#{n}");
        assert_eq!(
            names(&lines),
            [first, first, &again(2), &again(3), &again(2)]
        );
        // Each millisecond counts its own.
        let later = follow("follow").replace(AT, "2004-01-16T14:56:02");
        assert_eq!(names(&[lines[0].clone(), later])[1], "u1>u2@1074264962000");
    }

    #[test]
    fn records_whose_fields_make_one_key_are_two() {
        let like = |user: &str, post: &str| {
            format!(r#"{{"type":"like","user":"{user}","post":"{post}","at":"{AT}Z"}}"#)
        };
        let records = read(&[like("a>b", "c"), like("a", "b>c")]);
        assert_ne!(records[0].name, records[1].name);
    }
}
