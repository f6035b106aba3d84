//! Tokens that are a payload of fixed length under a MAC, in base64url. They are not stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

const MAC: usize = 32;

/// Signs and verifies the tokens of one kind, with a payload of `N` bytes.
pub struct MacTokens<const N: usize> {
    secret: [u8; 32],
}

impl<const N: usize> MacTokens<N> {
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    pub fn write(&self, payload: [u8; N]) -> String {
        let mac = self.mac(&payload).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&payload[..], &mac].concat())
    }

    /// The payload; None if the token is not valid. Compares in constant time.
    pub fn read(&self, token: &str) -> Option<[u8; N]> {
        // Without allocating for a token that is too long.
        if Some(token.len()) != base64::encoded_len(N + MAC, false) {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (payload, mac) = bytes.split_first_chunk::<N>()?;
        self.mac(payload).verify_slice(mac).ok()?;
        Some(*payload)
    }

    fn mac(&self, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(payload);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_any_length_reads_back_and_a_changed_one_is_refused() {
        fn check<const N: usize>() {
            let tokens = MacTokens::<N>::new([7; 32]);
            let token = tokens.write([9; N]);
            assert_eq!(tokens.read(&token), Some([9; N]), "{N}");
            for index in 0..token.len() {
                let mut changed = token.clone().into_bytes();
                changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
                let changed = std::str::from_utf8(&changed).unwrap();
                assert_eq!(tokens.read(changed), None, "character {index}");
            }
            for bad in [
                "",
                "A",
                "ö",
                &token[1..],
                &format!("{token}A"),
                &"A".repeat(10_000),
            ] {
                assert_eq!(tokens.read(bad), None);
            }
            assert_eq!(MacTokens::<N>::new([8; 32]).read(&token), None);
        }
        check::<16>();
        check::<20>();
        check::<32>();
    }
}
