//! Device tokens: proof that somebody has signed in to an account from a device before. Whoever has one is not limited by the
//! wrong passwords of others (OWASP calls this device cookies).
//!
//! A token names the account and the session that it came with. It opens nothing, and outlives its session.

use uuid::Uuid;

use super::mac_token::MacTokens;

const ID: usize = 16;

/// A device from which somebody has signed in to this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    pub account: Uuid,
    /// The session that was opened then.
    pub session: Uuid,
}

/// Signs and verifies device tokens.
pub struct DeviceTokens(MacTokens<{ 2 * ID }>);

impl DeviceTokens {
    pub fn new(secret: [u8; 32]) -> Self {
        Self(MacTokens::new(secret))
    }

    pub fn write(&self, device: Device) -> String {
        let mut payload = [0; 2 * ID];
        payload[..ID].copy_from_slice(device.account.as_bytes());
        payload[ID..].copy_from_slice(device.session.as_bytes());
        self.0.write(payload)
    }

    /// None if the token is not valid.
    pub fn read(&self, token: &str) -> Option<Device> {
        let payload = self.0.read(token)?;
        let (account, session) = payload.split_first_chunk::<ID>()?;
        Some(Device {
            account: Uuid::from_bytes(*account),
            session: Uuid::from_slice(session).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_it_was_written() {
        let tokens = DeviceTokens::new([7; 32]);
        let device = Device {
            account: Uuid::from_u128(7),
            session: Uuid::from_u128(8),
        };
        assert_eq!(tokens.read(&tokens.write(device)), Some(device));
        assert_eq!(tokens.read("x"), None);
    }
}
