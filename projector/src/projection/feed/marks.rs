//! The statement for read marks.

use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::fold::Changes;
use crate::error::ApplyError;

/// A mark never moves back.
pub async fn advance(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    if changes.marks.is_empty() {
        return Ok(());
    }
    let (viewers, up_to): (Vec<Uuid>, Vec<Uuid>) = changes.marks.iter().unzip();
    let statement = query!(
        "/* feed.move_marks */
        INSERT INTO feed_marks AS m (viewer, up_to)
        SELECT * FROM unnest($1::uuid[], $2::uuid[])
        ON CONFLICT (viewer) DO UPDATE SET up_to = excluded.up_to WHERE m.up_to < excluded.up_to",
        &viewers,
        &up_to,
    );
    named("feed.move_marks", statement.execute(db)).await?;
    Ok(())
}
