//! The common vocabulary of all parts of Feedmill: events and their encoding, ids and partitions, and names on the
//! wire. No I/O, no clock, no randomness.
//!
//! - [`event`]: the table of event types, a frozen struct per version, and the current [`Event`].
//! - [`projection`]: the registry of read models.
//! - [`envelope`]: the encoding of an event in the log and on the wire.
//! - [`codec`]: errors and limits of encoding and decoding.
//! - [`id`]: ids, which contain their time and their partition.
//! - [`position`]: positions in the log, and how they are sealed for clients.
//! - [`mac`]: codes by which receivers know who published a message.
//! - [`subject`]: names of the stream, the subjects and the headers.
//! - [`announcement`]: what the projector publishes after a commit, and [`tag`]: the cache tags in it.

pub mod announcement;
mod cache_command;
pub mod codec;
pub mod envelope;
pub mod event;
pub mod id;
pub mod mac;
mod partition_set;
pub mod position;
pub mod projection;
pub mod subject;
pub mod tag;

pub use announcement::{Advance, Announcement, Changed};
pub use cache_command::CacheCommand;
pub use codec::{DecodeError, EncodeError, MAX_EVENT_BYTES};
pub use envelope::Envelope;
pub use event::{Event, EventType};
pub use id::{PARTITIONS, Partition};
pub use mac::{AnnouncementKey, EventKey};
pub use partition_set::PartitionSet;
pub use position::{PositionKey, Positions};
pub use projection::Projection;
pub use tag::Tag;
