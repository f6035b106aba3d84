//! Loads and saves read marks, those of each list in a table of its own.

use feedmill_service::sql::named;
use sqlx::PgConnection;

use super::Marks;

/// Loads the requested marks of `$marks` from `$table`. The statement begins with its name as a comment.
macro_rules! load {
    ($connection:expr, $marks:expr, $name:literal, $comment:tt, $table:tt) => {{
        let accounts = $marks.take_requested();
        if !accounts.is_empty() {
            let query = sqlx::query!(
                $comment + " SELECT user_id, up_to FROM " + $table + " WHERE user_id = ANY($1)",
                &accounts
            );
            for row in named($name, query.fetch_all(&mut *$connection)).await? {
                $marks.load(row.user_id, row.up_to);
            }
        }
    }};
}

/// Saves the marks of `$marks` that moved.
macro_rules! save {
    ($connection:expr, $marks:expr, $name:literal, $comment:tt, $table:tt) => {{
        let changes = $marks.into_changes();
        let moved = changes.inserted.into_iter().chain(changes.updated);
        let (accounts, up_to): (Vec<_>, Vec<_>) = moved.unzip();
        if !accounts.is_empty() {
            let query = sqlx::query!(
                $comment
                    + " INSERT INTO "
                    + $table
                    + " (user_id, up_to)
         SELECT * FROM unnest($1::uuid[], $2::uuid[])
         ON CONFLICT (user_id) DO UPDATE SET up_to = excluded.up_to",
                &accounts,
                &up_to
            );
            named($name, query.execute(&mut *$connection)).await?;
        }
    }};
}

pub async fn load(connection: &mut PgConnection, marks: &mut Marks) -> sqlx::Result<()> {
    load!(
        connection,
        marks.feed,
        "state.feed_marks.load",
        "/* state.feed_marks.load */",
        "write.feed_marks"
    );
    load!(
        connection,
        marks.notifications,
        "state.notification_marks.load",
        "/* state.notification_marks.load */",
        "write.notification_marks"
    );
    Ok(())
}

pub async fn save(connection: &mut PgConnection, marks: Marks) -> sqlx::Result<()> {
    save!(
        connection,
        marks.feed,
        "state.feed_marks.save",
        "/* state.feed_marks.save */",
        "write.feed_marks"
    );
    save!(
        connection,
        marks.notifications,
        "state.notification_marks.save",
        "/* state.notification_marks.save */",
        "write.notification_marks"
    );
    Ok(())
}
