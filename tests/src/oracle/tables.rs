//! The rows of the read tables by their definitions, and the comparison with what the tables contain. Rows are lines
//! of text, so that a difference can be read.
//!
//! A read model that lacks its definition here does not compile ([`of`]); a table that lacks one is found by
//! [`undefined`].

mod conversations;
mod digest;
mod feed;
mod notifications;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate};
use feedmill_events::{Partition, Projection};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use super::{
    state::{Oracle, who_may_message_code},
    visibility::audience_code,
};
use crate::link::LinkKind;

/// A read table and its expected rows.
pub struct Table {
    pub name: &'static str,
    /// Returns each row as a line of text.
    pub select: &'static str,
    pub rows: BTreeSet<String>,
}

/// Tables whose contents depend on the history of a feed, not on the present state. [`assert_equal`] checks that they
/// agree with the present state and with each other.
const HISTORICAL: [&str; 3] = ["feed_entries", "feed_floors", "pulled_authors"];

/// The tables of a read model.
pub fn of(oracle: &Oracle, projection: Projection) -> Vec<Table> {
    match projection {
        Projection::Profiles => profiles(oracle),
        Projection::Feed => feed::rows(oracle),
        Projection::Digest => digest::rows(oracle),
        Projection::Conversations => conversations::rows(oracle),
        Projection::Notifications => notifications::rows(oracle),
    }
}

/// Panics unless the read model's tables are equal to their definitions. `pool` finds its tables by `search_path`.
pub async fn assert_equal(oracle: &Oracle, projection: Projection, pool: &PgPool) {
    for table in of(oracle, projection) {
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(table.select))
            .fetch_all(pool)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", table.name));
        let actual: BTreeSet<String> = rows.into_iter().collect();
        let missing: Vec<_> = table.rows.difference(&actual).collect();
        let surplus: Vec<_> = actual.difference(&table.rows).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{projection}.{}: missing {missing:#?}, surplus {surplus:#?}",
            table.name
        );
    }
    if projection == Projection::Feed {
        assert_feeds(oracle, pool).await;
        assert_pulled_authors(oracle, pool).await;
    }
}

/// Tables of a read model's schema that have no definition here.
pub async fn undefined(projection: Projection, pool: &PgPool) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = $1 ORDER BY 1",
    )
    .bind(projection.name())
    .fetch_all(pool)
    .await
    .expect("the tables");
    let defined: BTreeSet<_> = of(&Oracle::default(), projection)
        .iter()
        .map(|table| table.name)
        .chain(HISTORICAL)
        .collect();
    let undefined = tables.into_iter();
    undefined
        .filter(|table| !defined.contains(table.as_str()))
        .collect()
}

/// Panics unless the pulled posts are exactly the root posts of authors who had more followers than this when they
/// posted. Returns how many there are.
pub async fn assert_pulled(oracle: &Oracle, max_followers: usize, pool: &PgPool) -> usize {
    let expected: Vec<Uuid> = oracle
        .posts
        .iter()
        .filter(|(_, post)| post.reply_to.is_none() && post.followers > max_followers)
        .map(|(id, _)| *id)
        .collect();
    let pulled = pulled(pool).await;
    assert_eq!(pulled, expected, "the pulled posts");
    pulled.len()
}

/// Panics unless the authors of pulled posts are listed with the number of their pulled posts.
async fn assert_pulled_authors(oracle: &Oracle, pool: &PgPool) {
    let mut expected: BTreeMap<Uuid, i64> = BTreeMap::new();
    for post in pulled(pool).await {
        *expected.entry(oracle.posts[&post].author).or_default() += 1;
    }
    let actual: Vec<(Uuid, i64)> =
        sqlx::query_as("SELECT author, posts FROM pulled_authors ORDER BY 1")
            .fetch_all(pool)
            .await
            .expect("the authors of pulled posts");
    let expected = Vec::from_iter(expected);
    assert_eq!(actual, expected, "the authors of pulled posts");
}

async fn pulled(pool: &PgPool) -> Vec<Uuid> {
    sqlx::query_scalar("SELECT id FROM posts WHERE pulled ORDER BY 1")
        .fetch_all(pool)
        .await
        .expect("the pulled posts")
}

/// Panics unless the entries of every feed, from its floor upwards, are exactly the posts of those whom it includes, visible or
/// not, that are not pulled.
pub async fn assert_feeds(oracle: &Oracle, pool: &PgPool) {
    let pulled = BTreeSet::from_iter(pulled(pool).await);
    for viewer in oracle.accounts.keys() {
        let floor: Option<Uuid> =
            sqlx::query_scalar("SELECT floor FROM feed_floors WHERE viewer = $1")
                .bind(viewer)
                .fetch_optional(pool)
                .await
                .expect("the floor of a feed");
        let floor = floor.unwrap_or_default();
        let mut expected = oracle.delivered(*viewer);
        expected.reverse();
        expected.retain(|id| *id >= floor && !pulled.contains(id));
        let sql = "SELECT post_id FROM feed_entries WHERE viewer = $1 AND post_id >= $2 ORDER BY 1";
        let actual: Vec<Uuid> = sqlx::query_scalar(sql)
            .bind(viewer)
            .bind(floor)
            .fetch_all(pool)
            .await
            .expect("the entries of a feed");
        assert_eq!(actual, expected, "the feed of {viewer} from {floor}");
    }
}

/// An id, or `-` for none.
fn or_dash(id: Option<Uuid>) -> String {
    id.map_or_else(|| "-".to_owned(), |id| id.to_string())
}

fn day(millis: i64) -> NaiveDate {
    let time = DateTime::from_timestamp_millis(millis);
    time.expect("a time").date_naive()
}

fn profiles(oracle: &Oracle) -> Vec<Table> {
    let accounts = oracle.accounts.iter();
    let accounts = accounts.map(|(id, a)| {
        let (handle, name, bio, at) = (&a.handle, &a.display_name, &a.bio, a.created_at);
        format!("{id} {handle} {name} {bio} {at}")
    });
    let counts = oracle.accounts.keys().filter_map(|id| {
        let followers = oracle.count_links_to(LinkKind::Follow, *id);
        let following = oracle.links_from(LinkKind::Follow, *id).count();
        let connections = oracle.connections.of(*id).count();
        let requests = oracle.connections.requests();
        let (received, sent): (Vec<_>, Vec<_>) = requests
            .filter(|(to, from, _)| [to, from].contains(&id))
            .partition(|(to, ..)| to == id);
        let (received, sent) = (received.len(), sent.len());
        let counts = [followers, following, connections, received, sent];
        let is_empty = counts.iter().all(|count| *count == 0);
        (!is_empty).then(|| format!("{id} {followers} {following} {connections} {received} {sent}"))
    });
    let settings = oracle.accounts.iter().filter_map(|(id, account)| {
        let settings = account.settings.as_ref()?;
        let (_, audience) = audience_code(&settings.default_audience);
        let (_, messages) = who_may_message_code(settings.who_may_message);
        Some(format!("{id} {audience} {messages}"))
    });
    let follows = oracle.links(LinkKind::Follow);
    let follows = follows.map(|(from, to, at)| format!("{from} {to} {at}"));
    let connections = oracle.connections.sides();
    let connections = connections.map(|(account, other, found)| {
        let at = found.connected_at;
        format!("{account} {other} {at}")
    });
    let requests = oracle.connections.requests();
    let requests = requests.map(|(to, from, at)| format!("{to} {from} {at}"));
    let mut totals: BTreeMap<u8, (usize, usize)> = BTreeMap::new();
    for id in oracle.accounts.keys() {
        let total = totals.entry(Partition::of(*id).number()).or_default();
        total.0 += 1;
        total.1 += oracle.connections.of(*id).count();
    }
    let totals = totals.iter();
    let totals =
        totals.map(|(partition, (accounts, sides))| format!("{partition} {accounts} {sides}"));
    vec![
        Table {
            name: "accounts",
            select: "SELECT concat_ws(' ', id, handle, display_name, bio,
                (extract(epoch FROM created_at) * 1000)::bigint) FROM accounts",
            rows: accounts.collect(),
        },
        Table {
            name: "account_counts",
            select: "SELECT concat_ws(' ', account, followers, following, connections, requests_received, requests_sent) FROM account_counts
                WHERE (followers, following, connections, requests_received, requests_sent) <> (0, 0, 0, 0, 0)",
            rows: counts.collect(),
        },
        Table {
            name: "account_totals",
            select: "SELECT concat_ws(' ', partition, accounts, connections) FROM account_totals",
            rows: totals.collect(),
        },
        Table {
            name: "account_settings",
            select: "SELECT concat_ws(' ', account, default_audience, who_may_message) FROM account_settings",
            rows: settings.collect(),
        },
        Table {
            name: "follows",
            select: "SELECT concat_ws(' ', follower, followee,
                (extract(epoch FROM followed_at) * 1000)::bigint) FROM follows",
            rows: follows.collect(),
        },
        Table {
            name: "connections",
            select: "SELECT concat_ws(' ', account, other,
                (extract(epoch FROM connected_at) * 1000)::bigint) FROM connections",
            rows: connections.collect(),
        },
        Table {
            name: "connection_requests",
            select: "SELECT concat_ws(' ', recipient, requester,
                (extract(epoch FROM requested_at) * 1000)::bigint) FROM connection_requests",
            rows: requests.collect(),
        },
    ]
}
