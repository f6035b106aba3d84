//! The ids that an import gave.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use sqlx::PgPool;
use uuid::Uuid;

/// The ids of imported things by their names in the records, and the other way round.
pub struct Names {
    ids: BTreeMap<(String, String), Uuid>,
    names: BTreeMap<Uuid, String>,
}

impl Names {
    pub async fn read(pool: &PgPool) -> Result<Self> {
        let rows: Vec<(String, String, Uuid)> =
            sqlx::query_as("SELECT kind, record, id FROM write.imported WHERE id IS NOT NULL")
                .fetch_all(pool)
                .await?;
        let names = rows
            .iter()
            .map(|(_, record, id)| (*id, record.clone()))
            .collect();
        Ok(Self {
            ids: rows
                .into_iter()
                .map(|(kind, record, id)| ((kind, record), id))
                .collect(),
            names,
        })
    }

    pub fn id(&self, kind: &str, record: &str) -> Result<Uuid> {
        let found = self.ids.get(&(kind.to_owned(), record.to_owned()));
        found
            .copied()
            .with_context(|| format!("{kind} {record} was not imported"))
    }

    /// The name in the records of the thing with this id, or the id itself.
    pub fn name(&self, id: &str) -> String {
        let found = id.parse().ok().and_then(|id: Uuid| self.names.get(&id));
        found.cloned().unwrap_or_else(|| id.to_owned())
    }
}
