//! Moves the state tables on by the events of a batch. The events are folded to what stands at the end of the
//! batch, so that a thing which came and went within it costs nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use feedmill_events::{
    Event,
    event::{v1::Parent, v2::ConversationCreated},
    id,
};
use feedmill_service::sql;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::Account;

/// What a batch changes. A value of None means that the thing is gone.
#[derive(Debug, Default)]
pub struct Changes {
    new_accounts: BTreeMap<Uuid, (Account, i64)>,
    profiles: BTreeMap<Uuid, Account>,
    posts: BTreeMap<Uuid, Option<(Uuid, Option<Parent>)>>,
    likes: BTreeMap<(Uuid, Uuid), Option<i64>>,
    follows: BTreeMap<(Uuid, Uuid), Option<i64>>,
    conversations: Vec<ConversationCreated>,
    messages: Vec<(Uuid, Uuid)>,
    marks: BTreeMap<(Uuid, Uuid), Uuid>,
    notification_marks: BTreeMap<Uuid, Uuid>,
    passwords: Vec<(Uuid, String)>,
}

impl Changes {
    pub fn include(&mut self, at: i64, event: &Event) {
        match event {
            Event::AccountCreated(e) => {
                let account = Account {
                    handle: e.handle.clone(),
                    display_name: e.display_name.clone(),
                    bio: String::new(),
                };
                self.new_accounts.insert(e.account, (account, at));
            }
            Event::ProfileChanged(e) => {
                let account = Account {
                    handle: e.handle.clone(),
                    display_name: e.display_name.clone(),
                    bio: e.bio.clone(),
                };
                self.profiles.insert(e.account, account);
            }
            Event::AccountFollowed(e) => {
                self.follows.insert((e.followee, e.follower), Some(at));
            }
            Event::AccountUnfollowed(e) => {
                self.follows.insert((e.followee, e.follower), None);
            }
            Event::PostCreated(e) => {
                self.posts.insert(e.post, Some((e.author, e.reply_to)));
            }
            Event::PostDeleted(e) => {
                self.posts.insert(e.post, None);
            }
            Event::PostLiked(e) => {
                self.likes.insert((e.post, e.user), Some(at));
            }
            Event::PostUnliked(e) => {
                self.likes.insert((e.post, e.user), None);
            }
            Event::ConversationCreated(e) => self.conversations.push(e.clone()),
            Event::MessageSent(e) => self.messages.push((e.conversation, e.message)),
            Event::ConversationRead(e) => {
                self.marks.insert((e.conversation, e.user), e.up_to);
            }
            Event::NotificationsRead(e) => {
                self.notification_marks.insert(e.user, e.up_to);
            }
        }
    }

    /// A password hash goes with its account, and into no event.
    pub fn include_password(&mut self, account: Uuid, hash: String) {
        self.passwords.push((account, hash));
    }

    pub async fn save(self, connection: &mut PgConnection) -> sqlx::Result<()> {
        accounts(connection, self.new_accounts, self.profiles, self.passwords).await?;
        follows(connection, self.follows).await?;
        posts(connection, &self.posts).await?;
        likes(connection, self.likes, &self.posts).await?;
        conversations(connection, self.conversations).await?;
        messages(connection, self.messages, self.marks).await?;
        notification_marks(connection, self.notification_marks).await
    }
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// Parts links into those that stand, as columns, and those that are gone.
struct Links {
    left: Vec<Uuid>,
    right: Vec<Uuid>,
    at: Vec<DateTime<Utc>>,
    gone_left: Vec<Uuid>,
    gone_right: Vec<Uuid>,
}

impl Links {
    fn of(changes: impl IntoIterator<Item = ((Uuid, Uuid), Option<i64>)>) -> Self {
        let (standing, gone): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|(_, at)| at.is_some());
        let (left, right) = standing.iter().map(|(key, _)| *key).unzip();
        let at = standing
            .iter()
            .map(|(_, at)| time(at.unwrap_or_default()))
            .collect();
        let (gone_left, gone_right) = gone.into_iter().map(|(key, _)| key).unzip();
        Self {
            left,
            right,
            at,
            gone_left,
            gone_right,
        }
    }
}

async fn accounts(
    connection: &mut PgConnection,
    new: BTreeMap<Uuid, (Account, i64)>,
    profiles: BTreeMap<Uuid, Account>,
    passwords: Vec<(Uuid, String)>,
) -> sqlx::Result<()> {
    if !new.is_empty() {
        let ids: Vec<Uuid> = new.keys().copied().collect();
        let at: Vec<DateTime<Utc>> = new.values().map(|(_, at)| time(*at)).collect();
        let (handles, names): (Vec<String>, Vec<String>) = new
            .into_values()
            .map(|(account, _)| (account.handle, account.display_name))
            .unzip();
        let query = sqlx::query!(
            "/* state.accounts.insert */ INSERT INTO write.accounts (id, handle, display_name, created_at)
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])",
            &ids,
            &handles,
            &names,
            &at
        );
        sql::named("state.accounts.insert", query.execute(&mut *connection)).await?;
    }
    if !profiles.is_empty() {
        let ids: Vec<Uuid> = profiles.keys().copied().collect();
        let mut texts: [Vec<String>; 3] = Default::default();
        for account in profiles.into_values() {
            texts[0].push(account.handle);
            texts[1].push(account.display_name);
            texts[2].push(account.bio);
        }
        let query = sqlx::query!(
            "/* state.accounts.update */ UPDATE write.accounts a
             SET handle = n.handle, display_name = n.display_name, bio = n.bio
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS n(id, handle, display_name, bio)
             WHERE a.id = n.id",
            &ids,
            &texts[0],
            &texts[1],
            &texts[2]
        );
        sql::named("state.accounts.update", query.execute(&mut *connection)).await?;
    }
    if !passwords.is_empty() {
        let (ids, hashes): (Vec<Uuid>, Vec<String>) = passwords.into_iter().unzip();
        let query = sqlx::query!(
            "/* state.passwords.insert */ INSERT INTO write.passwords (account_id, hash)
             SELECT * FROM unnest($1::uuid[], $2::text[])",
            &ids,
            &hashes
        );
        sql::named("state.passwords.insert", query.execute(connection)).await?;
    }
    Ok(())
}

async fn follows(
    connection: &mut PgConnection,
    changes: BTreeMap<(Uuid, Uuid), Option<i64>>,
) -> sqlx::Result<()> {
    let links = Links::of(changes);
    if !links.left.is_empty() {
        let query = sqlx::query!(
            "/* state.follows.insert */ INSERT INTO write.follows (followee_id, follower_id, followed_at)
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
             ON CONFLICT (followee_id, follower_id) DO UPDATE SET followed_at = excluded.followed_at",
            &links.left,
            &links.right,
            &links.at
        );
        sql::named("state.follows.insert", query.execute(&mut *connection)).await?;
    }
    if !links.gone_left.is_empty() {
        let query = sqlx::query!(
            "/* state.follows.delete */ DELETE FROM write.follows f
             USING unnest($1::uuid[], $2::uuid[]) AS n(followee_id, follower_id)
             WHERE f.followee_id = n.followee_id AND f.follower_id = n.follower_id",
            &links.gone_left,
            &links.gone_right
        );
        sql::named("state.follows.delete", query.execute(connection)).await?;
    }
    Ok(())
}

async fn posts(
    connection: &mut PgConnection,
    changes: &BTreeMap<Uuid, Option<(Uuid, Option<Parent>)>>,
) -> sqlx::Result<()> {
    let new: Vec<(Uuid, Uuid, Option<Parent>)> = changes
        .iter()
        .filter_map(|(id, post)| post.map(|(author, parent)| (*id, author, parent)))
        .collect();
    if !new.is_empty() {
        let query = sqlx::query!(
            "/* state.posts.insert */ INSERT INTO write.posts (id, author_id, reply_to, reply_to_author)
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[])",
            &new.iter().map(|(id, ..)| *id).collect::<Vec<_>>(),
            &new.iter().map(|(_, author, _)| *author).collect::<Vec<_>>(),
            &new.iter().map(|(.., parent)| parent.map(|p| p.post)).collect::<Vec<_>>() as &[Option<Uuid>],
            &new.iter().map(|(.., parent)| parent.map(|p| p.author)).collect::<Vec<_>>() as &[Option<Uuid>]
        );
        sql::named("state.posts.insert", query.execute(&mut *connection)).await?;
    }
    let gone = gone(changes);
    if !gone.is_empty() {
        let query = sqlx::query!(
            "/* state.posts.delete */ DELETE FROM write.posts WHERE id = ANY($1)",
            &gone
        );
        sql::named("state.posts.delete", query.execute(connection)).await?;
    }
    Ok(())
}

fn gone<T>(posts: &BTreeMap<Uuid, Option<T>>) -> Vec<Uuid> {
    posts
        .iter()
        .filter(|(_, post)| post.is_none())
        .map(|(id, _)| *id)
        .collect()
}

/// After the posts: a deleted post takes its likes along.
async fn likes(
    connection: &mut PgConnection,
    mut changes: BTreeMap<(Uuid, Uuid), Option<i64>>,
    posts: &BTreeMap<Uuid, Option<(Uuid, Option<Parent>)>>,
) -> sqlx::Result<()> {
    changes.retain(|(post, _), _| !matches!(posts.get(post), Some(None)));
    let links = Links::of(changes);
    if !links.left.is_empty() {
        let query = sqlx::query!(
            "/* state.likes.insert */ INSERT INTO write.likes (post_id, user_id, liked_at)
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
             ON CONFLICT (post_id, user_id) DO UPDATE SET liked_at = excluded.liked_at",
            &links.left,
            &links.right,
            &links.at
        );
        sql::named("state.likes.insert", query.execute(&mut *connection)).await?;
    }
    if !links.gone_left.is_empty() {
        let query = sqlx::query!(
            "/* state.likes.delete */ DELETE FROM write.likes l
             USING unnest($1::uuid[], $2::uuid[]) AS n(post_id, user_id)
             WHERE l.post_id = n.post_id AND l.user_id = n.user_id",
            &links.gone_left,
            &links.gone_right
        );
        sql::named("state.likes.delete", query.execute(&mut *connection)).await?;
    }
    let gone = gone(posts);
    if !gone.is_empty() {
        let query = sqlx::query!(
            "/* state.likes.delete_of_posts */ DELETE FROM write.likes WHERE post_id = ANY($1)",
            &gone
        );
        sql::named("state.likes.delete_of_posts", query.execute(connection)).await?;
    }
    Ok(())
}

async fn conversations(
    connection: &mut PgConnection,
    new: Vec<ConversationCreated>,
) -> sqlx::Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let pairs: Vec<Option<(Uuid, Uuid)>> = new
        .iter()
        .map(|talk| crate::domain::pair(talk.members.iter().copied()))
        .collect();
    let query = sqlx::query!(
        "/* state.conversations.insert */
         INSERT INTO write.conversations (id, title, pair_low, pair_high, created_at)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::timestamptz[])",
        &new.iter().map(|talk| talk.conversation).collect::<Vec<_>>(),
        &new.iter()
            .map(|talk| talk.title.clone())
            .collect::<Vec<_>>() as &[Option<String>],
        &pairs
            .iter()
            .map(|pair| pair.map(|(low, _)| low))
            .collect::<Vec<_>>() as &[Option<Uuid>],
        &pairs
            .iter()
            .map(|pair| pair.map(|(_, high)| high))
            .collect::<Vec<_>>() as &[Option<Uuid>],
        &new.iter()
            .map(|talk| time(id::millis(talk.conversation)))
            .collect::<Vec<_>>()
    );
    sql::named(
        "state.conversations.insert",
        query.execute(&mut *connection),
    )
    .await?;
    let (conversations, members): (Vec<Uuid>, Vec<Uuid>) = new
        .iter()
        .flat_map(|talk| {
            talk.members
                .iter()
                .map(|member| (talk.conversation, *member))
        })
        .unzip();
    let query = sqlx::query!(
        "/* state.members.insert */ INSERT INTO write.members (conversation_id, user_id)
         SELECT * FROM unnest($1::uuid[], $2::uuid[])",
        &conversations,
        &members
    );
    sql::named("state.members.insert", query.execute(connection)).await?;
    Ok(())
}

async fn messages(
    connection: &mut PgConnection,
    new: Vec<(Uuid, Uuid)>,
    marks: BTreeMap<(Uuid, Uuid), Uuid>,
) -> sqlx::Result<()> {
    if !new.is_empty() {
        let (conversations, ids): (Vec<Uuid>, Vec<Uuid>) = new.into_iter().unzip();
        let query = sqlx::query!(
            "/* state.messages.insert */ INSERT INTO write.messages (conversation_id, id)
             SELECT * FROM unnest($1::uuid[], $2::uuid[])",
            &conversations,
            &ids
        );
        sql::named("state.messages.insert", query.execute(&mut *connection)).await?;
    }
    if !marks.is_empty() {
        let (conversations, users): (Vec<Uuid>, Vec<Uuid>) = marks.keys().copied().unzip();
        let up_to: Vec<Uuid> = marks.into_values().collect();
        let query = sqlx::query!(
            "/* state.members.update */ UPDATE write.members m SET read_up_to = n.up_to
             FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n(conversation_id, user_id, up_to)
             WHERE m.conversation_id = n.conversation_id AND m.user_id = n.user_id",
            &conversations,
            &users,
            &up_to
        );
        sql::named("state.members.update", query.execute(connection)).await?;
    }
    Ok(())
}

async fn notification_marks(
    connection: &mut PgConnection,
    marks: BTreeMap<Uuid, Uuid>,
) -> sqlx::Result<()> {
    if marks.is_empty() {
        return Ok(());
    }
    let (users, up_to): (Vec<Uuid>, Vec<Uuid>) = marks.into_iter().unzip();
    let query = sqlx::query!(
        "/* state.notification_marks.save */ INSERT INTO write.notification_marks (user_id, up_to)
         SELECT * FROM unnest($1::uuid[], $2::uuid[])
         ON CONFLICT (user_id) DO UPDATE SET up_to = excluded.up_to",
        &users,
        &up_to
    );
    sql::named("state.notification_marks.save", query.execute(connection)).await?;
    Ok(())
}
