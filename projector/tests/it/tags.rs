//! Every response that a batch changes depends on a tag that the batch announces.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use feedmill_events::{Announcement, Changed, Tag, subject};
use feedmill_service::NatsArgs;
use feedmill_tests::kit::Nats;
use futures::StreamExt as _;
use projector::{
    projection::{self, Context, Definition, profiles},
    rebuild::{self, output::Output},
};
use rand::{SeedableRng as _, rngs::StdRng};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::support::{batches::apply_some, database::Database, rebuilding::settings, world::World};

/// A kind of response: what it contains by key, as text, and the tags on which it depends.
struct Kind {
    name: &'static str,
    /// Takes the key and the text.
    tag: fn(&str, &str) -> Tag,
    /// More tags, of the text.
    listed: fn(&str) -> Vec<Tag>,
    sql: &'static str,
}

/// By kind and key.
type Responses = BTreeMap<(&'static str, String), Response>;

#[derive(PartialEq)]
struct Response {
    tag: Tag,
    /// The tags of what the response lists.
    listed: Vec<Tag>,
    text: String,
}

fn id(key: &str) -> Uuid {
    key.parse().unwrap()
}

/// The doc comments of `Tag`, in SQL.
fn kinds(projection: &str) -> Vec<Kind> {
    let kind = |name, tag, sql| Kind {
        name,
        tag,
        listed: |_| vec![],
        sql,
    };
    match projection {
        "profiles" => vec![
            kind(
                "account_summary",
                |key, _| Tag::account_summary(id(key)),
                "SELECT id::text, concat_ws(' ', handle, display_name) FROM accounts",
            ),
            kind(
                "handle",
                |_, handle| Tag::handle(handle),
                "SELECT id::text, handle FROM accounts",
            ),
            kind(
                "profile",
                |key, _| Tag::profile(id(key)),
                "SELECT id::text, concat_ws(' ', bio, created_at, coalesce(followers, 0), coalesce(following, 0),
                    coalesce(posts, 0), coalesce(connections, 0))
                FROM accounts LEFT JOIN account_counts ON account = id",
            ),
            kind(
                "followers",
                |key, _| Tag::followers(id(key)),
                "SELECT followee::text, string_agg(concat(follower, followed_at), ' ' ORDER BY follower)
                FROM follows GROUP BY 1",
            ),
            kind(
                "following",
                |key, _| Tag::following(id(key)),
                "SELECT follower::text, string_agg(concat(followee, followed_at), ' ' ORDER BY followee)
                FROM follows GROUP BY 1",
            ),
            kind(
                "connections",
                |key, _| Tag::connections(id(key)),
                "SELECT account::text, string_agg(concat(other, connected_at), ' ' ORDER BY other)
                FROM connections GROUP BY 1",
            ),
            kind(
                "requests_received",
                |key, _| Tag::requests_received(id(key)),
                "SELECT recipient::text, string_agg(concat(requester, requested_at), ' ' ORDER BY requester)
                FROM connection_requests GROUP BY 1",
            ),
            kind(
                "requests_sent",
                |key, _| Tag::requests_sent(id(key)),
                "SELECT requester::text, string_agg(concat(recipient, requested_at), ' ' ORDER BY recipient)
                FROM connection_requests GROUP BY 1",
            ),
        ],
        "feed" => vec![
            kind(
                "post",
                |key, _| Tag::post(id(key)),
                "SELECT k.id::text, concat_ws(' | ',
                    (SELECT concat_ws(' ', author, text, edited_at, like_count, reply_count) FROM posts p WHERE p.id = k.id),
                    (SELECT string_agg(concat(user_id, liked_at), ' ' ORDER BY user_id) FROM likes WHERE post_id = k.id),
                    (SELECT string_agg(p.id::text, ' ' ORDER BY p.id) FROM posts p WHERE reply_to = k.id))
                FROM (SELECT id FROM posts UNION SELECT reply_to FROM posts WHERE reply_to IS NOT NULL) k",
            ),
            kind(
                "posts_of",
                |key, _| Tag::posts_of(id(key)),
                "SELECT author::text, string_agg(id::text, ' ' ORDER BY id) FROM posts GROUP BY 1",
            ),
            kind(
                "feed",
                |key, _| Tag::feed(id(key)),
                "SELECT viewer::text, string_agg(author::text, ' ' ORDER BY author) FROM feed_sources GROUP BY 1",
            ),
            kind(
                "feed_mark",
                |key, _| Tag::feed_mark(id(key)),
                "SELECT viewer::text, up_to::text FROM feed_marks",
            ),
            Kind {
                // A page of posts depends on each of them, so a deleted post needs no tag of who bookmarked it.
                listed: |text| text.split(' ').map(|post| Tag::post(id(post))).collect(),
                ..kind(
                    "bookmarks",
                    |key, _| Tag::bookmarks(id(key)),
                    "SELECT user_id::text, string_agg(post_id::text, ' ' ORDER BY bookmarked_at, post_id)
                    FROM bookmarks GROUP BY 1",
                )
            },
            Kind {
                // As for bookmarks.
                listed: |text| text.split(' ').map(|post| Tag::post(id(post))).collect(),
                ..kind(
                    "likes",
                    |key, _| Tag::likes(id(key)),
                    "SELECT user_id::text, string_agg(post_id::text, ' ' ORDER BY liked_at, post_id)
                    FROM likes GROUP BY 1",
                )
            },
            Kind {
                // The chain never changes, only which of its posts stand.
                listed: |text| text.split(' ').map(|post| Tag::post(id(post))).collect(),
                ..kind(
                    "ancestors",
                    |key, _| Tag::post(id(key)),
                    "WITH RECURSIVE parents AS (
                        SELECT id, reply_to FROM posts UNION ALL SELECT id, reply_to FROM deleted_replies
                    ), chain AS (
                        SELECT id AS post, reply_to AS ancestor, 1 AS distance FROM posts
                        UNION ALL
                        SELECT post, reply_to, distance + 1 FROM chain JOIN parents ON id = ancestor
                    )
                    SELECT post::text, string_agg(id::text, ' ' ORDER BY distance DESC)
                    FROM chain JOIN posts ON id = ancestor GROUP BY 1",
                )
            },
            kind(
                "audience_tags",
                |key, _| Tag::audience_tags(id(key)),
                "SELECT owner::text, string_agg(concat_ws('/', t.id, t.name, t.members,
                    (SELECT string_agg(m::text, '+' ORDER BY member) FROM tag_members m WHERE m.tag = t.id)),
                    ' ' ORDER BY t.id)
                FROM tags t GROUP BY 1",
            ),
            kind(
                "mutes",
                |key, _| Tag::mutes(id(key)),
                "SELECT muter::text, string_agg(muted::text, ' ' ORDER BY muted_at, muted) FROM mutes GROUP BY 1",
            ),
            kind(
                "posts_of_day",
                |key, _| Tag::posts_of_day(key.parse::<NaiveDate>().unwrap()),
                "SELECT (created_at AT TIME ZONE 'UTC')::date::text,
                    string_agg(concat_ws('/', id, like_count, reply_count), ' ' ORDER BY id)
                FROM posts WHERE reply_to IS NULL GROUP BY 1",
            ),
        ],
        "digest" => vec![kind(
            "digest",
            |key, _| Tag::digest(id(key)),
            "SELECT viewer::text, string_agg(d::text, ' ' ORDER BY day) FROM digest_days d GROUP BY 1",
        )],
        "conversations" => vec![
            kind(
                "conversations",
                |key, _| Tag::conversations(id(key)),
                "SELECT m.user_id::text, concat_ws(' ', max(n.conversations), string_agg(concat_ws('/', c, m.activity, m.unread_count, m.muted, m.hidden_count,
                    (SELECT array_agg(o.user_id ORDER BY o.user_id) FROM members o WHERE o.conversation = c.id)),
                    ' ' ORDER BY c.id))
                FROM members m JOIN conversations c ON c.id = m.conversation
                LEFT JOIN conversation_counts n ON n.user_id = m.user_id GROUP BY 1",
            ),
            kind(
                "conversation",
                |key, _| Tag::conversation(id(key)),
                "SELECT c.id::text, concat_ws(' ', title,
                    (SELECT string_agg(concat_ws('/', user_id, since), ' ' ORDER BY user_id) FROM members m
                    WHERE m.conversation = c.id))
                FROM conversations c",
            ),
            Kind {
                // Only the answers about one conversation depend on it, and they depend on the conversation, too.
                listed: |text| {
                    let conversations = text.split(' ');
                    conversations.map(|it| Tag::conversation(id(it))).collect()
                },
                ..kind(
                    "muted_conversations",
                    |key, _| Tag::muted_conversations(id(key)),
                    "SELECT user_id::text, string_agg(conversation::text, ' ' ORDER BY conversation)
                    FROM members WHERE muted GROUP BY 1",
                )
            },
            kind(
                "messages",
                |key, _| Tag::messages(id(key)),
                "SELECT c.id::text, coalesce(string_agg(m::text, ' ' ORDER BY m.id), '-')
                FROM conversations c LEFT JOIN messages m ON m.conversation = c.id GROUP BY 1",
            ),
            Kind {
                // A conversation with its marks depends on its members, too, with whom their marks go.
                listed: |text| {
                    let conversation = text.split(' ').next().unwrap_or_default();
                    vec![Tag::conversation(id(conversation))]
                },
                ..kind(
                    "read_marks",
                    |key, _| Tag::read_marks(id(key)),
                    "SELECT conversation::text, concat_ws(' ', conversation,
                        string_agg(concat_ws('/', user_id, read_up_to), ' ' ORDER BY user_id))
                    FROM members WHERE read_up_to IS NOT NULL GROUP BY conversation",
                )
            },
        ],
        "notifications" => vec![kind(
            "notifications",
            |key, _| Tag::notifications(id(key)),
            "SELECT viewer::text, concat_ws(' ', max(t.total), max(m.up_to::text), string_agg(n::text, ' ' ORDER BY id))
            FROM notifications n FULL JOIN notification_marks m USING (viewer)
            LEFT JOIN notification_totals t USING (viewer) GROUP BY 1",
        )],
        other => panic!("tests/it/tags.rs has no responses of the projection {other}"),
    }
}

/// The tables of a projection on whose rows no response depends directly: only `apply` reads them, or they follow from
/// other tables.
fn internal_tables(projection: &str) -> &'static [&'static str] {
    match projection {
        "feed" => &[
            "feed_entries",
            "feed_floors",
            "feed_follows",
            "feed_followers",
            "pulled_authors",
        ],
        "digest" => &["digest_members", "digest_former_members", "digest_received"],
        _ => &[],
    }
}

#[tokio::test]
async fn every_table_belongs_to_a_response_with_a_tag_or_is_internal() {
    let database = Database::new().await;
    for projection in projection::ALL {
        let name = projection.name();
        let kinds = kinds(name);
        let is_identifier = |c: char| c.is_alphanumeric() || c == '_';
        let read: BTreeSet<&str> = kinds
            .iter()
            .flat_map(|kind| kind.sql.split(|c| !is_identifier(c)))
            .collect();
        for table in database.tables(projection).await {
            assert!(
                read.contains(table.as_str()) || internal_tables(name).contains(&table.as_str()),
                "no response in tests/it/tags.rs reads the table {table} of {name}: add one with its tag, or list the \
                 table as internal"
            );
        }
    }
}

async fn responses(projection: &Definition, pool: &PgPool) -> Responses {
    let mut all = Responses::new();
    for Kind {
        name,
        tag,
        listed,
        sql,
    } in kinds(projection.name())
    {
        let rows: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(sql))
            .fetch_all(pool)
            .await
            .unwrap();
        all.extend(rows.into_iter().map(|(key, text)| {
            let (tag, listed) = (tag(&key, &text), listed(&text));
            ((name, key), Response { tag, listed, text })
        }));
    }
    all
}

/// The responses that differ. Each must be invalidated by its tag or by one of what it listed before.
fn differing<'a>(
    before: &'a Responses,
    after: &'a Responses,
) -> BTreeMap<(&'a str, &'a str), Vec<Tag>> {
    let keys = before.keys().chain(after.keys());
    keys.filter(|key| before.get(key) != after.get(key))
        .map(|key| {
            let tag = after.get(key).or(before.get(key)).unwrap().tag;
            let listed = before.get(key).map(|response| response.listed.clone());
            let tags = [vec![tag], listed.unwrap_or_default()].concat();
            ((key.0, key.1.as_str()), tags)
        })
        .collect()
}

async fn announces_all_changes(projection: &'static Definition) {
    let context = Context {
        feed_depth: 3,
        fanout_max_followers: 3,
    };
    let mut seen = BTreeMap::new();
    let (mut named, mut needed) = (0, 0);
    for seed in 40..44 {
        let database = Database::new().await;
        let pool = database.pool_of(projection);
        let (mut world, mut rng) = (World::new(seed), StdRng::seed_from_u64(seed));
        let largest = [1, 2, 6, 1_000][usize::try_from(seed % 4).unwrap()];
        let mut before = Responses::new();
        for _ in 0..6 {
            database.append(&world.happen(100)).await;
            while let Some(tags) = apply_some(projection, &context, largest, &mut rng, &pool).await
            {
                let tags: BTreeSet<Tag> = tags.into_iter().collect();
                let after = responses(projection, &pool).await;
                let changed = differing(&before, &after);
                let mut needed_now: BTreeSet<Tag> = BTreeSet::new();
                for ((kind, key), depends_on) in &changed {
                    let announced = depends_on.iter().find(|tag| tags.contains(tag));
                    let text = |responses: &Responses| {
                        let response = responses.get(&(*kind, (*key).to_owned()));
                        response.map(|response| response.text.clone())
                    };
                    assert!(
                        announced.is_some(),
                        "seed {seed}: {kind} of {key} changed without its tag, from {:?} to {:?}",
                        text(&before),
                        text(&after),
                    );
                    needed_now.extend(announced.copied());
                    *seen.entry((*kind).to_owned()).or_insert(0) += 1;
                }
                named += tags.len();
                needed += needed_now.len();
                before = after;
            }
        }
    }
    println!(
        "{}: {named} tags, {needed} of them needed, {seen:?}",
        projection.name()
    );
    for kind in kinds(projection.name()) {
        assert!(seen.contains_key(kind.name), "{} never changed", kind.name);
    }
    // Needless tags invalidate cached responses needlessly.
    assert!(named < needed * 3 / 2, "{named} tags for {needed} changes");
}

#[tokio::test]
async fn profiles_announce_all_changes() {
    announces_all_changes(&projection::profiles::DEFINITION).await;
}

#[tokio::test]
async fn feed_announces_all_changes() {
    announces_all_changes(&projection::feed::DEFINITION).await;
}

#[tokio::test]
async fn digest_announces_all_changes() {
    announces_all_changes(&projection::digest::DEFINITION).await;
}

#[tokio::test]
async fn conversations_announce_all_changes() {
    announces_all_changes(&projection::conversations::DEFINITION).await;
}

#[tokio::test]
async fn notifications_announce_all_changes() {
    announces_all_changes(&projection::notifications::DEFINITION).await;
}

#[tokio::test]
async fn a_cutover_is_announced() {
    let (database, nats, mut world) = (Database::new().await, Nats::start().await, World::new(45));
    let projection = &profiles::DEFINITION;
    database.append(&world.happen(100)).await;
    let (pool, mut rng) = (database.pool_of(projection), StdRng::seed_from_u64(45));
    let context = Context::default();
    while apply_some(projection, &context, 1_000, &mut rng, &pool)
        .await
        .is_some()
    {}
    let client = nats.client().await;
    let subject = subject::announcements(projection.projection);
    let mut heard = client.subscribe(subject).await.unwrap();
    client.flush().await.unwrap();
    let settings = rebuild::Settings {
        nats: NatsArgs::at(&nats.url()),
        ..settings(&database, &context)
    };
    let mut output = Output::new(true);
    for generation in [2, 3] {
        if generation == 2 {
            let ended = rebuild::rebuild(projection, &settings, false, &mut output).await;
            ended.unwrap();
        } else {
            let ended = rebuild::rollback(projection, &settings, &mut output).await;
            ended.unwrap();
        }
        let within = std::time::Duration::from_secs(10);
        let message = tokio::time::timeout(within, heard.next()).await.unwrap();
        let expected = Announcement {
            projection: projection.projection,
            generation,
            progress: vec![],
            changed: if generation == 2 {
                Changed::Generation { equals: 1 }
            } else {
                Changed::All
            },
        };
        assert_eq!(
            Announcement::decode(&message.unwrap().payload).unwrap(),
            expected
        );
    }
}
