//! Reads the part of the state that a batch needs: a statement for each kind of thing that it needs any of.

use feedmill_events::event::v1::Parent;
use feedmill_service::sql;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{Account, Conversation, Needs, Post, State};

/// Adds to the state what is there of what is needed.
pub async fn state(
    connection: &mut PgConnection,
    needs: &Needs,
    state: &mut State,
) -> sqlx::Result<()> {
    accounts(connection, needs, state).await?;
    posts(connection, needs, state).await?;
    links(connection, needs, state).await?;
    conversations(connection, needs, state).await?;
    notification_marks(connection, needs, state).await
}

/// The two columns of a set of pairs.
fn columns(pairs: impl IntoIterator<Item = (Uuid, Uuid)>) -> (Vec<Uuid>, Vec<Uuid>) {
    pairs.into_iter().unzip()
}

async fn accounts(
    connection: &mut PgConnection,
    needs: &Needs,
    state: &mut State,
) -> sqlx::Result<()> {
    if needs.accounts.is_empty() && needs.handles.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = needs.accounts.iter().copied().collect();
    let handles: Vec<String> = needs.handles.iter().cloned().collect();
    let query = sqlx::query!(
        "/* state.accounts.load */ SELECT id, handle, display_name, bio FROM write.accounts WHERE id = ANY($1)
         UNION SELECT id, handle, display_name, bio FROM write.accounts WHERE handle = ANY($2)",
        &ids,
        &handles
    );
    for row in sql::named("state.accounts.load", query.fetch_all(connection)).await? {
        let (Some(id), Some(handle), Some(display_name), Some(bio)) =
            (row.id, row.handle, row.display_name, row.bio)
        else {
            continue;
        };
        state.handles.insert(handle.clone(), id);
        state.accounts.insert(
            id,
            Account {
                handle,
                display_name,
                bio,
            },
        );
    }
    Ok(())
}

async fn posts(
    connection: &mut PgConnection,
    needs: &Needs,
    state: &mut State,
) -> sqlx::Result<()> {
    if needs.posts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = needs.posts.iter().copied().collect();
    let query = sqlx::query!(
        "/* state.posts.load */ SELECT id, author_id, reply_to, reply_to_author FROM write.posts WHERE id = ANY($1)",
        &ids
    );
    for row in sql::named("state.posts.load", query.fetch_all(connection)).await? {
        let reply_to = row
            .reply_to
            .zip(row.reply_to_author)
            .map(|(post, author)| Parent { post, author });
        state.posts.insert(
            row.id,
            Post {
                author: row.author_id,
                reply_to,
            },
        );
    }
    Ok(())
}

async fn links(
    connection: &mut PgConnection,
    needs: &Needs,
    state: &mut State,
) -> sqlx::Result<()> {
    if !needs.likes.is_empty() {
        let (posts, users) = columns(needs.likes.iter().copied());
        let query = sqlx::query!(
            "/* state.likes.load */ SELECT l.post_id, l.user_id, l.liked_at
             FROM unnest($1::uuid[], $2::uuid[]) AS n(post_id, user_id)
             JOIN write.likes l ON l.post_id = n.post_id AND l.user_id = n.user_id",
            &posts,
            &users
        );
        for row in sql::named("state.likes.load", query.fetch_all(&mut *connection)).await? {
            state
                .likes
                .insert((row.post_id, row.user_id), row.liked_at.timestamp_millis());
        }
    }
    if !needs.follows.is_empty() {
        let (followees, followers) = columns(needs.follows.iter().copied());
        let query = sqlx::query!(
            "/* state.follows.load */ SELECT f.followee_id, f.follower_id, f.followed_at
             FROM unnest($1::uuid[], $2::uuid[]) AS n(followee_id, follower_id)
             JOIN write.follows f ON f.followee_id = n.followee_id AND f.follower_id = n.follower_id",
            &followees,
            &followers
        );
        for row in sql::named("state.follows.load", query.fetch_all(&mut *connection)).await? {
            state.follows.insert(
                (row.followee_id, row.follower_id),
                row.followed_at.timestamp_millis(),
            );
        }
    }
    Ok(())
}

async fn conversations(
    connection: &mut PgConnection,
    needs: &Needs,
    state: &mut State,
) -> sqlx::Result<()> {
    if !needs.pairs.is_empty() {
        let (low, high) = columns(needs.pairs.iter().copied());
        let query = sqlx::query!(
            "/* state.pairs.load */ SELECT c.id, c.title, n.low AS \"low!\", n.high AS \"high!\"
             FROM unnest($1::uuid[], $2::uuid[]) AS n(low, high)
             JOIN write.conversations c ON c.pair_low = n.low AND c.pair_high = n.high",
            &low,
            &high
        );
        for row in sql::named("state.pairs.load", query.fetch_all(&mut *connection)).await? {
            state.pairs.insert((row.low, row.high), row.id);
            state
                .conversations
                .insert(row.id, Conversation { title: row.title });
        }
    }
    if !needs.members.is_empty() {
        let (conversations, users) = columns(needs.members.iter().copied());
        let query = sqlx::query!(
            "/* state.members.load */ SELECT m.conversation_id, m.user_id, m.read_up_to
             FROM unnest($1::uuid[], $2::uuid[]) AS n(conversation_id, user_id)
             JOIN write.members m ON m.conversation_id = n.conversation_id AND m.user_id = n.user_id",
            &conversations,
            &users
        );
        for row in sql::named("state.members.load", query.fetch_all(&mut *connection)).await? {
            state
                .members
                .insert((row.conversation_id, row.user_id), row.read_up_to);
        }
    }
    if !needs.messages.is_empty() {
        let (conversations, messages) = columns(needs.messages.iter().copied());
        let query = sqlx::query!(
            "/* state.messages.load */ SELECT m.conversation_id, m.id
             FROM unnest($1::uuid[], $2::uuid[]) AS n(conversation_id, id)
             JOIN write.messages m ON m.conversation_id = n.conversation_id AND m.id = n.id",
            &conversations,
            &messages
        );
        for row in sql::named("state.messages.load", query.fetch_all(&mut *connection)).await? {
            state.messages.insert((row.conversation_id, row.id));
        }
    }
    Ok(())
}

async fn notification_marks(
    connection: &mut PgConnection,
    needs: &Needs,
    state: &mut State,
) -> sqlx::Result<()> {
    if needs.notification_marks.is_empty() {
        return Ok(());
    }
    let users: Vec<Uuid> = needs.notification_marks.iter().copied().collect();
    let query = sqlx::query!(
        "/* state.notification_marks.load */
         SELECT user_id, up_to FROM write.notification_marks WHERE user_id = ANY($1)",
        &users
    );
    let rows = sql::named("state.notification_marks.load", query.fetch_all(connection)).await?;
    state
        .notification_marks
        .extend(rows.into_iter().map(|row| (row.user_id, row.up_to)));
    Ok(())
}
