//! The SQL: one statement an answer.
//!
//! Every statement begins with its name, and names no schema: `search_path` chooses the tables. All are
//! written so that the plan does not depend on the planner's guesses: what belongs to a row of a page is
//! fetched by `LATERAL (… LIMIT 1)` or a scalar subquery, which PostgreSQL can only do by index, row by row.
//! A plain join or `EXISTS` would now and then, for a generic plan or right after an import, become a hash
//! of a whole table. A page of n needs n + 1 rows: the last one says that there is more.

pub mod checkpoint;
pub mod conversation;
pub mod digest;
pub mod feed;
pub mod notification;
pub mod post;
pub mod stream;
pub mod user;
