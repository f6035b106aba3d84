//! The secrets of databases that have their tables from the kit. (Those of a [`Stack`](super::Stack) are random.)

use feedmill_events::{AnnouncementKey, EventKey, mac::KEY_BYTES};

pub(super) const KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];

/// Signs events as write-api does.
pub fn event_key() -> EventKey {
    EventKey::new(&KEY).expect("a key")
}

/// Signs announcements as the services do.
pub fn announcement_key() -> AnnouncementKey {
    AnnouncementKey::new(&KEY).expect("a key")
}
