//! Saves posts.

use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Post, Posts};
use crate::domain::table::Changes;

pub async fn save(connection: &mut PgConnection, posts: Posts) -> sqlx::Result<()> {
    // Posts are never updated.
    let Changes {
        inserted, removed, ..
    } = posts.rows.into_changes();
    insert(&mut *connection, &inserted).await?;
    delete(connection, &removed).await
}

async fn insert(connection: &mut PgConnection, posts: &[(Uuid, Post)]) -> sqlx::Result<()> {
    if posts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = posts.iter().map(|(id, _)| *id).collect();
    let authors: Vec<Uuid> = posts.iter().map(|(_, post)| post.author).collect();
    let (parents, parent_authors): (Vec<Option<Uuid>>, Vec<Option<Uuid>>) = posts
        .iter()
        .map(|(_, post)| post.reply_to.map(|parent| (parent.post, parent.author)))
        .map(Option::unzip)
        .unzip();
    let query = sqlx::query!(
        "/* state.posts.insert */ INSERT INTO write.posts (id, author_id, reply_to, reply_to_author)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[])",
        &ids,
        &authors,
        &parents as &[Option<Uuid>],
        &parent_authors as &[Option<Uuid>]
    );
    named("state.posts.insert", query.execute(connection)).await?;
    Ok(())
}

async fn delete(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.posts.delete */ DELETE FROM write.posts WHERE id = ANY($1)",
        ids
    );
    named("state.posts.delete", query.execute(connection)).await?;
    Ok(())
}
