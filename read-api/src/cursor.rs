//! Cursors: a client cannot change one, nor use it anywhere else.
//!
//! `place.mac`: where the list goes on, as it is, and a MAC over it, the path and the viewer, so that a cursor is good
//! for the list and the person that it was made for. The place is the key of the page's last item, which the client has
//! anyhow; that it is not encrypted costs a third of the bytes on a compressed page. The same place always makes the
//! same cursor, as an `ETag` over the body needs.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Bytes of a MAC: half of HMAC-SHA256 (RFC 2104, 5).
const MAC: usize = 16;

/// Makes and reads cursors with one key. Cheap to clone.
#[derive(Clone)]
pub struct Cursors([u8; 32]);

impl Cursors {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(*key)
    }

    /// `place` is where the list at `path` goes on for `viewer`.
    pub(crate) fn seal(&self, path: &str, viewer: Uuid, place: &str) -> String {
        let mac = self.mac(path, viewer, place).finalize().into_bytes();
        format!("{place}.{}", URL_SAFE_NO_PAD.encode(&mac[..MAC]))
    }

    /// The place. None for whatever was not sealed with this key, for this path and this viewer.
    pub(crate) fn open<'c>(&self, path: &str, viewer: Uuid, cursor: &'c str) -> Option<&'c str> {
        let (place, mac) = cursor.rsplit_once('.')?;
        let mac: [u8; MAC] = URL_SAFE_NO_PAD.decode(mac).ok()?.try_into().ok()?;
        let expected = self.mac(path, viewer, place);
        expected.verify_truncated_left(&mac).ok()?;
        Some(place)
    }

    /// The first part says what the others are, in case that ever changes; no path has a line end.
    fn mac(&self, path: &str, viewer: Uuid, place: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0).expect("a key of any length will do");
        for part in ["feedmill cursor 3\n", path, "\n", place] {
            mac.update(part.as_bytes());
        }
        mac.chain_update(viewer)
    }
}

impl fmt::Debug for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursors")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_where_it_was_sealed() {
        let (cursors, viewer) = (Cursors::new(&[7; 32]), Uuid::from_u128(1));
        let cursor = cursors.seal("/v1/feed", viewer, "place");
        assert_eq!(cursors.open("/v1/feed", viewer, &cursor), Some("place"));
        assert_eq!(
            cursor,
            cursors.seal("/v1/feed", viewer, "place"),
            "the same place, the same bytes"
        );
        assert_eq!(cursors.open("/v1/feeds", viewer, &cursor), None);
        assert_eq!(cursors.open("/v1/feed", Uuid::from_u128(2), &cursor), None);
        assert_eq!(
            Cursors::new(&[8; 32]).open("/v1/feed", viewer, &cursor),
            None
        );
    }

    #[test]
    fn no_bit_of_a_cursor_can_be_changed() {
        let (cursors, viewer) = (Cursors::new(&[7; 32]), Uuid::from_u128(1));
        let cursor = cursors.seal("/v1/feed", viewer, "place");
        for bit in 0..cursor.len() * 8 {
            let mut bent = cursor.clone().into_bytes();
            bent[bit / 8] ^= 1 << (bit % 8);
            if let Ok(bent) = String::from_utf8(bent) {
                assert_eq!(cursors.open("/v1/feed", viewer, &bent), None, "{bent}");
            }
        }
        for length in 0..cursor.len() {
            assert_eq!(cursors.open("/v1/feed", viewer, &cursor[..length]), None);
        }
        assert_eq!(
            cursors.open("/v1/feed", viewer, &format!("{cursor}A")),
            None
        );
    }
}
