//! The connections of the relay.

use std::sync::Arc;

use async_nats::Client;
use feedmill_service::health::Health;
use sqlx::postgres::PgConnectOptions;

use crate::{commit_notifier::CommitNotifier, secrets::Secrets};

/// The relay of one instance.
pub struct Relay {
    /// For the relay's own connection.
    pub options: PgConnectOptions,
    pub nats: Client,
    /// The commits of this instance.
    pub notifier: Arc<CommitNotifier>,
    pub health: Health,
    pub secrets: Secrets,
}
