//! Refresh tokens: session and generation under a MAC.

use uuid::Uuid;

use super::mac_token::MacTokens;

/// Lengths in bytes.
const SESSION: usize = 16;
const GENERATION: usize = 4;

/// Signs and verifies refresh tokens.
pub struct RefreshTokens(MacTokens<{ SESSION + GENERATION }>);

impl RefreshTokens {
    pub fn new(secret: [u8; 32]) -> Self {
        Self(MacTokens::new(secret))
    }

    pub fn write(&self, session: Uuid, generation: i32) -> String {
        let mut payload = [0; SESSION + GENERATION];
        payload[..SESSION].copy_from_slice(session.as_bytes());
        payload[SESSION..].copy_from_slice(&generation.to_be_bytes());
        self.0.write(payload)
    }

    /// Session and generation; None if the token is not valid.
    pub fn read(&self, token: &str) -> Option<(Uuid, i32)> {
        let payload = self.0.read(token)?;
        let (session, generation) = payload.split_first_chunk::<SESSION>()?;
        let generation = i32::from_be_bytes(generation.try_into().ok()?);
        Some((Uuid::from_bytes(*session), generation))
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
        assert_eq!(tokens.read(&tokens.write(session, -1)), Some((session, -1)));
    }
}
