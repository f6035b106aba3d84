//! Saves accounts and password hashes; loads and saves freed handles.

use chrono::{DateTime, TimeDelta, Utc};
use feedmill_events::event::v1::WhoMayMessage;
use feedmill_service::{Database, sql::named};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Account, Accounts, Settings,
    freed::{FreedHandle, FreedHandles, HOLD},
};
use crate::domain::{audience, clock::time, table::Changes, text::Handle};

/// The settings of stored columns.
pub fn settings(default_audience: i16, who_may_message: i16) -> sqlx::Result<Settings> {
    let everyone = number_of(WhoMayMessage::Everyone);
    Ok(Settings {
        default_audience: audience::sql::audience(default_audience, None)?,
        who_may_message: if who_may_message == everyone {
            WhoMayMessage::Everyone
        } else {
            WhoMayMessage::Connections
        },
    })
}

/// The number in `write.accounts.who_may_message`.
fn number_of(who_may_message: WhoMayMessage) -> i16 {
    match who_may_message {
        WhoMayMessage::Everyone => 0,
        WhoMayMessage::Connections => 1,
    }
}

/// Loads the freed handles that were requested. Call it after the accounts were loaded: an account that gives up a handle in
/// between still has it then, so that a handle never looks free.
pub async fn load_freed(
    connection: &mut PgConnection,
    accounts: &mut Accounts,
) -> sqlx::Result<()> {
    let freed = &mut accounts.freed.rows;
    let handles = freed.take_requested();
    if handles.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.freed_handles.load */
         SELECT handle, account_id, freed_at FROM write.freed_handles WHERE handle = ANY($1)",
        &handles
    );
    let rows = named("state.freed_handles.load", query.fetch_all(connection)).await?;
    for row in rows {
        let (owner, at) = (row.account_id, row.freed_at.timestamp_millis());
        freed.load(row.handle, FreedHandle { owner, at });
    }
    Ok(())
}

async fn save_freed(connection: &mut PgConnection, freed: FreedHandles) -> sqlx::Result<()> {
    let changes = freed.rows.into_changes();
    if !changes.removed.is_empty() {
        let query = sqlx::query!(
            "/* state.freed_handles.delete */ DELETE FROM write.freed_handles WHERE handle = ANY($1)",
            &changes.removed
        );
        named(
            "state.freed_handles.delete",
            query.execute(&mut *connection),
        )
        .await?;
    }
    let (mut handles, mut owners, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for (handle, freed) in changes.inserted.into_iter().chain(changes.updated) {
        handles.push(handle);
        owners.push(freed.owner);
        times.push(time(freed.at));
    }
    if handles.is_empty() {
        return Ok(());
    }
    // A handle has at most one owner, so a row that exists is from before it was taken.
    let query = sqlx::query!(
        "/* state.freed_handles.save */ INSERT INTO write.freed_handles (handle, account_id, freed_at)
         SELECT * FROM unnest($1::text[], $2::uuid[], $3::timestamptz[])
         ON CONFLICT (handle) DO UPDATE SET account_id = excluded.account_id, freed_at = excluded.freed_at",
        &handles,
        &owners,
        &times
    );
    named("state.freed_handles.save", query.execute(connection)).await?;
    Ok(())
}

/// Whether an account has the handle, or had it until lately.
pub async fn is_taken(
    database: &Database,
    handle: &Handle,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let query = sqlx::query!(
        r#"/* account.handle.check */
        SELECT EXISTS (SELECT FROM write.accounts WHERE handle = $1)
            OR EXISTS (SELECT FROM write.freed_handles WHERE handle = $1 AND freed_at > $2) AS "is_taken!""#,
        handle.as_str(),
        now - TimeDelta::milliseconds(HOLD)
    );
    let row = database.one("account.handle.check", query).await?;
    Ok(row.is_taken)
}

/// Deletes up to `max_rows` freed handles that do not stay with their owners any more. Returns their number.
pub async fn delete_expired(
    database: &Database,
    now: DateTime<Utc>,
    max_rows: i64,
) -> sqlx::Result<u64> {
    let delete = sqlx::query!(
        r#"/* freed_handles.expired.delete */
        DELETE FROM write.freed_handles
        WHERE handle IN (SELECT handle FROM write.freed_handles WHERE freed_at <= $1 LIMIT $2)"#,
        now - TimeDelta::milliseconds(HOLD),
        max_rows
    );
    database
        .execute("freed_handles.expired.delete", delete)
        .await
}

pub async fn save(connection: &mut PgConnection, accounts: Accounts) -> sqlx::Result<()> {
    // Accounts are never removed.
    let Changes {
        inserted, updated, ..
    } = accounts.rows.into_changes();
    insert(&mut *connection, inserted).await?;
    update(&mut *connection, updated).await?;
    save_freed(&mut *connection, accounts.freed).await?;
    let password_hashes = accounts.password_hashes.into_changes().inserted;
    insert_password_hashes(connection, password_hashes).await
}

async fn insert(connection: &mut PgConnection, accounts: Vec<(Uuid, Account)>) -> sqlx::Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let columns = AccountColumns::from(accounts);
    let query = sqlx::query!(
        "/* state.accounts.insert */
         INSERT INTO write.accounts (id, handle, display_name, bio, default_audience, who_may_message, created_at)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int2[], $6::int2[], $7::timestamptz[])",
        &columns.ids,
        &columns.handles,
        &columns.display_names,
        &columns.bios,
        &columns.default_audiences,
        &columns.who_may_message,
        &columns.created_at
    );
    named("state.accounts.insert", query.execute(connection)).await?;
    Ok(())
}

async fn update(connection: &mut PgConnection, accounts: Vec<(Uuid, Account)>) -> sqlx::Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let columns = AccountColumns::from(accounts);
    let query = sqlx::query!(
        "/* state.accounts.update */ UPDATE write.accounts a
         SET handle = n.handle, display_name = n.display_name, bio = n.bio,
             default_audience = n.default_audience, who_may_message = n.who_may_message
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int2[], $6::int2[])
             AS n(id, handle, display_name, bio, default_audience, who_may_message)
         WHERE a.id = n.id",
        &columns.ids,
        &columns.handles,
        &columns.display_names,
        &columns.bios,
        &columns.default_audiences,
        &columns.who_may_message
    );
    named("state.accounts.update", query.execute(connection)).await?;
    Ok(())
}

async fn insert_password_hashes(
    connection: &mut PgConnection,
    password_hashes: Vec<(Uuid, String)>,
) -> sqlx::Result<()> {
    if password_hashes.is_empty() {
        return Ok(());
    }
    let (ids, hashes): (Vec<Uuid>, Vec<String>) = password_hashes.into_iter().unzip();
    let query = sqlx::query!(
        "/* state.passwords.insert */ INSERT INTO write.passwords (account_id, hash)
         SELECT * FROM unnest($1::uuid[], $2::text[])",
        &ids,
        &hashes
    );
    named("state.passwords.insert", query.execute(connection)).await?;
    Ok(())
}

#[derive(Default)]
struct AccountColumns {
    ids: Vec<Uuid>,
    handles: Vec<String>,
    display_names: Vec<String>,
    bios: Vec<String>,
    default_audiences: Vec<i16>,
    who_may_message: Vec<i16>,
    created_at: Vec<DateTime<Utc>>,
}

impl From<Vec<(Uuid, Account)>> for AccountColumns {
    fn from(accounts: Vec<(Uuid, Account)>) -> Self {
        let mut columns = Self::default();
        for (id, account) in accounts {
            columns.ids.push(id);
            columns.handles.push(account.handle);
            columns.display_names.push(account.display_name);
            columns.bios.push(account.bio);
            let Settings {
                default_audience,
                who_may_message,
            } = account.settings;
            let number = audience::sql::number(&default_audience);
            columns.default_audiences.push(number);
            columns.who_may_message.push(number_of(who_may_message));
            columns.created_at.push(time(account.created_at));
        }
        columns
    }
}
