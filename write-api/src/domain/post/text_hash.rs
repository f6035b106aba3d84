//! The hash of a post's text.

use sha2::{Digest, Sha256};

/// The first half of the SHA-256 of a text. It tells whether an edit changes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextHash([u8; 16]);

impl TextHash {
    pub fn of(text: &str) -> Self {
        let hash: [u8; 32] = Sha256::digest(text).into();
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        Self(half)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for TextHash {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}
