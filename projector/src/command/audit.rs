//! What operators did, and why: kept for ever, shown by `status`.

use std::os::unix::fs::MetadataExt as _;

use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};

/// Something an operator did.
#[derive(Debug)]
pub struct Deed<'a> {
    pub by: &'a str,
    /// The subcommand.
    pub action: &'a str,
    pub projection: &'a str,
    pub partition: Option<Partition>,
    pub seq: Option<i64>,
    pub reason: &'a str,
    pub detail: Option<&'a str>,
}

/// Notes it, in the transaction that does it.
pub async fn note(deed: &Deed<'_>, db: &mut PgConnection) -> sqlx::Result<()> {
    let statement = query!(
        "/* audit.note */
        INSERT INTO audit (done_by, action, projection, partition, seq, reason, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7)",
        deed.by,
        deed.action,
        deed.projection,
        deed.partition.map(i16::from),
        deed.seq,
        deed.reason,
        deed.detail,
    );
    named("audit.note", statement.execute(db)).await.map(drop)
}

/// Whom this process belongs to.
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
    fn a_process_belongs_to_somebody() {
        assert_ne!(super::os_user(), "unknown");
    }
}
