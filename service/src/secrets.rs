//! The secrets of the installation, which its services share in the database (`write.secrets`).

use std::{sync::Arc, time::Duration};

use feedmill_events::mac::InvalidKey;
use tokio::{sync::OnceCell, time::sleep};

use crate::{Database, Health};

const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The keys that a service reads from the table.
pub trait Read: Sized {
    fn read(database: &Database) -> impl Future<Output = sqlx::Result<Self>> + Send;
}

/// Keys that are read when they are first needed, since the database may start later than the service. Cheap to clone.
#[derive(Debug)]
pub struct Secrets<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    database: Database,
    health: Health,
    read: OnceCell<T>,
}

impl<T: Read> Secrets<T> {
    /// While somebody waits for them, `health` says why.
    pub fn new(database: Database, health: Health) -> Self {
        let read = OnceCell::new();
        Self(Arc::new(Inner {
            database,
            health,
            read,
        }))
    }

    /// For tests without the table.
    pub fn of(database: Database, secrets: T) -> Self {
        let read = OnceCell::new_with(Some(secrets));
        let health = Health::new();
        Self(Arc::new(Inner {
            database,
            health,
            read,
        }))
    }

    /// Errors: they were not read before, and the database does not answer.
    pub async fn get(&self) -> sqlx::Result<&T> {
        let Inner { database, read, .. } = &*self.0;
        read.get_or_try_init(|| T::read(database)).await
    }

    /// Waits for the database.
    pub async fn wait(&self) -> &T {
        let health = &self.0.health;
        loop {
            match self.get().await {
                Ok(secrets) => {
                    health.set_optional("secrets", Ok(()));
                    return secrets;
                }
                // Logs it as well.
                Err(error) => {
                    let reason = format!("cannot read write.secrets, retrying: {error}");
                    health.set_optional("secrets", Err(reason));
                }
            }
            sleep(RETRY_INTERVAL).await;
        }
    }
}

impl<T> Clone for Secrets<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A key as it is in the database.
pub fn key<K>(key: Result<K, InvalidKey>) -> sqlx::Result<K> {
    key.map_err(|error| sqlx::Error::Decode(error.into()))
}
