//! Reading the log.

use feedmill_events::{
    Envelope, Event, Partition,
    event::{v1::Audience, v2::PostCreated},
    id,
};
use feedmill_tests::kit::Nats;
use projector::{
    log,
    projection::{Context, conversations, feed},
};

use crate::support::{database::Database, running::Running};

fn long_posts() -> Vec<Envelope> {
    let post = |n: u16| {
        let author = id::compose(1, n % 5, u64::from(n % 5), None);
        let post = id::compose(1_700_000_000_000, n, 0, Some(Partition::of(author)));
        let text = "🌾".repeat(5_000);
        Envelope {
            at: 0,
            event: Event::PostCreated(PostCreated {
                post,
                author,
                reply_to: None,
                text,
                root_author: Some(author),
                audience: Some(Audience::Public),
            }),
        }
    };
    (0..700).map(post).collect()
}

#[tokio::test]
async fn the_size_of_a_read_is_bounded_for_texts_of_any_length() {
    let (database, nats, projection) = (Database::new().await, Nats::absent(), &feed::DEFINITION);
    database.append(&long_posts()).await;
    let pool = database.pool_of(projection);
    let heads = log::heads(&pool).await.unwrap();
    let ranges = log::plan(Partition::all(), &log::Offsets::default(), &heads, 4_000);
    let entries = log::read(&pool, projection.event_types, &ranges)
        .await
        .unwrap();
    let bytes: usize = entries
        .iter()
        .filter_map(|entry| entry.body.as_ref())
        .map(bytes::Bytes::len)
        .sum();
    assert!(((4 << 20)..(5 << 20)).contains(&bytes), "{bytes}");
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    database
        .caught_up(projection, std::time::Duration::from_secs(20))
        .await;
    worker.stop().await;
}

#[tokio::test]
async fn events_of_other_types_are_read_without_their_bodies() {
    let database = Database::new().await;
    database.append(&long_posts()).await;
    let projection = &conversations::DEFINITION;
    let pool = database.pool_of(projection);
    let heads = log::heads(&pool).await.unwrap();
    let ranges = log::plan(Partition::all(), &log::Offsets::default(), &heads, 4_000);
    let entries = log::read(&pool, projection.event_types, &ranges)
        .await
        .unwrap();
    assert_eq!(entries.len(), 700);
    assert!(entries.iter().all(|entry| entry.body.is_none()));
}
