//! Saves audiences, and converts them from and to columns. `domain/storage/common.rs` loads them with posts.

use feedmill_events::event::v1::Audience;
use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Audiences;
use crate::domain::table::Changes;

/// The number of an audience in `write.audiences.audience` and `write.accounts.default_audience`.
pub fn number(audience: &Audience) -> i16 {
    match audience {
        Audience::Public => 0,
        Audience::Connections => 1,
        Audience::Tags(_) => 2,
        Audience::Me => 3,
    }
}

/// The audience of stored columns.
pub fn audience(number: i16, tags: Option<Vec<Uuid>>) -> sqlx::Result<Audience> {
    Ok(match number {
        0 => Audience::Public,
        1 => Audience::Connections,
        2 => Audience::Tags(tags.unwrap_or_default()),
        3 => Audience::Me,
        _ => {
            let error = format!("{number} is no audience that this version knows");
            return Err(sqlx::Error::Decode(error.into()));
        }
    })
}

pub async fn save(connection: &mut PgConnection, audiences: Audiences) -> sqlx::Result<()> {
    let Changes {
        inserted,
        updated,
        removed,
    } = audiences.rows.into_changes();
    save_rows(&mut *connection, inserted.into_iter().chain(updated)).await?;
    delete(connection, &removed).await
}

async fn save_rows(
    connection: &mut PgConnection,
    rows: impl Iterator<Item = (Uuid, Audience)>,
) -> sqlx::Result<()> {
    let (roots, audiences): (Vec<Uuid>, Vec<Audience>) = rows.unzip();
    if roots.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i16> = audiences.iter().map(number).collect();
    let tags: Vec<Option<String>> = audiences.iter().map(tag_array).collect();
    let query = sqlx::query!(
        "/* state.audiences.save */ INSERT INTO write.audiences (root_id, audience, tag_ids)
         SELECT root_id, audience, tag_ids::uuid[]
         FROM unnest($1::uuid[], $2::int2[], $3::text[]) AS n(root_id, audience, tag_ids)
         ON CONFLICT (root_id) DO UPDATE SET audience = excluded.audience, tag_ids = excluded.tag_ids",
        &roots,
        &numbers,
        &tags as &[Option<String>]
    );
    named("state.audiences.save", query.execute(connection)).await?;
    Ok(())
}

/// The tags as PostgreSQL writes an array. An array of arrays cannot be a parameter, because the arrays differ in length.
fn tag_array(audience: &Audience) -> Option<String> {
    let Audience::Tags(tags) = audience else {
        return None;
    };
    let tags: Vec<String> = tags.iter().map(Uuid::to_string).collect();
    Some(format!("{{{}}}", tags.join(",")))
}

async fn delete(connection: &mut PgConnection, roots: &[Uuid]) -> sqlx::Result<()> {
    if roots.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.audiences.delete */ DELETE FROM write.audiences WHERE root_id = ANY($1)",
        roots
    );
    named("state.audiences.delete", query.execute(connection)).await?;
    Ok(())
}
