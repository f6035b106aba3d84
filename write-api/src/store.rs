//! The log and the state in PostgreSQL, set-based: a batch of commands costs a few statements, whatever its size.
//!
//! - [`log`]: locks heads and appends events.
//! - [`load`]: reads the state that a batch needs.
//! - [`save`]: moves the state tables on by the events.
//! - [`idempotency`]: first answers, by key.

pub mod idempotency;
pub mod load;
pub mod log;
pub mod save;
