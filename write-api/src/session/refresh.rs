//! Refresh tokens: session and generation under a MAC, in base64url. They are not stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Lengths in bytes.
const SESSION: usize = 16;
const PAYLOAD: usize = SESSION + 4;
const TOKEN: usize = PAYLOAD + 32;

/// Signs and verifies refresh tokens.
pub struct RefreshTokens {
    secret: [u8; 32],
}

impl RefreshTokens {
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    pub fn write(&self, session: Uuid, generation: i32) -> String {
        let mut token = [0; TOKEN];
        token[..SESSION].copy_from_slice(session.as_bytes());
        token[SESSION..PAYLOAD].copy_from_slice(&generation.to_be_bytes());
        let mac = self.mac(&token[..PAYLOAD]).finalize().into_bytes();
        token[PAYLOAD..].copy_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Session and generation; None if the token is not valid. Compares in constant time.
    pub fn read(&self, token: &str) -> Option<(Uuid, i32)> {
        let mut bytes = [0; TOKEN];
        let length = URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()?;
        if length != TOKEN {
            return None;
        }
        self.mac(&bytes[..PAYLOAD])
            .verify_slice(&bytes[PAYLOAD..])
            .ok()?;
        let session = Uuid::from_slice(&bytes[..SESSION]).ok()?;
        let generation = i32::from_be_bytes(bytes[SESSION..PAYLOAD].try_into().ok()?);
        Some((session, generation))
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
    fn a_token_reads_back_as_it_was_written() {
        let tokens = RefreshTokens::new([7; 32]);
        let session = Uuid::from_u128(99);
        assert_eq!(tokens.read(&tokens.write(session, 3)), Some((session, 3)));
    }

    #[test]
    fn a_changed_token_is_refused() {
        let tokens = RefreshTokens::new([7; 32]);
        let token = tokens.write(Uuid::from_u128(99), 3);
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                tokens.read(std::str::from_utf8(&changed).unwrap()),
                None,
                "character {index}"
            );
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
        assert_eq!(RefreshTokens::new([8; 32]).read(&token), None);
    }
}
