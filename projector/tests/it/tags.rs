//! Every response that a batch changes depends on a tag that the batch announces.

mod responses;

use std::collections::{BTreeMap, BTreeSet};

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

use self::responses::{Kind, kinds};
use crate::support::{batches::apply_some, database::Database, rebuilding::settings, world::World};

/// By kind and key.
type Responses = BTreeMap<(&'static str, String), Response>;

#[derive(PartialEq)]
struct Response {
    tag: Tag,
    /// The tags of what the response lists.
    listed: Vec<Tag>,
    text: String,
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
            "post_totals",
            "tag_posts",
            "pulled_authors",
        ],
        "profiles" => &["account_totals"],
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
                "no response in tests/it/tags/responses.rs reads the table {table} of {name}: add one with its tag, or list the \
                 table as internal"
            );
        }
    }
}

/// Creates `public.viewers`, the accounts for which the responses of the feed are computed.
async fn set_viewers(world: &World, pool: &PgPool) {
    let accounts: Vec<Uuid> = world.oracle.accounts.keys().copied().collect();
    let tables = "CREATE TABLE IF NOT EXISTS public.viewers (viewer uuid PRIMARY KEY);
        GRANT SELECT ON public.viewers TO PUBLIC";
    sqlx::raw_sql(tables).execute(pool).await.unwrap();
    let insert =
        "INSERT INTO public.viewers SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING";
    let insert = sqlx::query(insert).bind(accounts);
    insert.execute(pool).await.unwrap();
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
            let (tag, listed) = (tag(&key, &text), listed(&key, &text));
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
        for _ in 0..6 {
            database.append(&world.happen(100)).await;
            set_viewers(&world, &database.pool).await;
            let mut before = responses(projection, &pool).await;
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
