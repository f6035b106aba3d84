//! Whom limits count a request for.

use feedmill_service::client_address::ClientAddress;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// Somebody who is not known, by address.
    Address(ClientAddress),
    /// An account or a session: of the token of the request, or the one that a device opened before.
    Known(Uuid),
}
