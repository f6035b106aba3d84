//! The SQL statements, one file per noun.
//!
//! Every statement begins with its name, and names no schema: `search_path` selects the live tables.
//!
//! Plans must not depend on the planner's estimates. What belongs to a row of a page is fetched by
//! `LATERAL (… LIMIT 1)` or a scalar subquery, which PostgreSQL can only run by index, row by row. A plain join or
//! `EXISTS` can become a hash join over a whole table, in a generic plan or right after an import.
//!
//! A page of n items reads n + 1 rows: the last row tells whether there is a next page.

pub mod checkpoints;
pub mod conversations;
pub mod digest;
pub mod feed;
pub mod notifications;
pub mod posts;
pub mod stream;
pub mod users;

use feedmill_events::Projection;

/// The schema of the projector's checkpoints, which are no projection.
const PROJECTOR: &str = "projector";

/// The `search_path` of the service's sessions: the live schema of every projection.
pub fn search_path() -> String {
    let schemas = Projection::ALL.map(Projection::name);
    [&schemas[..], &[PROJECTOR]].concat().join(", ")
}
