//! The bench: Feedmill compared with the N+1 backend that it replaces, and with what this machine allows, in one run.
//!
//! - [`data`] and [`text`]: the workload, an import file; [`command`]: the commands of the write rows.
//! - [`load`]: the load generator, the same for all sides; [`summary`]: the result of a run.
//! - [`run`]: runs the rows and writes the results.
//! - [`bare`]: bare axum and bare sqlx, with the services' statements ([`statement`]). [`n_plus_one`]: the N+1 backend.

pub mod bare;
pub mod command;
pub mod data;
pub mod load;
pub mod n_plus_one;
pub mod run;
pub mod statement;
pub mod summary;
pub mod text;
