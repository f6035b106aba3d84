//! The oracle: the read models by their definitions, computed with plain loops over the present state, and compared with
//! the tables. Rows are compared as lines of text, so that differences are readable.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate};
use feedmill_events::id;
use projector::projection::Definition;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use super::world::World;

/// Panics unless all tables of the projection equal their definitions.
pub async fn assert_equal(world: &World, projection: &Definition, pool: &PgPool) {
    let mut compared = BTreeSet::new();
    for (table, sql, expected) in tables(world, projection.name()) {
        compared.insert(table);
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(pool)
            .await
            .unwrap();
        let actual: BTreeSet<String> = rows.into_iter().collect();
        let missing: Vec<_> = expected.difference(&actual).collect();
        let surplus: Vec<_> = actual.difference(&expected).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{table}: missing {missing:#?}, surplus {surplus:#?}"
        );
    }
    if projection.name() == "feed" {
        assert_feeds(world, pool).await;
        assert_pulled_authors(world, pool).await;
        compared.extend(["feed_entries", "feed_floors", "pulled_authors"]);
    }
    for table in table_names(projection, pool).await {
        assert!(
            compared.contains(table.as_str()),
            "the table {table} of {} has no expected content in tests/it/support/model.rs",
            projection.name()
        );
    }
}

/// The tables of a projection's live schema.
pub async fn table_names(projection: &Definition, pool: &PgPool) -> Vec<String> {
    let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = $1 ORDER BY 1";
    let tables = sqlx::query_scalar(sql).bind(projection.name());
    tables.fetch_all(pool).await.unwrap()
}

/// Name, statement and expected lines.
type Table = (&'static str, &'static str, BTreeSet<String>);

fn tables(world: &World, projection: &str) -> Vec<Table> {
    match projection {
        "profiles" => vec![
            (
                "accounts",
                "SELECT concat_ws(' ', id, handle, display_name, bio, (extract(epoch FROM created_at) * 1000)::bigint) FROM accounts",
                accounts(world),
            ),
            (
                "account_counts",
                "SELECT concat_ws(' ', account, followers, following, posts) FROM account_counts
                WHERE (followers, following, posts) <> (0, 0, 0)",
                counts(world),
            ),
            (
                "follows",
                "SELECT concat_ws(' ', follower, followee, (extract(epoch FROM followed_at) * 1000)::bigint) FROM follows",
                world.follows.iter().map(|((from, to), at)| format!("{from} {to} {at}")).collect(),
            ),
        ],
        "feed" => vec![
            (
                "posts",
                "SELECT concat_ws(' ', id, author, coalesce(reply_to::text, '-'), like_count, reply_count,
                    (extract(epoch FROM created_at) * 1000)::bigint, text) FROM posts",
                posts(world),
            ),
            (
                "likes",
                "SELECT concat_ws(' ', post_id, user_id) FROM likes",
                world.likes.keys().map(|(post, user)| format!("{post} {user}")).collect(),
            ),
            (
                "feed_follows",
                "SELECT concat_ws(' ', viewer, author) FROM feed_follows",
                world.follows.keys().map(|(from, to)| format!("{from} {to}")).collect(),
            ),
            (
                "feed_followers",
                "SELECT concat_ws(' ', author, followers) FROM feed_followers",
                followers(world),
            ),
        ],
        "digest" => digest(world),
        "conversations" => conversations(world),
        "notifications" => notifications(world),
        other => panic!("the projection {other} has no expected content in tests/it/support/model.rs"),
    }
}

fn accounts(world: &World) -> BTreeSet<String> {
    let line = |(id, a): (&Uuid, &super::world::Account)| {
        format!(
            "{id} {} {} {} {}",
            a.handle, a.display_name, a.bio, a.created_at
        )
    };
    world.accounts.iter().map(line).collect()
}

fn counts(world: &World) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for id in world.accounts.keys() {
        let followers = world.follows.keys().filter(|(_, to)| to == id).count();
        let following = world.follows.keys().filter(|(from, _)| from == id).count();
        let posts = world
            .posts
            .values()
            .filter(|post| post.author == *id)
            .count();
        if (followers, following, posts) != (0, 0, 0) {
            lines.insert(format!("{id} {followers} {following} {posts}"));
        }
    }
    lines
}

fn followers(world: &World) -> BTreeSet<String> {
    let mut counts: BTreeMap<Uuid, usize> = BTreeMap::new();
    for (_, followee) in world.follows.keys() {
        *counts.entry(*followee).or_default() += 1;
    }
    let lines = counts.iter();
    lines
        .map(|(author, count)| format!("{author} {count}"))
        .collect()
}

fn posts(world: &World) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (id, post) in &world.posts {
        let parent = post
            .reply_to
            .map_or_else(|| "-".to_owned(), |parent| parent.post.to_string());
        let likes = world.likes.keys().filter(|(liked, _)| liked == id).count();
        let answers =
            |other: &&super::world::Post| other.reply_to.is_some_and(|parent| parent.post == *id);
        let replies = world.posts.values().filter(answers).count();
        let (author, made, text) = (post.author, id::millis(*id), &post.text);
        lines.insert(format!(
            "{id} {author} {parent} {likes} {replies} {made} {text}"
        ));
    }
    lines
}

/// Panics unless exactly the root posts of authors with more followers are pulled. Returns their number.
pub async fn assert_pulled(world: &World, max_followers: usize, pool: &PgPool) -> usize {
    let expected: Vec<Uuid> = world
        .posts
        .iter()
        .filter(|(_, post)| post.reply_to.is_none() && post.followers > max_followers)
        .map(|(id, _)| *id)
        .collect();
    let pulled = pulled(pool).await;
    assert_eq!(pulled, expected, "the pulled posts");
    pulled.len()
}

async fn assert_pulled_authors(world: &World, pool: &PgPool) {
    let mut expected: BTreeMap<Uuid, i64> = BTreeMap::new();
    for post in pulled(pool).await {
        *expected.entry(world.posts[&post].author).or_default() += 1;
    }
    let actual: Vec<(Uuid, i64)> =
        sqlx::query_as("SELECT author, posts FROM pulled_authors ORDER BY 1")
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(
        actual,
        Vec::from_iter(expected),
        "the authors of pulled posts"
    );
}

async fn pulled(pool: &PgPool) -> Vec<Uuid> {
    sqlx::query_scalar("SELECT id FROM posts WHERE pulled ORDER BY 1")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// Panics unless the entries of each feed at and above its floor are exactly its posts that are not pulled.
async fn assert_feeds(world: &World, pool: &PgPool) {
    let pulled = BTreeSet::from_iter(pulled(pool).await);
    for viewer in world.accounts.keys() {
        let floor: Option<Uuid> =
            sqlx::query_scalar("SELECT floor FROM feed_floors WHERE viewer = $1")
                .bind(viewer)
                .fetch_optional(pool)
                .await
                .unwrap();
        let floor = floor.unwrap_or_default();
        let sees =
            |author: Uuid| author == *viewer || world.follows.contains_key(&(*viewer, author));
        let expected: Vec<Uuid> = world
            .posts
            .iter()
            .filter(|(id, post)| post.reply_to.is_none() && sees(post.author) && **id >= floor)
            .filter(|(id, _)| !pulled.contains(id))
            .map(|(id, _)| *id)
            .collect();
        let sql = "SELECT post_id FROM feed_entries WHERE viewer = $1 AND post_id >= $2 ORDER BY 1";
        let actual: Vec<Uuid> = sqlx::query_scalar(sql)
            .bind(viewer)
            .bind(floor)
            .fetch_all(pool)
            .await
            .unwrap();
        assert_eq!(actual, expected, "the feed of {viewer} from {floor}");
    }
}

fn day(millis: i64) -> NaiveDate {
    DateTime::from_timestamp_millis(millis)
        .unwrap()
        .date_naive()
}

fn digest(world: &World) -> Vec<Table> {
    // Likes, replies, followers, messages.
    let mut days: BTreeMap<(Uuid, NaiveDate), [u64; 4]> = BTreeMap::new();
    let mut received: BTreeMap<(Uuid, NaiveDate), (Uuid, [u64; 2])> = BTreeMap::new();
    let mut receive = |post: Uuid, author: Uuid, day: NaiveDate, what: usize| {
        received.entry((post, day)).or_insert((author, [0, 0])).1[what] += 1;
        days.entry((author, day)).or_default()[what] += 1;
    };
    for ((post, user), at) in &world.likes {
        let author = world.posts[post].author;
        if author != *user {
            receive(*post, author, day(*at), 0);
        }
    }
    for (id, post) in &world.posts {
        if let Some(parent) = post.reply_to
            && world.posts.contains_key(&parent.post)
            && parent.author != post.author
        {
            receive(parent.post, parent.author, day(id::millis(*id)), 1);
        }
    }
    for ((_, followee), at) in &world.follows {
        days.entry((*followee, day(*at))).or_default()[2] += 1;
    }
    for talk in world.conversations.values() {
        for (message, (sender, _)) in &talk.messages {
            for member in talk.members.iter().filter(|member| *member != sender) {
                days.entry((*member, day(id::millis(*message))))
                    .or_default()[3] += 1;
            }
        }
    }
    vec![
        (
            "digest_days",
            "SELECT concat_ws(' ', viewer, day, likes_received, replies_received, new_followers, messages_received)
            FROM digest_days",
            days.iter().map(|((v, day), [l, r, f, m])| format!("{v} {day} {l} {r} {f} {m}")).collect(),
        ),
        (
            "digest_received",
            "SELECT concat_ws(' ', post_id, day, author, likes, replies) FROM digest_received",
            received.iter().map(|((p, day), (author, [l, r]))| format!("{p} {day} {author} {l} {r}")).collect(),
        ),
        (
            "digest_members",
            "SELECT concat_ws(' ', conversation, member) FROM digest_members",
            world
                .conversations
                .iter()
                .flat_map(|(id, talk)| talk.members.iter().map(move |member| format!("{id} {member}")))
                .collect(),
        ),
    ]
}

fn conversations(world: &World) -> Vec<Table> {
    let (mut talks, mut members, mut messages) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (id, talk) in &world.conversations {
        let title = talk.title.as_deref().unwrap_or("-");
        let last = talk.messages.keys().next_back();
        let shown = |id: Option<&Uuid>| id.map_or_else(|| "-".to_owned(), ToString::to_string);
        talks.insert(format!(
            "{id} {title} {} {}",
            talk.messages.len(),
            shown(last)
        ));
        for (message, (sender, text)) in &talk.messages {
            messages.insert(format!(
                "{id} {message} {sender} {} {text}",
                id::millis(*message)
            ));
        }
        for member in &talk.members {
            let mark = talk.marks.get(member);
            let unread = talk
                .messages
                .iter()
                .filter(|(message, (sender, _))| {
                    sender != member && mark.is_none_or(|mark| *message > mark)
                })
                .count();
            let activity = last.map_or(*id, |last| (*last).max(*id));
            members.insert(format!("{member} {id} {activity} {} {unread}", shown(mark)));
        }
    }
    vec![
        (
            "conversations",
            "SELECT concat_ws(' ', id, coalesce(title, '-'), message_count, coalesce(last_message::text, '-'))
            FROM conversations",
            talks,
        ),
        (
            "messages",
            "SELECT concat_ws(' ', conversation, id, sender, (extract(epoch FROM created_at) * 1000)::bigint, text) FROM messages",
            messages,
        ),
        (
            "members",
            "SELECT concat_ws(' ', user_id, conversation, activity, coalesce(read_up_to::text, '-'), unread_count)
            FROM members",
            members,
        ),
    ]
}

/// The acts of others on the viewer and existing posts of the viewer. Ids are compared by their time, since the rest is a
/// hash.
fn notifications(world: &World) -> Vec<Table> {
    let mut lines = BTreeSet::new();
    let mut notify = |viewer: Uuid, at: i64, actor: Uuid, post: &str, reply: &str| {
        if viewer != actor {
            lines.insert(format!("{viewer} {at} {actor} {post} {reply}"));
        }
    };
    for ((follower, followee), at) in &world.follows {
        notify(*followee, *at, *follower, "-", "-");
    }
    for ((post, user), at) in &world.likes {
        notify(world.posts[post].author, *at, *user, &post.to_string(), "-");
    }
    for (id, reply) in &world.posts {
        if let Some(parent) = reply.reply_to
            && world.posts.contains_key(&parent.post)
        {
            let (post, id, at) = (parent.post.to_string(), id.to_string(), id::millis(*id));
            notify(parent.author, at, reply.author, &post, &id);
        }
    }
    vec![
        (
            "notifications",
            "SELECT concat_ws(' ', viewer, ('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint, actor,
                coalesce(post::text, '-'), coalesce(reply::text, '-')) FROM notifications",
            lines,
        ),
        (
            "notification_marks",
            "SELECT concat_ws(' ', viewer, up_to) FROM notification_marks",
            world.notification_marks.iter().map(|(user, mark)| format!("{user} {mark}")).collect(),
        ),
    ]
}
