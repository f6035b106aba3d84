//! The SQL statements, one file per noun.
//!
//! Every statement begins with its name, and names no schema: `search_path` selects the live tables.
//!
//! Plans must not depend on the planner's estimates. What belongs to a row of a page is fetched by
//! `LATERAL (… LIMIT 1)` or a scalar subquery, which PostgreSQL can only run by index, row by row. A plain join or
//! `EXISTS` can become a hash join over a whole table, in a generic plan or right after an import.
//!
//! A page of n items reads n + 1 rows: the surplus row tells whether there are more items in its direction. A list has a
//! branch for each direction (`Seek::bounds`); only the feed has a statement for each.

pub mod account_lists;
pub mod ancestors;
pub mod audience_tags;
pub mod checkpoints;
pub mod conversations;
pub mod counts;
pub mod digest;
pub mod feed;
pub mod linked_posts;
pub mod notifications;
pub mod posts;
pub mod relationships;
pub mod secrets;
pub mod stream;
mod unread;
pub mod users;

use feedmill_events::Projection;

/// The schema of the projector's checkpoints, which are no projection.
const PROJECTOR: &str = "projector";

/// The `search_path` of the service's sessions: the live schema of every projection.
pub fn search_path() -> String {
    let schemas = Projection::ALL.map(Projection::name);
    [&schemas[..], &[PROJECTOR]].concat().join(", ")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// Tables that only the projector reads.
    const PROJECTOR_ONLY: [&str; 7] = [
        "account_totals",
        "post_totals",
        "feed_follows",
        "feed_followers",
        "digest_received",
        "digest_members",
        "digest_former_members",
    ];

    /// All files of a folder, concatenated.
    fn files(folder: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let entries = fs::read_dir(folder).unwrap();
        let files = entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        files.collect()
    }

    /// The functions in migrations. They run with the rights of their caller, unlike views.
    fn functions(migrations: &str) -> String {
        let functions = migrations.split("CREATE FUNCTION ").skip(1);
        let functions = functions.map(|rest| rest.split_inclusive("$$;").next().unwrap());
        functions.collect()
    }

    #[test]
    fn every_read_table_is_read() {
        for projection in Projection::ALL {
            let migrations = files(&format!("../migrations/read/{projection}"));
            let statements = files("src/sql") + &functions(&migrations);
            for table in migrations.split("CREATE TABLE ").skip(1) {
                let table = table.split_whitespace().next().unwrap();
                // As a part of a statement, or as an argument of a macro that makes statements.
                let places = [
                    format!("FROM {table}"),
                    format!("JOIN {table}"),
                    format!("\"{table}\""),
                ];
                let is_read = places.iter().any(|place| statements.contains(place));
                assert_ne!(
                    is_read,
                    PROJECTOR_ONLY.contains(&table),
                    "{projection}.{table}: add a statement to src/sql or a function, or correct PROJECTOR_ONLY"
                );
            }
        }
    }
}
