//! Sealed cursors: a client can neither read one, nor change it, nor use it anywhere else.
//!
//! AES-SIV (RFC 5297) of the place, in base64url. The path and the viewer are authenticated with it, so a cursor is
//! good for the list and the person that it was made for. It needs no nonce: the same place always makes the same
//! cursor, as an `ETag` over the body needs, and all that this tells is that two places are the same.

use std::fmt;

use aes_siv::{KeyInit, siv::Aes128Siv};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// Seals and opens cursors with one key. Cheap to clone.
#[derive(Clone)]
pub struct Cursors([u8; 32]);

impl Cursors {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(*key)
    }

    /// `place` is where the list at `path` goes on for `viewer`.
    pub(crate) fn seal(&self, path: &str, viewer: Uuid, place: &[u8]) -> String {
        let sealed = self.cipher().encrypt(context(path, &viewer), place);
        URL_SAFE_NO_PAD.encode(sealed.expect("three headers are no more than there may be"))
    }

    /// None for whatever was not sealed with this key, for this path and this viewer.
    pub(crate) fn open(&self, path: &str, viewer: Uuid, cursor: &str) -> Option<Vec<u8>> {
        let sealed = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        self.cipher().decrypt(context(path, &viewer), &sealed).ok()
    }

    fn cipher(&self) -> Aes128Siv {
        Aes128Siv::new(&self.0.into())
    }
}

/// The first says what the others are, in case that ever changes.
fn context<'a>(path: &'a str, viewer: &'a Uuid) -> [&'a [u8]; 3] {
    [b"feedmill cursor 2", viewer.as_bytes(), path.as_bytes()]
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
        let cursor = cursors.seal("/v1/feed", viewer, b"place");
        assert_eq!(
            cursors.open("/v1/feed", viewer, &cursor).as_deref(),
            Some(&b"place"[..])
        );
        assert_eq!(
            cursor,
            cursors.seal("/v1/feed", viewer, b"place"),
            "the same place, the same bytes"
        );
        assert_ne!(
            cursor[..21],
            cursors.seal("/v1/feed", viewer, b"other")[..21],
            "its own initial vector"
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
        let sealed = URL_SAFE_NO_PAD
            .decode(cursors.seal("/v1/feed", viewer, b"place"))
            .unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut bent = sealed.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                cursors.open("/v1/feed", viewer, &URL_SAFE_NO_PAD.encode(bent)),
                None,
                "bit {bit}"
            );
        }
        for length in 0..sealed.len() {
            assert_eq!(
                cursors.open(
                    "/v1/feed",
                    viewer,
                    &URL_SAFE_NO_PAD.encode(&sealed[..length])
                ),
                None
            );
        }
    }
}
