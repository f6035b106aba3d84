//! Reads the part of the state that a batch needs: what most commands need in one statement, since each is a round trip
//! that everybody in the batch waits for, and a statement for each other kind of thing that it needs any of.

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
    usual(connection, needs, state).await?;
    conversations(connection, needs, state).await?;
    notification_marks(connection, needs, state).await
}

/// The two columns of a set of pairs.
fn columns(pairs: impl IntoIterator<Item = (Uuid, Uuid)>) -> (Vec<Uuid>, Vec<Uuid>) {
    pairs.into_iter().unzip()
}

/// Accounts, posts, likes, follows and members: a row each, whose `kind` says what its columns are.
async fn usual(
    connection: &mut PgConnection,
    needs: &Needs,
    state: &mut State,
) -> sqlx::Result<()> {
    let accounts: Vec<Uuid> = needs.accounts.iter().copied().collect();
    let handles: Vec<String> = needs.handles.iter().cloned().collect();
    let posts: Vec<Uuid> = needs.posts.iter().copied().collect();
    let (liked, likers) = columns(needs.likes.iter().copied());
    let (followees, followers) = columns(needs.follows.iter().copied());
    let (conversations, members) = columns(needs.members.iter().copied());
    let query = sqlx::query!(
        r#"/* state.load */
        SELECT 'account' AS "kind!", id AS "id!", id AS "other!", NULL::uuid AS reply_to,
            NULL::uuid AS reply_to_author, NULL::uuid AS read_up_to, NULL::timestamptz AS since,
            handle, display_name, bio
        FROM write.accounts WHERE id = ANY($1)
        UNION ALL
        SELECT 'account', id, id, NULL, NULL, NULL, NULL, handle, display_name, bio
        FROM write.accounts WHERE handle = ANY($2)
        UNION ALL
        SELECT 'post', id, author_id, reply_to, reply_to_author, NULL, NULL, NULL, NULL, NULL
        FROM write.posts WHERE id = ANY($3)
        UNION ALL
        SELECT 'like', l.post_id, l.user_id, NULL, NULL, NULL, l.liked_at, NULL, NULL, NULL
        FROM unnest($4::uuid[], $5::uuid[]) AS n(post_id, user_id)
        JOIN write.likes l ON l.post_id = n.post_id AND l.user_id = n.user_id
        UNION ALL
        SELECT 'follow', f.followee_id, f.follower_id, NULL, NULL, NULL, f.followed_at, NULL, NULL, NULL
        FROM unnest($6::uuid[], $7::uuid[]) AS n(followee_id, follower_id)
        JOIN write.follows f ON f.followee_id = n.followee_id AND f.follower_id = n.follower_id
        UNION ALL
        SELECT 'member', m.conversation_id, m.user_id, NULL, NULL, m.read_up_to, NULL, NULL, NULL, NULL
        FROM unnest($8::uuid[], $9::uuid[]) AS n(conversation_id, user_id)
        JOIN write.members m ON m.conversation_id = n.conversation_id AND m.user_id = n.user_id"#,
        &accounts,
        &handles,
        &posts,
        &liked,
        &likers,
        &followees,
        &followers,
        &conversations,
        &members,
    );
    for row in sql::named("state.load", query.fetch_all(connection)).await? {
        let (id, key) = (row.id, (row.id, row.other));
        let since = || row.since.map_or(0, |since| since.timestamp_millis());
        match row.kind.as_str() {
            "account" => {
                let account = Account {
                    handle: row.handle.unwrap_or_default(),
                    display_name: row.display_name.unwrap_or_default(),
                    bio: row.bio.unwrap_or_default(),
                };
                state.handles.insert(account.handle.clone(), id);
                state.accounts.insert(id, account);
            }
            "post" => {
                let parent = row.reply_to.zip(row.reply_to_author);
                let post = Post {
                    author: row.other,
                    reply_to: parent.map(|(post, author)| Parent { post, author }),
                };
                state.posts.insert(id, post);
            }
            "like" => {
                state.likes.insert(key, since());
            }
            "follow" => {
                state.follows.insert(key, since());
            }
            _ => {
                state.members.insert(key, row.read_up_to);
            }
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
