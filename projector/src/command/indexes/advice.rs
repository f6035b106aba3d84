//! What an operator should do about the indexes.

use super::inspect::{Index, Inspection, Table};

/// A smaller index is not worth a rebuild.
const MIN_BLOATED_BYTES: i64 = 10 << 20;
/// Random insertions alone leave up to a third of a B-tree empty.
const MAX_BLOAT: f64 = 0.5;
/// Scans of smaller tables are cheaper than an index.
const MIN_ROWS_OF_SCAN: i64 = 10_000;
/// A table with more rows needs statistics.
const MIN_ROWS_TO_ANALYZE: i64 = 1_000;

/// Sentences, the most important first.
pub fn advice(found: &Inspection) -> Vec<String> {
    let mut advice = vec![];
    let name = |index: &Index| format!("{}.{}", index.schema, index.name);
    for index in found.indexes.iter().filter(|index| !index.is_valid) {
        advice.push(format!(
            "{} is invalid: its creation has failed, or is in progress. Drop it (DROP INDEX CONCURRENTLY) and create it again",
            name(index)
        ));
    }
    for table in &found.tables {
        advice.extend(scanned(table));
    }
    for index in &found.indexes {
        if let Some(other) = found
            .indexes
            .iter()
            .find(|other| is_redundant(index, other))
        {
            advice.push(format!(
                "{} is redundant: {} begins with the same keys. Drop it, unless it is much smaller and used for that",
                name(index),
                name(other)
            ));
        }
    }
    for index in found.indexes.iter().filter(|index| is_unused(index)) {
        advice.push(format!(
            "{} ({}) was never used. Drop it, if the statistics cover all your usual work",
            name(index),
            bytes(index.bytes)
        ));
    }
    for index in &found.indexes {
        if let Some(bloat) = index.bloat.filter(|bloat| *bloat > MAX_BLOAT)
            && index.bytes >= MIN_BLOATED_BYTES
        {
            advice.push(format!(
                "{} ({}) is bloated: about {:.0} % of it is empty. Run REINDEX INDEX CONCURRENTLY {}",
                name(index),
                bytes(index.bytes),
                bloat * 100.0,
                name(index)
            ));
        }
    }
    for table in &found.tables {
        if table.rows >= MIN_ROWS_TO_ANALYZE && table.analyzed_at.is_none() {
            let table = format!("{}.{}", table.schema, table.name);
            advice.push(format!("{table} was never analyzed. Run ANALYZE {table}"));
        }
    }
    advice
}

fn scanned(table: &Table) -> Option<String> {
    let per_scan = table.rows_scanned.checked_div(table.sequential_scans)?;
    (per_scan >= MIN_ROWS_OF_SCAN).then(|| {
        format!(
            "{}.{} was read by {} sequential scans of {per_scan} rows on average. A rebuild, `verify` and an import scan whole tables; \
             otherwise look for the statement in /performance/metrics",
            table.schema, table.name, table.sequential_scans
        )
    })
}

/// A unique index is used by every insertion.
fn is_unused(index: &Index) -> bool {
    index.scans == 0 && !index.is_unique && index.is_valid
}

/// Whether the other index answers all that this one does.
fn is_redundant(index: &Index, other: &Index) -> bool {
    let covers = other.keys.starts_with(&index.keys)
        && other.predicate == index.predicate
        && index.included.iter().all(|column| {
            let is_key = |key: &String| key.split(' ').next() == Some(column);
            other.included.contains(column) || other.keys.iter().any(is_key)
        });
    let is_same =
        index.keys.len() == other.keys.len() && index.included.len() == other.included.len();
    let is_other = (&index.schema, &index.name) != (&other.schema, &other.name);
    covers
        && is_other
        && other.is_valid
        && (&index.schema, &index.table) == (&other.schema, &other.table)
        && !index.is_unique
        // Of two equal ones, only one is redundant.
        && (!is_same || other.is_unique || other.name < index.name)
}

/// For people: `12 MiB`.
pub fn bytes(bytes: i64) -> String {
    match bytes {
        0..0x2000 => format!("{bytes} B"),
        0x2000..0x80_0000 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(name: &str, keys: &[&str]) -> Index {
        Index {
            schema: "feed".to_owned(),
            table: "posts".to_owned(),
            name: name.to_owned(),
            scans: 1,
            is_valid: true,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            ..Index::default()
        }
    }

    fn of(indexes: Vec<Index>, tables: Vec<Table>) -> Vec<String> {
        advice(&Inspection {
            counted_since: None,
            indexes,
            tables,
        })
    }

    #[test]
    fn an_index_with_the_first_keys_of_another_one_is_redundant() {
        let found = of(
            vec![index("a", &["author"]), index("b", &["author", "id"])],
            vec![],
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("feed.a is redundant: feed.b"),
            "{found:?}"
        );
        let same = || index("a", &["author"]);
        let partial = Index {
            predicate: Some("pulled".to_owned()),
            ..index("b", &["author", "id"])
        };
        assert!(of(vec![same(), partial], vec![]).is_empty());
        let unique = Index {
            is_unique: true,
            ..same()
        };
        assert!(of(vec![unique, index("b", &["author", "id"])], vec![]).is_empty());
        let covering = Index {
            included: vec!["text".to_owned()],
            ..same()
        };
        assert!(of(vec![covering, index("b", &["author", "id"])], vec![]).is_empty());
        let equal = of(vec![same(), index("b", &["author"])], vec![]);
        assert_eq!(equal.len(), 1, "{equal:?}");
    }

    #[test]
    fn unused_invalid_and_bloated_indexes_are_named() {
        let unused = Index {
            scans: 0,
            ..index("a", &["x"])
        };
        assert!(of(vec![unused.clone()], vec![])[0].contains("never used"));
        let unique = Index {
            is_unique: true,
            ..unused
        };
        assert!(of(vec![unique], vec![]).is_empty());
        let invalid = Index {
            is_valid: false,
            ..index("a", &["x"])
        };
        assert!(of(vec![invalid], vec![])[0].contains("invalid"));
        let bloated = |bytes| Index {
            bloat: Some(0.6),
            bytes,
            ..index("a", &["x"])
        };
        assert!(
            of(vec![bloated(20 << 20)], vec![])[0].contains("REINDEX INDEX CONCURRENTLY feed.a")
        );
        assert!(of(vec![bloated(1 << 20)], vec![]).is_empty());
    }

    #[test]
    fn large_tables_that_are_scanned_or_not_analyzed_are_named() {
        let table = |sequential_scans, rows_scanned, analyzed| Table {
            schema: "feed".to_owned(),
            name: "posts".to_owned(),
            rows: 50_000,
            sequential_scans,
            rows_scanned,
            analyzed_at: analyzed,
            ..Table::default()
        };
        let now = Some(chrono::DateTime::UNIX_EPOCH);
        assert!(of(vec![], vec![table(0, 0, now)]).is_empty());
        assert!(of(vec![], vec![table(100, 1_000, now)]).is_empty());
        assert!(
            of(vec![], vec![table(2, 100_000, now)])[0]
                .contains("2 sequential scans of 50000 rows")
        );
        assert!(of(vec![], vec![table(0, 0, None)])[0].contains("ANALYZE feed.posts"));
    }
}
