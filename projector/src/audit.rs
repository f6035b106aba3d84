//! The audit log: what operators did, and why. Entries are never deleted; `status` shows the latest, `audit` all.

use std::os::unix::fs::MetadataExt as _;

use chrono::{DateTime, Utc};
use feedmill_events::Partition;
use feedmill_service::sql::named;
use serde::Serialize;
use sqlx::{PgConnection, query};

/// An action of an operator.
#[derive(Debug, Default)]
pub struct AuditEntry<'a> {
    pub by: &'a str,
    /// The subcommand, or `cutover`, `texts`, `sign-in` and `sign-out`.
    pub action: &'a str,
    /// Empty if the action concerns no projection.
    pub projection: &'a str,
    pub partition: Option<Partition>,
    pub seq: Option<i64>,
    pub reason: &'a str,
    pub detail: Option<&'a str>,
}

/// Writes an entry, in the transaction of the action.
pub async fn record(entry: &AuditEntry<'_>, db: &mut PgConnection) -> sqlx::Result<()> {
    let statement = query!(
        "/* audit.note */
        INSERT INTO audit (done_by, action, projection, partition, seq, reason, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7)",
        entry.by,
        entry.action,
        entry.projection,
        entry.partition.map(i16::from),
        entry.seq,
        entry.reason,
        entry.detail,
    );
    named("audit.note", statement.execute(db)).await.map(drop)
}

/// An entry as it is stored.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    #[serde(skip)]
    pub id: i64,
    pub at: DateTime<Utc>,
    pub by: String,
    pub action: String,
    pub projection: String,
    pub partition: Option<i16>,
    pub seq: Option<i64>,
    pub reason: String,
    pub detail: Option<String>,
}

impl Recorded {
    /// What the action concerned: a projection, a partition or an event, as far as the entry has them.
    pub fn place(&self) -> String {
        let event = self.partition.map(|partition| match self.seq {
            Some(seq) => format!("{partition}:{seq}"),
            None => partition.to_string(),
        });
        let parts = [self.projection.clone(), event.unwrap_or_default()];
        parts.join(" ").trim().to_owned()
    }

    /// The action and what it concerned.
    pub fn action_and_place(&self) -> String {
        format!("{} {}", self.action, self.place())
            .trim_end()
            .to_owned()
    }
}

/// Which entries are listed. None matches every entry.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub by: Option<String>,
    pub action: Option<String>,
    pub projection: Option<String>,
    /// About this event.
    pub event: Option<(Partition, i64)>,
}

/// At most `limit` entries that match, latest first, from before the entry with the id `before`.
pub async fn list(
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
    db: &mut PgConnection,
) -> sqlx::Result<Vec<Recorded>> {
    let statement = query!(
        "/* audit.list */
        SELECT id, at, done_by, action, projection, partition, seq, reason, detail FROM audit
        WHERE ($1::bigint IS NULL OR id < $1)
            AND ($2::text IS NULL OR done_by = $2) AND ($3::text IS NULL OR action = $3)
            AND ($4::text IS NULL OR projection = $4)
            AND ($5::smallint IS NULL OR partition = $5) AND ($6::bigint IS NULL OR seq = $6)
        ORDER BY id DESC LIMIT $7",
        before,
        filter.by.as_deref(),
        filter.action.as_deref(),
        filter.projection.as_deref(),
        filter.event.map(|(partition, _)| i16::from(partition)),
        filter.event.map(|(_, seq)| seq),
        limit,
    );
    let rows = named("audit.list", statement.fetch_all(db)).await?;
    let entry = rows.into_iter().map(|row| Recorded {
        id: row.id,
        at: row.at,
        by: row.done_by,
        action: row.action,
        projection: row.projection,
        partition: row.partition,
        seq: row.seq,
        reason: row.reason,
        detail: row.detail,
    });
    Ok(entry.collect())
}

/// The user that this process runs as.
pub fn os_user() -> String {
    let Ok(process) = std::fs::metadata("/proc/self") else {
        return "unknown".to_owned();
    };
    let uid = process.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = |line: &str| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id == uid).then(|| name.to_owned())
    };
    users
        .lines()
        .find_map(named)
        .unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_user_of_this_process_is_known() {
        assert_ne!(super::os_user(), "unknown");
    }
}
