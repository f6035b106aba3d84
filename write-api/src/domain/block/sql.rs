//! Saves blocks. `domain/storage/common.rs` loads them, in the statement for the rows that most commands need.

use chrono::{DateTime, Utc};
use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Blocks;
use crate::domain::{clock::time, table::Changes};

pub async fn save(connection: &mut PgConnection, blocks: Blocks) -> sqlx::Result<()> {
    let Changes {
        inserted,
        updated,
        removed,
    } = blocks.rows.into_changes();
    save_rows(&mut *connection, inserted.into_iter().chain(updated)).await?;
    delete(connection, removed).await
}

/// A block that ended and began again within the batch has a new time.
async fn save_rows(
    connection: &mut PgConnection,
    rows: impl Iterator<Item = ((Uuid, Uuid), i64)>,
) -> sqlx::Result<()> {
    let (ends, times): (Vec<(Uuid, Uuid)>, Vec<i64>) = rows.unzip();
    if ends.is_empty() {
        return Ok(());
    }
    let (blockers, blocked): (Vec<Uuid>, Vec<Uuid>) = ends.into_iter().unzip();
    let times: Vec<DateTime<Utc>> = times.into_iter().map(time).collect();
    let query = sqlx::query!(
        "/* state.blocks.save */ INSERT INTO write.blocks (blocker_id, blocked_id, blocked_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
         ON CONFLICT ON CONSTRAINT blocks_pkey DO UPDATE SET blocked_at = excluded.blocked_at",
        &blockers,
        &blocked,
        &times
    );
    named("state.blocks.save", query.execute(connection)).await?;
    Ok(())
}

async fn delete(connection: &mut PgConnection, ends: Vec<(Uuid, Uuid)>) -> sqlx::Result<()> {
    if ends.is_empty() {
        return Ok(());
    }
    let (blockers, blocked): (Vec<Uuid>, Vec<Uuid>) = ends.into_iter().unzip();
    let query = sqlx::query!(
        "/* state.blocks.delete */ DELETE FROM write.blocks b
         USING unnest($1::uuid[], $2::uuid[]) AS n(blocker_id, blocked_id)
         WHERE b.blocker_id = n.blocker_id AND b.blocked_id = n.blocked_id",
        &blockers,
        &blocked
    );
    named("state.blocks.delete", query.execute(connection)).await?;
    Ok(())
}
