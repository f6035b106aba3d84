//! Saves posts.

use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Post, Posts, TextHash};
use crate::domain::table::Changes;

pub async fn save(connection: &mut PgConnection, posts: Posts) -> sqlx::Result<()> {
    let Changes {
        inserted,
        updated,
        removed,
    } = posts.rows.into_changes();
    insert(&mut *connection, &inserted).await?;
    update_texts(&mut *connection, &updated).await?;
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
    let roots: Vec<Uuid> = posts.iter().map(|(_, post)| post.root).collect();
    let root_authors: Vec<Uuid> = posts.iter().map(|(_, post)| post.root_author).collect();
    let query = sqlx::query!(
        "/* state.posts.insert */
         INSERT INTO write.posts (id, author_id, reply_to, reply_to_author, root, root_author, text_hash)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bytea[])",
        &ids,
        &authors,
        &parents as &[Option<Uuid>],
        &parent_authors as &[Option<Uuid>],
        &roots,
        &root_authors,
        &text_hashes(posts) as &[Option<&[u8]>]
    );
    named("state.posts.insert", query.execute(connection)).await?;
    Ok(())
}

/// Updates the hashes of texts. No other column of a post ever changes.
async fn update_texts(connection: &mut PgConnection, posts: &[(Uuid, Post)]) -> sqlx::Result<()> {
    if posts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = posts.iter().map(|(id, _)| *id).collect();
    let query = sqlx::query!(
        "/* state.posts.update_texts */ UPDATE write.posts p SET text_hash = n.text_hash
         FROM unnest($1::uuid[], $2::bytea[]) AS n(id, text_hash) WHERE p.id = n.id",
        &ids,
        &text_hashes(posts) as &[Option<&[u8]>]
    );
    named("state.posts.update_texts", query.execute(connection)).await?;
    Ok(())
}

fn text_hashes(posts: &[(Uuid, Post)]) -> Vec<Option<&[u8]>> {
    let hashes = posts.iter().map(|(_, post)| post.text.as_ref());
    hashes.map(|hash| hash.map(TextHash::as_bytes)).collect()
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
