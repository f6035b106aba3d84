//! `projector pause` and `projector resume`

use anyhow::bail;
use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{Connection as _, PgConnection, query, query_scalar};

use super::common::{format_time, partition};
use crate::{
    audit::{self, AuditEntry},
    projection::{self, Definition},
};

/// The value of `pauses.partition` for a whole projection.
const ALL_PARTITIONS: i16 = -1;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The projection
    #[arg(value_parser = projection::by_name)]
    pub name: &'static Definition,
    /// One of its partitions, 0 to 63. Without it, the whole projection
    #[arg(value_parser = partition)]
    pub partition: Option<Partition>,
    /// Why, for the audit log and `status`
    #[arg(long, default_value = "no reason given")]
    pub reason: String,
    /// Who, for the audit log and `status`
    #[arg(long, env = "USER", default_value_t = audit::os_user())]
    pub by: String,
}

impl Args {
    fn target(&self) -> String {
        match self.partition {
            Some(partition) => format!("partition {partition} of {}", self.name.name()),
            None => self.name.name().to_owned(),
        }
    }

    fn key(&self) -> i16 {
        self.partition.map_or(ALL_PARTITIONS, i16::from)
    }

    async fn audit(&self, action: &str, db: &mut PgConnection) -> sqlx::Result<()> {
        let entry = AuditEntry {
            by: &self.by,
            action,
            projection: self.name.name(),
            partition: self.partition,
            reason: &self.reason,
            ..AuditEntry::default()
        };
        audit::record(&entry, db).await
    }
}

/// Returns what was done, for people. Instances notice within a second. Errors: it is already paused.
pub async fn pause(args: &Args, db: &mut PgConnection) -> anyhow::Result<String> {
    let mut tx = db.begin().await?;
    let statement = query!(
        "/* pause.pause */
        INSERT INTO pauses (projection, partition, paused_by, reason) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING",
        args.name.name(),
        args.key(),
        args.by,
        args.reason,
    );
    let done = named("pause.pause", statement.execute(&mut *tx)).await?;
    if done.rows_affected() == 0 {
        bail!(
            "{} is already paused{}",
            args.target(),
            paused_by(args, &mut tx).await?
        );
    }
    args.audit("pause", &mut tx).await?;
    tx.commit().await?;
    Ok(format!(
        "{} is paused; instances stop within a second",
        args.target()
    ))
}

/// Returns what was done, for people. Instances notice within a second. Errors: it is not paused itself.
pub async fn resume(args: &Args, db: &mut PgConnection) -> anyhow::Result<String> {
    let mut tx = db.begin().await?;
    let name = args.name.name();
    let statement = query!(
        "/* pause.resume */ DELETE FROM pauses WHERE projection = $1 AND partition = $2",
        name,
        args.key(),
    );
    let done = named("pause.resume", statement.execute(&mut *tx)).await?;
    let statement = query_scalar!(
        "/* pause.others */ SELECT partition FROM pauses WHERE projection = $1 ORDER BY 1",
        name,
    );
    let others = named("pause.others", statement.fetch_all(&mut *tx)).await?;
    let others: Vec<String> = others
        .into_iter()
        .filter(|other| args.partition.is_none() || *other == ALL_PARTITIONS)
        .map(|other| match other {
            ALL_PARTITIONS => format!("{name} is paused as a whole"),
            partition => format!("partition {partition} of {name} is paused by itself"),
        })
        .collect();
    if done.rows_affected() == 0 {
        match others.as_slice() {
            [] => bail!("{} is not paused", args.target()),
            others => bail!("{} is not paused, but {}", args.target(), others.join(", ")),
        }
    }
    args.audit("resume", &mut tx).await?;
    tx.commit().await?;
    let done = format!(
        "{} is resumed; instances continue within a second",
        args.target()
    );
    let but = others.into_iter().map(|other| format!("but {other}"));
    Ok([done].into_iter().chain(but).collect::<Vec<_>>().join("\n"))
}

async fn paused_by(args: &Args, db: &mut PgConnection) -> sqlx::Result<String> {
    let statement = query!(
        "/* pause.by_whom */
        SELECT paused_by, reason, since FROM pauses WHERE projection = $1 AND partition = $2",
        args.name.name(),
        args.key(),
    );
    let row = named("pause.by_whom", statement.fetch_optional(db)).await?;
    Ok(row.map_or_else(String::new, |row| {
        format!(
            ", by {} since {}: {}",
            row.paused_by,
            format_time(row.since),
            row.reason
        )
    }))
}
