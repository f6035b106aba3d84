//! `write-api log list|move`: the parts of the log, for its operator. The statements are not checked ones, because they need the rights
//! of the owner.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use sqlx::{Connection, PgConnection, Postgres, Transaction, error::DatabaseError};

use super::migrate::connect_as_owner;
use crate::config::{Config, LogAction};

/// How long the exchange of a table waits for those who read or write the log. Whoever comes later waits behind it.
const LOCK_TIMEOUT: &str = "300ms";

/// The pauses between attempts: they double, so that a long reader of the log costs the others little.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_ATTEMPTS: u32 = 10;

/// "logparts" in ASCII: one move at a time.
const MOVE_LOCK: i64 = 0x6c6f_6770_6172_7473;

pub async fn log(config: &Config, action: &LogAction) -> anyhow::Result<()> {
    let mut connection = connect_as_owner(config).await?;
    match action {
        LogAction::List => list(&mut connection).await,
        LogAction::Move { part, tablespace } => move_part(&mut connection, part, tablespace).await,
    }
}

/// A part of the log.
#[derive(Debug, sqlx::FromRow)]
struct Part {
    name: String,
    /// None: without a lower bound.
    lower: Option<i64>,
    /// None: the part for the rest, which accepts what no other does.
    upper: Option<i64>,
    /// An estimate of PostgreSQL.
    events: i64,
    bytes: i64,
    tablespace: String,
    /// No event will be added to it.
    is_complete: bool,
}

async fn parts(connection: &mut PgConnection) -> sqlx::Result<Vec<Part>> {
    sqlx::query_as(
        "SELECT c.relname::text AS name, lower, upper, greatest(c.reltuples, 0)::bigint AS events,
            pg_total_relation_size(c.oid)::bigint AS bytes, t.spcname::text AS tablespace,
            coalesce(upper - 1 <= (SELECT min(head) FROM write.partitions), false) AS is_complete
         FROM write.log_parts
         JOIN pg_class c ON c.oid = part
         JOIN pg_database d ON d.datname = current_database()
         JOIN pg_tablespace t ON t.oid = CASE c.reltablespace WHEN 0 THEN d.dattablespace ELSE c.reltablespace END
         ORDER BY upper NULLS LAST",
    )
    .fetch_all(connection)
    .await
}

async fn list(connection: &mut PgConnection) -> anyhow::Result<()> {
    println!(
        "{:<24} {:>14} {:>14} {:>14} {:>10} {:<10} tablespace",
        "part", "from", "to", "events (~)", "MB", "state"
    );
    for part in parts(connection).await? {
        let state = match part.upper {
            None => "rest",
            Some(_) if part.is_complete => "complete",
            Some(_) if part.events == 0 => "next",
            Some(_) => "open",
        };
        let bound = |seq: Option<i64>| seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
        println!(
            "{:<24} {:>14} {:>14} {:>14} {:>10} {state:<10} {}",
            part.name,
            bound(part.lower),
            bound(part.upper.map(|upper| upper - 1)),
            part.events,
            part.bytes >> 20,
            part.tablespace
        );
    }
    Ok(())
}

/// Copies a complete part to another tablespace and exchanges the two tables, in one transaction. Everybody can read and append to the
/// log meanwhile: only the exchange locks it, for a moment. A run that is interrupted changes nothing.
async fn move_part(
    connection: &mut PgConnection,
    name: &str,
    tablespace: &str,
) -> anyhow::Result<()> {
    let all = parts(connection).await?;
    let part = all.iter().find(|part| part.name == name);
    let part =
        part.with_context(|| format!("the log has no part {name:?}; see `write-api log list`"))?;
    ensure!(
        part.tablespace != tablespace,
        "{name} is in the tablespace {tablespace} already"
    );
    let Some(upper) = part.upper.filter(|_| part.is_complete) else {
        bail!("{name} is not complete: some of the 64 partitions will add events to it");
    };
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_tablespace WHERE spcname = $1)")
            .bind(tablespace)
            .fetch_one(&mut *connection)
            .await?;
    ensure!(
        exists,
        "there is no tablespace {tablespace:?}; create it with CREATE TABLESPACE"
    );
    let mut transaction = connection.begin().await?;
    let is_alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
        .bind(MOVE_LOCK)
        .fetch_one(&mut *transaction)
        .await?;
    ensure!(is_alone, "another `log move` is running");
    let tables = Tables {
        old: quoted(name),
        new: quoted(&format!("{name}_moved")),
        lower: part.lower,
        upper,
    };
    tables
        .copy(&mut transaction, &quoted(tablespace))
        .await
        .with_context(|| format!("cannot copy {name} to the tablespace {tablespace}"))?;
    tables.lock_log(&mut transaction).await?;
    tables.exchange(&mut transaction, name).await?;
    transaction.commit().await?;
    println!("{name} is in the tablespace {tablespace}");
    Ok(())
}

/// A part, and its copy. The names are identifiers in SQL.
struct Tables {
    old: String,
    new: String,
    lower: Option<i64>,
    upper: i64,
}

impl Tables {
    /// Copies the part. Nobody appends to it any more. Whoever wants to erase a text waits, and ends the move before the exchange.
    async fn copy(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        tablespace: &str,
    ) -> sqlx::Result<()> {
        let Self {
            old, new, upper, ..
        } = self;
        let owner: String = sqlx::query_scalar(
            "SELECT quote_ident(rolname) FROM pg_class JOIN pg_roles r ON r.oid = relowner
             WHERE pg_class.oid = 'write.events'::regclass",
        )
        .fetch_one(&mut **transaction)
        .await?;
        let from = self
            .lower
            .map_or_else(String::new, |lower| format!(" AND seq >= {lower}"));
        let statements = format!(
            "SET LOCAL statement_timeout = 0;
             SET LOCAL idle_in_transaction_session_timeout = 0;
             SET LOCAL default_tablespace = {tablespace};
             LOCK TABLE ONLY write.{old} IN SHARE MODE;
             CREATE TABLE write.{new} (LIKE write.{old} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
             INSERT INTO write.{new} SELECT * FROM ONLY write.{old};
             ALTER TABLE write.{new} ADD PRIMARY KEY (partition, seq);
             ALTER TABLE write.{new} OWNER TO {owner};
             ALTER TABLE write.{new} ADD CONSTRAINT bounds CHECK (seq < {upper}{from});
             ANALYZE write.{new}"
        );
        execute(transaction, &statements).await
    }

    /// Locks the log as soon as nobody uses it. Errors: it is in use for too long, or somebody waits for the part.
    async fn lock_log(&self, transaction: &mut Transaction<'_, Postgres>) -> anyhow::Result<()> {
        let lock = format!(
            "SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; LOCK TABLE write.events IN ACCESS EXCLUSIVE MODE"
        );
        for attempt in 1..=MAX_ATTEMPTS {
            execute(transaction, "SAVEPOINT unlocked").await?;
            let Err(error) = execute(transaction, &lock).await else {
                return Ok(());
            };
            // lock_not_available
            let code = error.as_database_error().and_then(DatabaseError::code);
            if code.as_deref() != Some("55P03") {
                return Err(error.into());
            }
            execute(transaction, "ROLLBACK TO unlocked").await?;
            let is_awaited: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::regclass)",
            )
            .bind(format!("write.{}", self.old))
            .fetch_one(&mut **transaction)
            .await?;
            ensure!(
                !is_awaited,
                "another transaction waits to change {}; nothing was moved, run it again",
                self.old
            );
            eprintln!("the log is in use, trying again");
            tokio::time::sleep(FIRST_PAUSE * (1 << attempt.min(5))).await;
        }
        bail!("somebody uses the log for too long (see pg_stat_activity); nothing was moved")
    }

    /// Puts the copy in the place of the part. Its check saves reading it again while the log is locked.
    async fn exchange(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        name: &str,
    ) -> sqlx::Result<()> {
        let Self {
            old, new, upper, ..
        } = self;
        let lower = self
            .lower
            .map_or_else(|| "MINVALUE".to_owned(), |lower| lower.to_string());
        let [new_index, index] =
            ["_moved_pkey", "_pkey"].map(|end| quoted(&format!("{name}{end}")));
        let statements = format!(
            "ALTER TABLE write.events DETACH PARTITION write.{old};
             DROP TABLE write.{old};
             ALTER TABLE write.{new} RENAME TO {old};
             ALTER INDEX write.{new_index} RENAME TO {index};
             ALTER TABLE write.events ATTACH PARTITION write.{old} FOR VALUES FROM ({lower}) TO ({upper});
             ALTER TABLE write.{old} DROP CONSTRAINT bounds"
        );
        execute(transaction, &statements).await
    }
}

async fn execute(transaction: &mut Transaction<'_, Postgres>, sql: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// An identifier in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
