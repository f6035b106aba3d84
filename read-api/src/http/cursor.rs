//! Authenticated cursors: a client can neither alter one nor use it for another list.
//!
//! A cursor is `key.mac`: the key of the page's last item, and a MAC over it, the list's path and the viewer. The key is
//! not encrypted: the client has it anyway, and encryption would cost a third of the bytes of a compressed page. Equal
//! keys give equal cursors, as an `ETag` over the body requires.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Half of an HMAC-SHA256 (RFC 2104, section 5).
const MAC_BYTES: usize = 16;

/// Makes and verifies cursors with one secret key.
#[derive(Clone)]
pub struct Cursors([u8; 32]);

impl Cursors {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(*key)
    }

    /// The cursor for the item `key` of the list at `path`, for `viewer`.
    pub(crate) fn sign(&self, path: &str, viewer: Uuid, key: &str) -> String {
        let mac = self.mac(path, viewer, key).finalize().into_bytes();
        format!("{key}.{}", URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES]))
    }

    /// The key in a cursor. None unless the cursor was signed with this secret key, for this path and viewer.
    pub(crate) fn verify<'c>(&self, path: &str, viewer: Uuid, cursor: &'c str) -> Option<&'c str> {
        let (key, mac) = cursor.rsplit_once('.')?;
        let mac: [u8; MAC_BYTES] = URL_SAFE_NO_PAD.decode(mac).ok()?.try_into().ok()?;
        let expected = self.mac(path, viewer, key);
        expected.verify_truncated_left(&mac).ok()?;
        Some(key)
    }

    /// The first line is the version of this format. No path contains a line end.
    fn mac(&self, path: &str, viewer: Uuid, key: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        for part in ["feedmill cursor 3\n", path, "\n", key] {
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
    fn a_cursor_is_valid_only_for_its_list_viewer_and_secret() {
        let (cursors, viewer) = (Cursors::new(&[7; 32]), Uuid::from_u128(1));
        let cursor = cursors.sign("/v1/feed", viewer, "key");
        assert_eq!(cursors.verify("/v1/feed", viewer, &cursor), Some("key"));
        assert_eq!(
            cursor,
            cursors.sign("/v1/feed", viewer, "key"),
            "equal keys give equal cursors"
        );
        assert_eq!(cursors.verify("/v1/feeds", viewer, &cursor), None);
        assert_eq!(
            cursors.verify("/v1/feed", Uuid::from_u128(2), &cursor),
            None
        );
        assert_eq!(
            Cursors::new(&[8; 32]).verify("/v1/feed", viewer, &cursor),
            None
        );
    }

    #[test]
    fn an_altered_cursor_is_invalid() {
        let (cursors, viewer) = (Cursors::new(&[7; 32]), Uuid::from_u128(1));
        let cursor = cursors.sign("/v1/feed", viewer, "key");
        for bit in 0..cursor.len() * 8 {
            let mut altered = cursor.clone().into_bytes();
            altered[bit / 8] ^= 1 << (bit % 8);
            if let Ok(altered) = String::from_utf8(altered) {
                assert_eq!(
                    cursors.verify("/v1/feed", viewer, &altered),
                    None,
                    "{altered}"
                );
            }
        }
        for length in 0..cursor.len() {
            assert_eq!(cursors.verify("/v1/feed", viewer, &cursor[..length]), None);
        }
        assert_eq!(
            cursors.verify("/v1/feed", viewer, &format!("{cursor}A")),
            None
        );
    }
}
