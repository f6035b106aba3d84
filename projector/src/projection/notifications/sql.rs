//! The statements of the notifications projection. Each does nothing, at no cost, when it has nothing to do.

use std::collections::BTreeMap;

use feedmill_service::sql::named;
use sqlx::{PgConnection, query, query_scalar};
use uuid::Uuid;

use super::fold::{Changes, Key};
use crate::error::{ApplyError, expect_rows};

/// Returns the viewers of the deleted notifications.
pub async fn delete_acts(
    changes: &Changes,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    let keys: Vec<Key> = changes.acts.ended().collect();
    let deleted = delete(&keys, db).await?;
    expect_rows("notifications.delete", keys.len(), deleted.len() as u64)?;
    Ok(deleted)
}

/// Returns the viewers of the deleted notifications.
pub async fn delete_replies(
    changes: &Changes,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    delete(&changes.replies.ended().collect::<Vec<_>>(), db).await
}

async fn delete(keys: &[Key], db: &mut PgConnection) -> Result<Vec<Uuid>, ApplyError> {
    if keys.is_empty() {
        return Ok(vec![]);
    }
    let (viewers, ids): (Vec<Uuid>, Vec<Uuid>) = keys.iter().copied().unzip();
    let statement = query_scalar!(
        "/* notifications.delete */
        DELETE FROM notifications n USING unnest($1::uuid[], $2::uuid[]) AS o(viewer, id)
        WHERE n.viewer = o.viewer AND n.id = o.id
        RETURNING n.viewer",
        &viewers,
        &ids,
    );
    Ok(named("notifications.delete", statement.fetch_all(db)).await?)
}

/// Returns the viewers of the deleted notifications.
pub async fn delete_of_posts(
    changes: &Changes,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    if changes.deleted.is_empty() {
        return Ok(vec![]);
    }
    let posts: Vec<Uuid> = changes.deleted.iter().copied().collect();
    let statement = query_scalar!(
        "/* notifications.delete_of_posts */
        DELETE FROM notifications WHERE post = ANY($1) RETURNING viewer",
        &posts,
    );
    Ok(named("notifications.delete_of_posts", statement.fetch_all(db)).await?)
}

pub async fn insert(changes: &Changes, db: &mut PgConnection) -> Result<(), ApplyError> {
    let (mut viewers, mut ids, mut actors, mut posts, mut replies, mut connections) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let mut own_threads = vec![];
    for ((viewer, id), act) in changes.inserted() {
        viewers.push(viewer);
        ids.push(id);
        actors.push(act.actor);
        posts.push(act.post);
        replies.push(act.reply);
        connections.push(act.connection.map(|step| step as i16));
        own_threads.push(act.own_thread);
    }
    if ids.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* notifications.insert */
        INSERT INTO notifications (viewer, id, actor, post, reply, connection, own_thread)
        SELECT * FROM unnest(
            $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::smallint[], $7::boolean[]
        )",
        &viewers,
        &ids,
        &actors,
        &posts as &[Option<Uuid>],
        &replies as &[Option<Uuid>],
        &connections as &[Option<i16>],
        &own_threads,
    );
    named("notifications.insert", statement.execute(db)).await?;
    Ok(())
}

pub async fn add_totals(
    totals: &BTreeMap<Uuid, i64>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    if totals.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* notifications.add_totals */
        INSERT INTO notification_totals AS t (viewer, total) SELECT * FROM unnest($1::uuid[], $2::bigint[])
        ON CONFLICT (viewer) DO UPDATE SET total = t.total + excluded.total",
        &totals.keys().copied().collect::<Vec<_>>(),
        &totals.values().copied().collect::<Vec<_>>(),
    );
    named("notifications.add_totals", statement.execute(db)).await?;
    Ok(())
}

/// A viewer without notifications has no row, so that the same log always gives the same rows.
pub async fn delete_empty_totals(
    totals: &BTreeMap<Uuid, i64>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let decreased = totals.iter().filter(|(_, change)| **change < 0);
    let viewers: Vec<Uuid> = decreased.map(|(viewer, _)| *viewer).collect();
    if viewers.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* notifications.delete_empty_totals */
        DELETE FROM notification_totals WHERE viewer = ANY($1) AND total = 0",
        &viewers,
    );
    named("notifications.delete_empty_totals", statement.execute(db)).await?;
    Ok(())
}

/// A read mark never moves back.
pub async fn move_marks(changes: &Changes, db: &mut PgConnection) -> Result<(), ApplyError> {
    if changes.marks.is_empty() {
        return Ok(());
    }
    let (viewers, up_to): (Vec<Uuid>, Vec<Uuid>) = changes
        .marks
        .iter()
        .map(|(viewer, up_to)| (*viewer, *up_to))
        .unzip();
    let statement = query!(
        "/* notifications.move_marks */
        INSERT INTO notification_marks AS m (viewer, up_to)
        SELECT * FROM unnest($1::uuid[], $2::uuid[])
        ON CONFLICT (viewer) DO UPDATE SET up_to = excluded.up_to WHERE m.up_to < excluded.up_to",
        &viewers,
        &up_to,
    );
    named("notifications.move_marks", statement.execute(db)).await?;
    Ok(())
}
