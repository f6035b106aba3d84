//! The statements of the profiles projection. Each does nothing, at no cost, when it has nothing to do.

use feedmill_events::event::v1::WhoMayMessage;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::fold::{Changes, Counts};
use crate::{
    error::{ApplyError, expect_rows},
    projection::{audience_number::audience_number, links::links},
};

links! {
    pub mod follows: "follows" ("followee", "follower", "followed_at") {
        insert: "profiles.insert_follows",
        delete: "profiles.delete_follows",
    }
}

links! {
    pub mod connections: "connections" ("account", "other", "connected_at") {
        insert: "profiles.insert_connections",
        delete: "profiles.delete_connections",
    }
}

links! {
    pub mod requests: "connection_requests" ("recipient", "requester", "requested_at") {
        insert: "profiles.insert_requests",
        delete: "profiles.delete_requests",
    }
}

pub async fn insert_accounts(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let (mut ids, mut handles, mut names, mut bios, mut times) =
        (vec![], vec![], vec![], vec![], vec![]);
    for (id, account) in &changes.accounts {
        if let Some(created_at) = account.created_at {
            ids.push(*id);
            handles.push(account.handle);
            names.push(account.display_name);
            bios.push(account.bio);
            times.push(created_at);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* profiles.insert_accounts */
        INSERT INTO accounts (id, handle, display_name, bio, created_at)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])",
        &ids,
        &handles as &[&str],
        &names as &[&str],
        &bios as &[&str],
        &times,
    );
    named("profiles.insert_accounts", statement.execute(db)).await?;
    Ok(())
}

pub async fn update_accounts(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let (mut ids, mut handles, mut names, mut bios) = (vec![], vec![], vec![], vec![]);
    for (id, account) in &changes.accounts {
        if account.created_at.is_none() {
            ids.push(*id);
            handles.push(account.handle);
            names.push(account.display_name);
            bios.push(account.bio);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* profiles.update_accounts */
        UPDATE accounts a SET handle = n.handle, display_name = n.display_name, bio = n.bio
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS n(id, handle, display_name, bio)
        WHERE a.id = n.id",
        &ids,
        &handles as &[&str],
        &names as &[&str],
        &bios as &[&str],
    );
    let done = named("profiles.update_accounts", statement.execute(db)).await?;
    expect_rows("profiles.update_accounts", ids.len(), done.rows_affected())
}

/// Events of several partitions change an account's counts, so these are only ever incremented. Rows are locked in the
/// order of their accounts, so that two instances do not deadlock.
pub async fn add_counts(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    let changed = changes.counts.iter();
    let changed = changed.filter(|(_, counts)| **counts != Counts::default());
    let (accounts, counts): (Vec<Uuid>, Vec<&Counts>) = changed.unzip();
    let column =
        |of: fn(&Counts) -> i64| -> Vec<i64> { counts.iter().map(|counts| of(counts)).collect() };
    if accounts.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* profiles.add_counts */
        INSERT INTO account_counts AS c
            (account, followers, following, connections, requests_received, requests_sent)
        SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        ON CONFLICT (account) DO UPDATE SET
            followers = c.followers + excluded.followers,
            following = c.following + excluded.following,
            connections = c.connections + excluded.connections,
            requests_received = c.requests_received + excluded.requests_received,
            requests_sent = c.requests_sent + excluded.requests_sent",
        &accounts,
        &column(|counts| counts.followers),
        &column(|counts| counts.following),
        &column(|counts| counts.connections),
        &column(|counts| counts.requests_received),
        &column(|counts| counts.requests_sent),
    );
    named("profiles.add_counts", statement.execute(db)).await?;
    Ok(())
}

/// An account whose counts are all zero has no row, so that the same log always gives the same rows.
pub async fn delete_empty_counts(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let accounts: Vec<Uuid> = changes
        .counts
        .iter()
        .filter(|(_, counts)| counts.is_decrease())
        .map(|(account, _)| *account)
        .collect();
    if accounts.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* profiles.delete_empty_counts */
        DELETE FROM account_counts
        WHERE account = ANY($1) AND followers = 0 AND following = 0
            AND connections = 0 AND requests_received = 0 AND requests_sent = 0",
        &accounts,
    );
    named("profiles.delete_empty_counts", statement.execute(db)).await?;
    Ok(())
}

pub async fn save_settings(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    if changes.settings.is_empty() {
        return Ok(());
    }
    let settings = || changes.settings.values();
    let audiences = settings().map(|new| audience_number(&new.default_audience));
    let may_message = settings().map(|new| match new.who_may_message {
        WhoMayMessage::Everyone => 0,
        WhoMayMessage::Connections => 1,
    });
    let statement = query!(
        "/* profiles.save_settings */
        INSERT INTO account_settings (account, default_audience, who_may_message)
        SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::smallint[])
        ON CONFLICT (account) DO UPDATE SET
            default_audience = excluded.default_audience, who_may_message = excluded.who_may_message",
        &changes.settings.keys().copied().collect::<Vec<_>>(),
        &audiences.collect::<Vec<i16>>(),
        &may_message.collect::<Vec<i16>>(),
    );
    named("profiles.save_settings", statement.execute(db)).await?;
    Ok(())
}
