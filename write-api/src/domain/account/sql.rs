//! Saves accounts and password hashes.

use chrono::{DateTime, Utc};
use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Account, Accounts};
use crate::domain::{clock::time, table::Changes};

pub async fn save(connection: &mut PgConnection, accounts: Accounts) -> sqlx::Result<()> {
    // Accounts are never removed.
    let Changes {
        inserted, updated, ..
    } = accounts.rows.into_changes();
    insert(&mut *connection, inserted).await?;
    update(&mut *connection, updated).await?;
    let password_hashes = accounts.password_hashes.into_changes().inserted;
    insert_password_hashes(connection, password_hashes).await
}

async fn insert(connection: &mut PgConnection, accounts: Vec<(Uuid, Account)>) -> sqlx::Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let columns = AccountColumns::from(accounts);
    let query = sqlx::query!(
        "/* state.accounts.insert */ INSERT INTO write.accounts (id, handle, display_name, bio, created_at)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])",
        &columns.ids,
        &columns.handles,
        &columns.display_names,
        &columns.bios,
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
         SET handle = n.handle, display_name = n.display_name, bio = n.bio
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS n(id, handle, display_name, bio)
         WHERE a.id = n.id",
        &columns.ids,
        &columns.handles,
        &columns.display_names,
        &columns.bios
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
            columns.created_at.push(time(account.created_at));
        }
        columns
    }
}
