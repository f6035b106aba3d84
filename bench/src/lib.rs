//! The bench: Feedmill beside what it replaces and beside what this machine allows, in one run.
//!
//! - [`data`] and [`words`]: the workload, an import file; [`command`]: the commands of the write rows.
//! - [`load`]: the load generator, which drives both sides; [`summary`]: what a run came to.
//! - [`run`]: puts it all together, and writes the results.
//! - [`floor`]: bare axum, bare sqlx; [`statement`]: our own SQL for it. [`before`]: the usual backend.

pub mod before;
pub mod command;
pub mod data;
pub mod floor;
pub mod load;
pub mod run;
pub mod statement;
pub mod summary;
pub mod words;
