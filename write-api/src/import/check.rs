//! The first reading of a file: checks the form of every line, and that the records it refers to exist.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    hash::{BuildHasher, RandomState},
};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    names,
    record_type::Name,
    records::Records,
    report::{ImportError, Progress},
};

/// How many invalid lines are reported one by one.
const MAX_REPORTED: usize = 20;
/// How many names that the file does not define are looked up at once.
const LOOKUP_BATCH: usize = 5_000;

/// The invalid lines so far.
#[derive(Default)]
struct Broken {
    count: u64,
    first: Vec<(u64, String)>,
}

impl Broken {
    fn add(&mut self, line: u64, reason: &str) {
        self.count += 1;
        if self.first.len() < MAX_REPORTED {
            self.first.push((line, format!("line {line}: {reason}")));
        }
    }
}

/// Checks a file, and returns the number of its records. It takes eight bytes of memory for each record that others can
/// refer to, and for each external identity.
pub async fn file(
    connection: &mut PgConnection,
    file: &File,
    now: DateTime<Utc>,
    progress: &mut impl FnMut(Progress),
) -> Result<u64, ImportError> {
    let hasher = RandomState::new();
    let mut defined: HashSet<u64> = HashSet::new();
    let mut outside: HashMap<Name, u64> = HashMap::new();
    let mut broken = Broken::default();
    let mut last = DateTime::<Utc>::MIN_UTC;
    let mut records = 0;
    for item in Records::of(file) {
        let (line, record) = item?;
        records += 1;
        let record = match record {
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
        for name in record.references.iter().cloned() {
            if !defined.contains(&hasher.hash_one(&name)) {
                outside.entry(name).or_insert(line);
            }
        }
        if record.creates_resource() && !defined.insert(hasher.hash_one(&record.name)) {
            let record_type = record.name.0;
            broken.add(
                line,
                &format!("id: there is another {record_type} of this id before it"),
            );
        }
        if let Some(account) = record.external_account()
            && !defined.insert(hasher.hash_one(account))
        {
            broken.add(
                line,
                "external: there is another account of this identity before it",
            );
        }
        if outside.len() >= LOOKUP_BATCH {
            report_unknown(connection, &mut outside, &mut broken).await?;
        }
        if records % 100_000 == 0 {
            progress(Progress::Checked { records });
        }
    }
    report_unknown(connection, &mut outside, &mut broken).await?;
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

/// Reports the names that neither the file defines nor an earlier import.
async fn report_unknown(
    connection: &mut PgConnection,
    outside: &mut HashMap<Name, u64>,
    broken: &mut Broken,
) -> sqlx::Result<()> {
    let imported = names::load(connection, outside.keys()).await?;
    for (name, line) in outside.drain() {
        if !imported.contains(&name) {
            broken.add(line, &names::not_found(&name));
        }
    }
    Ok(())
}
