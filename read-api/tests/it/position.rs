use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use feedmill_events::{Advance, Announcement, Changed, Projection, subject};
use feedmill_service::NatsArgs;
use feedmill_tests::kit::{Nats, announcement_key, position_key, reset_statement_counts};

use crate::{
    app::{App, Reply, account_id},
    nats::publish,
};

async fn at(app: &App, position: &str, prefer: &str) -> Reply {
    app.get_with(
        account_id(1),
        "/v1/feed",
        &[("Feedmill-Min-Position", position), ("Prefer", prefer)],
    )
    .await
}

#[tokio::test]
async fn a_read_at_an_applied_position_is_answered() {
    let app = App::start().await;
    for projection in Projection::ALL {
        app.checkpoint(projection.name(), 1, 3, 5).await;
        app.checkpoint(projection.name(), 1, 60, 9).await;
    }
    for position in ["3:5", "3:4,60:9", "7:0", "60:1"] {
        let reply = at(&app, position, "wait=3").await;
        assert_eq!(reply.status, 200, "{position}");
        assert_eq!(reply.headers["preference-applied"], "wait=3");
    }
    let at_once = Instant::now();
    assert_eq!(at(&app, "3:5,60:9", "wait=0").await.status, 200);
    assert!(at_once.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn a_read_at_a_later_position_times_out() {
    let app = App::start().await;
    app.checkpoint("feed", 1, 3, 5).await;
    app.checkpoint("profiles", 1, 3, 4).await;
    for (position, prefer, least) in [
        ("3:6", "wait=0", 0),
        ("3:5", "", 1_000),
        ("3:4,5:1", "wait=2", 2_000),
        ("3:9223372036854775807", "wait=1", 1_000),
    ] {
        let start = Instant::now();
        let reply = at(&app, position, prefer).await;
        let took = start.elapsed();
        assert_eq!(reply.code(), (503, "projection_behind"), "{position}");
        assert_eq!(reply.headers["retry-after"], "1");
        let least = Duration::from_millis(least);
        assert!(
            least <= took && took < least + Duration::from_millis(900),
            "{position} took {took:?}"
        );
    }
}

#[tokio::test]
async fn a_read_goes_on_soon_after_its_position_is_reached() {
    let app = Arc::new(App::start().await);
    app.checkpoint("profiles", 1, 3, 5).await;
    let waiting = {
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let reply = at(&app, "3:5", "wait=10").await;
            (reply.status, Instant::now())
        })
    };
    tokio::time::sleep(Duration::from_millis(700)).await;
    let reached = Instant::now();
    app.checkpoint("feed", 1, 3, 5).await;
    let (status, answered) = waiting.await.unwrap();
    assert_eq!(status, 200);
    assert!(
        answered >= reached && answered - reached < Duration::from_millis(500),
        "{:?}",
        answered - reached
    );
}

#[tokio::test]
async fn only_the_live_generation_counts() {
    let app = App::start().await;
    app.checkpoint("feed", 1, 3, 5).await;
    app.checkpoint("profiles", 1, 3, 5).await;
    assert_eq!(at(&app, "3:5", "wait=1").await.status, 200);
    app.checkpoint("feed", 2, 3, 9).await;
    assert_eq!(at(&app, "3:9", "wait=0").await.status, 503, "profiles");
    app.checkpoint("profiles", 1, 3, 9).await;
    assert_eq!(
        at(&app, "3:9", "wait=0").await.status,
        503,
        "the feed's second generation is not live"
    );
    app.run("UPDATE projections SET generation = 2 WHERE name = 'feed'")
        .await;
    assert_eq!(at(&app, "3:9", "wait=1").await.status, 200);
}

/// Polls of the checkpoints since the counts were reset.
async fn polls(app: &App) -> i64 {
    sqlx::query_scalar(
        "SELECT coalesce(sum(calls), 0)::bigint FROM public.pg_stat_statements
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND query LIKE '/* checkpoint.live */%'",
    )
    .fetch_one(&app.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn one_task_polls_for_all_waiting_requests() {
    let app = Arc::new(App::start().await);
    app.checkpoint("feed", 1, 3, 5).await;
    app.checkpoint("profiles", 1, 3, 5).await;
    assert_eq!(at(&app, "3:5", "wait=1").await.status, 200);
    reset_statement_counts(&app.pool).await;
    for _ in 0..30 {
        assert_eq!(at(&app, "3:5", "wait=1").await.status, 200);
    }
    let known = polls(&app).await;
    assert!(known <= 1, "{known} polls for a known position");

    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let app = Arc::clone(&app);
        waiting.spawn(async move { at(&app, "3:6", "wait=1").await.status.as_u16() });
    }
    assert!(
        waiting
            .join_all()
            .await
            .into_iter()
            .all(|status| status == 503)
    );
    let polls = polls(&app).await - known;
    assert!(polls < 120, "{polls} polls for 100 waiting requests");
}

/// Sooner than an idle poll of the checkpoints.
#[tokio::test]
async fn authentic_announcements_advance_positions() {
    let server = Nats::without_jetstream().await;
    let app = App::start().await;
    app.checkpoint("feed", 1, 3, 5).await;
    app.checkpoint("profiles", 1, 3, 6).await;
    let client = feedmill_service::nats::connect(&NatsArgs::at(&server.url()), "test")
        .await
        .unwrap();
    tokio::spawn(read_api::receive_announcements(
        app.progress.clone(),
        client.clone(),
        announcement_key(),
        feedmill_service::Health::new(),
    ));
    // A poll of the checkpoints shows which generation is live. Announcements before it are ignored.
    assert_eq!(at(&app, "3:5", "wait=1").await.status, 200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let announcement = Announcement {
        projection: Projection::Feed,
        generation: 1,
        progress: vec![Advance {
            partition: 3u8.try_into().unwrap(),
            from: 5,
            to: 6,
        }],
        changed: Changed::Tags(vec![]),
    };
    let bytes = announcement.encode().unwrap();
    let subject = subject::announcements(Projection::Feed);
    // Neither unsigned, nor with the signature of another message.
    (client.publish(subject.clone(), bytes.clone().into()).await).unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(subject::CODE, announcement_key().sign("another", &bytes));
    let forged = client.publish_with_headers(subject.clone(), headers, bytes.clone().into());
    forged.await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(at(&app, "3:6", "wait=0").await.status, 503);
    publish(&client, &subject, bytes).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        at(&app, "3:6", "wait=0").await.status,
        200,
        "the table still says 5"
    );
}

#[tokio::test]
async fn positions_of_several_commands_are_combined() {
    let app = App::start().await;
    for projection in Projection::ALL {
        app.checkpoint(projection.name(), 1, 3, 5).await;
    }
    let seal = |text: &str| position_key().seal(account_id(1), &text.parse().unwrap(), [1; 8]);
    let (known, other) = (seal("3:5"), seal("7:1"));
    for (position, status) in [
        (known.clone(), 200),
        (format!("{known}, {known}"), 200),
        (format!("{known},{other}"), 503),
        (format!("{known},"), 422),
        (format!("{known},7:1"), 422),
    ] {
        assert_eq!(
            at(&app, &position, "wait=0").await.status,
            status,
            "{position}"
        );
    }
}
