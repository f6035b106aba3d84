//! The first reading of a file: every line's form, and that what it names is there.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    hash::{BuildHasher, RandomState},
};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{ImportError, Lines, Name, Progress, apply, record};

/// How many broken lines are told one by one.
const TOLD: usize = 20;
/// How many names from outside the file are looked up at once.
const LOOK_UP: usize = 5_000;

/// What is wrong with a file so far.
#[derive(Default)]
struct Broken {
    count: u64,
    first: Vec<(u64, String)>,
}

impl Broken {
    fn add(&mut self, line: u64, reason: &str) {
        self.count += 1;
        if self.first.len() < TOLD {
            self.first.push((line, format!("line {line}: {reason}")));
        }
    }
}

/// Checks a file, and returns how many records it has. Memory: eight bytes for each thing that the file makes.
pub async fn file(
    connection: &mut PgConnection,
    file: &File,
    now: DateTime<Utc>,
    progress: &mut impl FnMut(Progress),
) -> Result<u64, ImportError> {
    let hasher = RandomState::new();
    let mut made: HashSet<u64> = HashSet::new();
    let mut outside: HashMap<Name, u64> = HashMap::new();
    let mut broken = Broken::default();
    let mut last = DateTime::<Utc>::MIN_UTC;
    let mut records = 0;
    for line in Lines::of(file) {
        let (line, text) = line?;
        records += 1;
        let record = match record::parse(&text) {
            Ok(record) => record,
            Err(reason) => {
                broken.add(line, &reason);
                continue;
            }
        };
        if record.at < last {
            broken.add(
                line,
                "at: is earlier than the line before; records come in order of time",
            );
        }
        if record.at > now {
            broken.add(line, "at: is in the future");
        }
        last = last.max(record.at);
        for name in record.references() {
            if !made.contains(&hasher.hash_one(&name)) {
                outside.entry(name).or_insert(line);
            }
        }
        if record.makes_a_thing() && !made.insert(hasher.hash_one(&record.key)) {
            broken.add(
                line,
                &format!("id: there is another {} of this id before it", record.key.0),
            );
        }
        if outside.len() >= LOOK_UP {
            unknown(connection, &mut outside, &mut broken).await?;
        }
        if records % 100_000 == 0 {
            progress(Progress::Checked { records });
        }
    }
    unknown(connection, &mut outside, &mut broken).await?;
    if broken.count > 0 {
        broken.first.sort();
        let first = broken.first.into_iter().map(|(_, reason)| reason).collect();
        return Err(ImportError::Broken {
            count: broken.count,
            first,
        });
    }
    Ok(records)
}

/// Names that are neither made by the file nor known from an import before it.
async fn unknown(
    connection: &mut PgConnection,
    outside: &mut HashMap<Name, u64>,
    broken: &mut Broken,
) -> sqlx::Result<()> {
    let known = apply::known(connection, outside.keys()).await?;
    for ((kind, name), line) in outside.drain() {
        if !known.contains_key(&(kind, name.clone())) {
            broken.add(
                line,
                &format!("names the {kind} {name:?}, which is not there before it"),
            );
        }
    }
    Ok(())
}
