//! The token that was last verified on a connection.

use std::sync::{Arc, Mutex};

use super::{
    identity::Identity, keys::KeySet, revocations::Revocations, verified_token::VerifiedToken,
};

/// An extension of every request, one per connection. A client sends the same token with each request of a
/// connection, so comparing with the last one saves the lookup in the shared cache, which costs several times as much.
///
/// A proxy may send the requests of many clients through one connection: each request is still decided by its own
/// token.
#[derive(Debug, Clone, Default)]
pub struct ConnectionToken(Arc<Mutex<Option<Arc<VerifiedToken>>>>);

impl ConnectionToken {
    /// The identity of `token`, if it is the last one, still valid with `keys`, and its session has not ended. Never waits:
    /// while another stream of an HTTP/2 connection holds the lock, there is none.
    pub(super) fn identity(
        &self,
        token: &str,
        keys: &Arc<KeySet>,
        revocations: &Revocations,
    ) -> Option<Identity> {
        let last = self.0.try_lock().ok()?;
        let last = last.as_ref()?;
        let is_valid = constant_time_eq(&last.token, token)
            && last.is_valid(keys)
            && !last.has_ended(revocations);
        is_valid.then(|| last.identity.clone())
    }

    pub(super) fn set(&self, verified: Arc<VerifiedToken>) {
        if let Ok(mut last) = self.0.try_lock() {
            *last = Some(verified);
        }
    }
}

/// The last token may belong to another client of the same proxy: the time of the comparison must not tell how much of
/// it was guessed.
fn constant_time_eq(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).map(|(a, b)| a ^ b);
    a.len() == b.len() && differences.fold(0, |all, difference| all | difference) == 0
}
