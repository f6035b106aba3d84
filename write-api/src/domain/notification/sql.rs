//! Loads and saves notification marks.

use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::NotificationMarks;

pub async fn load(
    connection: &mut PgConnection,
    marks: &mut NotificationMarks,
) -> sqlx::Result<()> {
    let accounts = marks.rows.take_requested();
    if accounts.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.notification_marks.load */
         SELECT user_id, up_to FROM write.notification_marks WHERE user_id = ANY($1)",
        &accounts
    );
    let rows = named("state.notification_marks.load", query.fetch_all(connection)).await?;
    for row in rows {
        marks.rows.load(row.user_id, row.up_to);
    }
    Ok(())
}

pub async fn save(connection: &mut PgConnection, marks: NotificationMarks) -> sqlx::Result<()> {
    let changes = marks.rows.into_changes();
    let (accounts, up_to): (Vec<Uuid>, Vec<Uuid>) =
        changes.inserted.into_iter().chain(changes.updated).unzip();
    if accounts.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.notification_marks.save */ INSERT INTO write.notification_marks (user_id, up_to)
         SELECT * FROM unnest($1::uuid[], $2::uuid[])
         ON CONFLICT (user_id) DO UPDATE SET up_to = excluded.up_to",
        &accounts,
        &up_to
    );
    named("state.notification_marks.save", query.execute(connection)).await?;
    Ok(())
}
