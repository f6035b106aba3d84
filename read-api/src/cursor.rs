//! Sealed cursors: a client can neither read one, nor change it, nor use it anywhere else.
//!
//! `version (1) ‖ nonce (24) ‖ XChaCha20-Poly1305(place)`, in base64url. The path and the viewer are
//! authenticated with it, so a cursor is good for the list and the person that it was made for. The nonce is
//! a keyed hash of all that is sealed, so the same place always makes the same cursor, as an `ETag` over the
//! body needs, and no nonce is ever used for two different texts.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

const VERSION: u8 = 1;
const NONCE: usize = 24;

type HmacSha256 = Hmac<Sha256>;

/// Seals and opens cursors with one key. Cheap to clone.
#[derive(Clone)]
pub struct Cursors {
    cipher: XChaCha20Poly1305,
    nonces: HmacSha256,
}

impl Cursors {
    pub fn new(key: &[u8; 32]) -> Self {
        let mac = |key: &[u8]| {
            <HmacSha256 as Mac>::new_from_slice(key).expect("HMAC takes keys of any length")
        };
        let derived = mac(key)
            .chain_update(b"feedmill cursor nonce")
            .finalize()
            .into_bytes();
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
            nonces: mac(&derived),
        }
    }

    /// `place` is where the list at `path` goes on for `viewer`.
    pub(crate) fn seal(&self, path: &str, viewer: Uuid, place: &[u8]) -> String {
        let context = context(path, viewer);
        let hash = self
            .nonces
            .clone()
            .chain_update((context.len() as u64).to_be_bytes())
            .chain_update(&context)
            .chain_update(place)
            .finalize()
            .into_bytes();
        let nonce = XNonce::from_slice(&hash[..NONCE]);
        let sealed = self
            .cipher
            .encrypt(
                nonce,
                Payload {
                    msg: place,
                    aad: &context,
                },
            )
            .expect("a place is a few bytes, far below the cipher's limit");
        let mut bytes = Vec::with_capacity(1 + NONCE + sealed.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(nonce);
        bytes.extend_from_slice(&sealed);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// None for whatever was not sealed with this key, for this path and this viewer.
    pub(crate) fn open(&self, path: &str, viewer: Uuid, cursor: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (&[VERSION], rest) = bytes.split_first_chunk::<1>()? else {
            return None;
        };
        let (nonce, sealed) = rest.split_at_checked(NONCE)?;
        let payload = Payload {
            msg: sealed,
            aad: &context(path, viewer),
        };
        self.cipher.decrypt(XNonce::from_slice(nonce), payload).ok()
    }
}

fn context(path: &str, viewer: Uuid) -> Vec<u8> {
    [&[VERSION], viewer.as_bytes().as_slice(), path.as_bytes()].concat()
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
            cursor[..34],
            cursors.seal("/v1/feed", viewer, b"other")[..34],
            "its own nonce"
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
