//! How fresh cached answers and the read tables are.
//!
//! - [`tag_versions`]: when each cache tag last changed. Cache entries are checked against it.
//! - [`progress`]: how far each projection is (`positions`), and waiting for a position.
//! - [`announcements`], [`checkpoints`]: the two sources of both: what the projector announces on core NATS, and the
//!   checkpoint table, which also shows lost announcements.

pub mod announcements;
pub mod checkpoints;
mod positions;
pub mod progress;
pub mod tag_versions;
