//! Loads and saves feed marks.

use feedmill_service::sql::named;
use sqlx::PgConnection;

use crate::domain::mark::Marks;

pub async fn load(connection: &mut PgConnection, marks: &mut Marks) -> sqlx::Result<()> {
    let accounts = marks.take_requested();
    if accounts.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.feed_marks.load */
         SELECT user_id, up_to FROM write.feed_marks WHERE user_id = ANY($1)",
        &accounts
    );
    let rows = named("state.feed_marks.load", query.fetch_all(connection)).await?;
    for row in rows {
        marks.load(row.user_id, row.up_to);
    }
    Ok(())
}

pub async fn save(connection: &mut PgConnection, marks: Marks) -> sqlx::Result<()> {
    let (accounts, up_to) = marks.into_changed();
    if accounts.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.feed_marks.save */ INSERT INTO write.feed_marks (user_id, up_to)
         SELECT * FROM unnest($1::uuid[], $2::uuid[])
         ON CONFLICT (user_id) DO UPDATE SET up_to = excluded.up_to",
        &accounts,
        &up_to
    );
    named("state.feed_marks.save", query.execute(connection)).await?;
    Ok(())
}
