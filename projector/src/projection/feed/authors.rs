//! The statements for the counts of an author's followers and pulled posts. An author with a count of zero has no row,
//! so that the same log always gives the same rows.

use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::fold::{Changes, PulledPosts};
use crate::error::ApplyError;

pub async fn add_followers(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    if changes.followers.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.add_followers */
        INSERT INTO feed_followers AS f (author, followers)
        SELECT * FROM unnest($1::uuid[], $2::bigint[])
        ON CONFLICT (author) DO UPDATE SET followers = f.followers + excluded.followers",
        &changes.followers.keys().copied().collect::<Vec<_>>(),
        &changes.followers.values().copied().collect::<Vec<_>>(),
    );
    named("feed.add_followers", statement.execute(&mut *db)).await?;
    let decreased: Vec<Uuid> = changes
        .followers
        .iter()
        .filter(|(_, added)| **added < 0)
        .map(|(author, _)| *author)
        .collect();
    if decreased.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_empty_followers */
        DELETE FROM feed_followers WHERE author = ANY($1) AND followers = 0",
        &decreased,
    );
    named("feed.delete_empty_followers", statement.execute(db)).await?;
    Ok(())
}

pub async fn add_pulled(pulled: &PulledPosts, db: &mut PgConnection) -> Result<(), ApplyError> {
    if pulled.is_empty() {
        return Ok(());
    }
    let authors: Vec<Uuid> = pulled.keys().copied().collect();
    let statement = query!(
        "/* feed.add_pulled */
        INSERT INTO pulled_authors AS p (author, posts) SELECT * FROM unnest($1::uuid[], $2::bigint[])
        ON CONFLICT (author) DO UPDATE SET posts = p.posts + excluded.posts",
        &authors,
        &pulled.values().copied().collect::<Vec<_>>(),
    );
    named("feed.add_pulled", statement.execute(&mut *db)).await?;
    let statement = query!(
        "/* feed.delete_empty_pulled */
        DELETE FROM pulled_authors WHERE author = ANY($1) AND posts = 0",
        &authors,
    );
    named("feed.delete_empty_pulled", statement.execute(db)).await?;
    Ok(())
}
