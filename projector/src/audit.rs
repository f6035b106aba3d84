//! The audit log: what operators did, and why. Entries are never deleted; `status` shows the latest.

use std::os::unix::fs::MetadataExt as _;

use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};

/// An action of an operator.
#[derive(Debug, Default)]
pub struct AuditEntry<'a> {
    pub by: &'a str,
    /// The subcommand, or `cutover`.
    pub action: &'a str,
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
