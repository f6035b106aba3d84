//! What the whole of Feedmill agrees on: the events, their bytes, where they belong and what things are
//! called on the wire. No I/O, no clock, no randomness.
//!
//! - [`event`]: the event types, one frozen struct a version, and the current [`Event`].
//! - [`envelope`]: the bytes of an event in the log and on the wire.
//! - [`id`]: ids, which carry their time and their partition.
//! - [`position`]: places in the log, as a client sees them.
//! - [`subject`]: names of the stream, the subjects and the headers.
//! - [`announcement`]: what the projector says after a commit, and [`tag`]: how it names what changed.

pub mod announcement;
pub mod envelope;
pub mod event;
pub mod id;
mod partition_set;
pub mod position;
pub mod subject;
pub mod tag;

pub use announcement::{Announcement, Changed, Moved};
pub use envelope::{DecodeError, Envelope, MAX_EVENT_BYTES};
pub use event::Event;
pub use id::{PARTITIONS, Partition};
pub use partition_set::PartitionSet;
pub use position::Positions;
pub use tag::Tag;
