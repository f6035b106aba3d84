//! Loads and saves connections and connection requests.

use chrono::{DateTime, TimeDelta, Utc};
use feedmill_service::{Database, sql::named};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Connection, Connections, DECLINE_HOLD, Pair};
use crate::domain::clock::time;

pub async fn load(
    connection: &mut PgConnection,
    connections: &mut Connections,
) -> sqlx::Result<()> {
    load_rows(&mut *connection, connections).await?;
    load_declined(&mut *connection, connections).await?;
    count_pending(connection, connections).await
}

async fn load_rows(
    connection: &mut PgConnection,
    connections: &mut Connections,
) -> sqlx::Result<()> {
    let (low, high): (Vec<Uuid>, Vec<Uuid>) = connections.rows.take_requested().into_iter().unzip();
    if low.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.connections.load */
         SELECT c.low_id, c.high_id, c.requester_id, c.requested_at, c.connected_at
         FROM unnest($1::uuid[], $2::uuid[]) AS n(low_id, high_id)
         JOIN write.connections c ON c.low_id = n.low_id AND c.high_id = n.high_id",
        &low,
        &high
    );
    for row in named("state.connections.load", query.fetch_all(connection)).await? {
        let found = Connection {
            requester: row.requester_id,
            requested_at: row.requested_at.timestamp_millis(),
            connected_at: row.connected_at.map(|at| at.timestamp_millis()),
        };
        connections.rows.load((row.low_id, row.high_id), found);
    }
    Ok(())
}

async fn load_declined(
    connection: &mut PgConnection,
    connections: &mut Connections,
) -> sqlx::Result<()> {
    let declined = connections.declined.take_requested();
    let (askers, decliners): (Vec<Uuid>, Vec<Uuid>) = declined.into_iter().unzip();
    if askers.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.declined_requests.load */
         SELECT d.from_id, d.to_id, d.declined_at
         FROM unnest($1::uuid[], $2::uuid[]) AS n(from_id, to_id)
         JOIN write.declined_requests d ON d.from_id = n.from_id AND d.to_id = n.to_id",
        &askers,
        &decliners
    );
    let rows = named("state.declined_requests.load", query.fetch_all(connection));
    for row in rows.await? {
        let at = row.declined_at.timestamp_millis();
        connections.declined.load((row.from_id, row.to_id), at);
    }
    Ok(())
}

async fn count_pending(
    connection: &mut PgConnection,
    connections: &mut Connections,
) -> sqlx::Result<()> {
    let accounts = connections.pending.take_requested();
    if accounts.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        r#"/* state.pending_requests.count */
         SELECT requester_id, count(*) AS "pending!"
         FROM write.connections
         WHERE requester_id = ANY($1) AND connected_at IS NULL
         GROUP BY requester_id"#,
        &accounts
    );
    let rows = named("state.pending_requests.count", query.fetch_all(connection)).await?;
    for row in rows {
        let pending = u32::try_from(row.pending).unwrap_or(u32::MAX);
        connections.pending.load(row.requester_id, pending);
    }
    Ok(())
}

pub async fn save(connection: &mut PgConnection, connections: Connections) -> sqlx::Result<()> {
    let changes = connections.rows.into_changes();
    let saved = changes.inserted.into_iter().chain(changes.updated);
    save_rows(&mut *connection, saved.collect()).await?;
    delete_rows(&mut *connection, changes.removed).await?;
    let changes = connections.declined.into_changes();
    let saved = changes.inserted.into_iter().chain(changes.updated);
    save_declined(&mut *connection, saved.collect()).await?;
    delete_declined(connection, changes.removed).await
}

async fn save_rows(
    connection: &mut PgConnection,
    rows: Vec<(Pair, Connection)>,
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let (pairs, rows): (Vec<Pair>, Vec<Connection>) = rows.into_iter().unzip();
    let (low, high): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
    let requesters: Vec<Uuid> = rows.iter().map(|row| row.requester).collect();
    let requested: Vec<_> = rows.iter().map(|row| time(row.requested_at)).collect();
    let connected: Vec<_> = rows.iter().map(|row| row.connected_at.map(time)).collect();
    let query = sqlx::query!(
        "/* state.connections.save */
         INSERT INTO write.connections (low_id, high_id, requester_id, requested_at, connected_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::timestamptz[])
         ON CONFLICT ON CONSTRAINT connections_pkey DO UPDATE SET
             requester_id = excluded.requester_id,
             requested_at = excluded.requested_at,
             connected_at = excluded.connected_at",
        &low,
        &high,
        &requesters,
        &requested,
        &connected as &[Option<DateTime<Utc>>]
    );
    named("state.connections.save", query.execute(connection)).await?;
    Ok(())
}

async fn delete_rows(connection: &mut PgConnection, pairs: Vec<Pair>) -> sqlx::Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let (low, high): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
    let query = sqlx::query!(
        "/* state.connections.delete */ DELETE FROM write.connections c
         USING unnest($1::uuid[], $2::uuid[]) AS n(low_id, high_id)
         WHERE c.low_id = n.low_id AND c.high_id = n.high_id",
        &low,
        &high
    );
    named("state.connections.delete", query.execute(connection)).await?;
    Ok(())
}

async fn save_declined(
    connection: &mut PgConnection,
    declined: Vec<((Uuid, Uuid), i64)>,
) -> sqlx::Result<()> {
    if declined.is_empty() {
        return Ok(());
    }
    let (ends, times): (Vec<(Uuid, Uuid)>, Vec<i64>) = declined.into_iter().unzip();
    let (from, to): (Vec<Uuid>, Vec<Uuid>) = ends.into_iter().unzip();
    let times: Vec<DateTime<Utc>> = times.into_iter().map(time).collect();
    let query = sqlx::query!(
        "/* state.declined_requests.save */
         INSERT INTO write.declined_requests (from_id, to_id, declined_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
         ON CONFLICT ON CONSTRAINT declined_requests_pkey DO UPDATE SET declined_at = excluded.declined_at",
        &from,
        &to,
        &times
    );
    named("state.declined_requests.save", query.execute(connection)).await?;
    Ok(())
}

async fn delete_declined(
    connection: &mut PgConnection,
    ends: Vec<(Uuid, Uuid)>,
) -> sqlx::Result<()> {
    if ends.is_empty() {
        return Ok(());
    }
    let (from, to): (Vec<Uuid>, Vec<Uuid>) = ends.into_iter().unzip();
    let query = sqlx::query!(
        "/* state.declined_requests.delete */ DELETE FROM write.declined_requests d
         USING unnest($1::uuid[], $2::uuid[]) AS n(from_id, to_id)
         WHERE d.from_id = n.from_id AND d.to_id = n.to_id",
        &from,
        &to
    );
    named("state.declined_requests.delete", query.execute(connection)).await?;
    Ok(())
}

/// Deletes declined requests that may be repeated by now. Returns how many, at most `max_rows`.
pub async fn delete_expired(
    database: &Database,
    now: DateTime<Utc>,
    max_rows: i64,
) -> sqlx::Result<u64> {
    let delete = sqlx::query!(
        r#"/* declined_requests.expired.delete */
        DELETE FROM write.declined_requests
        WHERE (from_id, to_id) IN
            (SELECT from_id, to_id FROM write.declined_requests WHERE declined_at <= $1 LIMIT $2)
            -- A row that was renewed meanwhile stays.
            AND declined_at <= $1"#,
        now - TimeDelta::milliseconds(DECLINE_HOLD),
        max_rows
    );
    database
        .execute("declined_requests.expired.delete", delete)
        .await
}
