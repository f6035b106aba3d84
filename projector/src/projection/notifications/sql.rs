//! The statements of the notifications projection. Each does nothing, at no cost, when it has nothing to do.

use feedmill_service::sql::named;
use sqlx::{PgConnection, query, query_scalar};
use uuid::Uuid;

use super::fold::{Changes, Key};
use crate::error::{ApplyError, expect_rows};

pub async fn delete_acts(changes: &Changes, db: &mut PgConnection) -> Result<(), ApplyError> {
    let keys: Vec<Key> = changes.acts.ended().collect();
    let deleted = delete(&keys, db).await?;
    expect_rows("notifications.delete", keys.len(), deleted)
}

pub async fn delete_replies(changes: &Changes, db: &mut PgConnection) -> Result<(), ApplyError> {
    delete(&changes.replies.ended().collect::<Vec<_>>(), db).await?;
    Ok(())
}

async fn delete(keys: &[Key], db: &mut PgConnection) -> Result<u64, ApplyError> {
    if keys.is_empty() {
        return Ok(0);
    }
    let (viewers, ids): (Vec<Uuid>, Vec<Uuid>) = keys.iter().copied().unzip();
    let statement = query!(
        "/* notifications.delete */
        DELETE FROM notifications n USING unnest($1::uuid[], $2::uuid[]) AS o(viewer, id)
        WHERE n.viewer = o.viewer AND n.id = o.id",
        &viewers,
        &ids,
    );
    let done = named("notifications.delete", statement.execute(db)).await?;
    Ok(done.rows_affected())
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
    let (mut viewers, mut ids, mut actors, mut posts, mut replies) =
        (vec![], vec![], vec![], vec![], vec![]);
    for ((viewer, id), act) in changes.inserted() {
        viewers.push(viewer);
        ids.push(id);
        actors.push(act.actor);
        posts.push(act.post);
        replies.push(act.reply);
    }
    if ids.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* notifications.insert */
        INSERT INTO notifications (viewer, id, actor, post, reply)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[])",
        &viewers,
        &ids,
        &actors,
        &posts as &[Option<Uuid>],
        &replies as &[Option<Uuid>],
    );
    named("notifications.insert", statement.execute(db)).await?;
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
