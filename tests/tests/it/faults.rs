//! One fault at a time, with real processes and real kills; `torture` has them all at once.

mod pools;
mod writers;

use std::time::{Duration, Instant};

use feedmill_tests::{
    client::{Client, http},
    compare::{Scope, every_read},
    harness::{Plan, World, signal},
    log,
    proxy::Mode,
    stream, token,
    torture::{REGRESSIONS, Torture},
};
use futures::future::join_all;
use tokio::time::sleep;
use uuid::Uuid;
use writers::Writers;

async fn world(projectors: usize) -> World {
    World::start(Plan {
        write: 2,
        projectors,
        faults: true,
        ..Plan::default()
    })
    .await
}

/// The status of a read that waits for nothing.
async fn read_status(client: &Client, path: &str) -> u16 {
    let request = http()
        .get(format!("{}{path}", client.read))
        .timeout(Duration::from_secs(20));
    let answer = client.try_send(client.signed(request)).await;
    answer.map_or(0, |answer| answer.status.as_u16())
}

/// Waits until this holds; returns for how long.
async fn until(what: &str, limit: Duration, mut holds: impl AsyncFnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}

/// The log is whole, has what was acknowledged, and every read is what it must be.
async fn nothing_is_lost(world: &World, written: &[Uuid]) {
    log::check_dense(&world.pool).await.expect("a dense log");
    let model = log::fold(&world.pool)
        .await
        .expect("a log that fits together");
    log::check_state(&world.pool, &model)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    for post in written {
        assert!(model.posts.contains_key(post), "post {post} is lost");
    }
    assert_eq!(model.posts.len(), written.len(), "a post was made twice");
    let viewers: Vec<_> = model.accounts.keys().copied().take(2).collect();
    let scope = Scope {
        viewers: &viewers,
        limits: &[7, 100],
        days: &[token::now().date_naive()],
        sample: 50,
    };
    let client = world.client();
    client.wait_for(&log::heads(&world.pool).await.expect("the heads"));
    every_read(world, &client, &model, &scope)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}

async fn stream_is_whole(world: &World, deleted: &[stream::Place]) {
    let deleted = deleted.iter().copied().collect();
    let whole = async || {
        let checked = stream::check(world.nats_url(), &world.pool, &deleted).await;
        checked.is_ok()
    };
    let after = until("the stream has the log", Duration::from_secs(30), whole).await;
    println!("the stream has the log after {after:?}");
}

/// How many connections a role has.
async fn connections(world: &World, role: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = $1")
        .bind(role)
        .fetch_one(&world.pool)
        .await
        .expect("the count of connections")
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_killed_and_everybody_comes_back() {
    let mut world = world(1).await;
    let writers = Writers::start(&world, 8).await;
    let pids = world.pids();
    let reader = world.client_of(writers.follower);
    for round in 0..3 {
        sleep(Duration::from_millis(700)).await;
        world.postgres.as_mut().expect("a server").kill();
        let refused = writers.refused();
        let answered = until("503 to a command", Duration::from_secs(10), async || {
            writers.refused() > refused
        })
        .await;
        // A page that nobody has asked for: what is kept is still as good as it was.
        let page = format!("/v1/feed?limit={}", 30 + round);
        assert_eq!(read_status(&reader, &page).await, 503);
        for service in world.write.iter().chain(&world.read) {
            until("not ready", Duration::from_secs(10), async || {
                !service.is_ready().await
            })
            .await;
        }
        world.postgres.as_mut().expect("a server").again().await;
        let accepted = writers.accepted();
        let back = until("commands again", Duration::from_secs(15), async || {
            writers.accepted() > accepted
        })
        .await;
        until("reads again", Duration::from_secs(15), async || {
            read_status(&reader, "/v1/feed").await == 200
        })
        .await;
        println!("round {round}: 503 after {answered:?}, commands again {back:?} after recovery");
    }
    assert_eq!(world.pids(), pids, "a service was started again");
    let written = writers.stop().await;
    nothing_is_lost(&world, &written).await;
}

/// Read tables are written without waiting for the disk. What a crash takes back of them is projected again, and
/// until then nobody who asks for it by position is told that it is there.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_takes_back_is_not_read_as_if_it_were_there() {
    let mut world = world(1).await;
    let author = world
        .client()
        .create_account("author", "Author")
        .await
        .expect(201)
        .id();
    let client = world.client_of(author);
    for round in 0..8 {
        let text = format!("post {round}");
        let answer = client.post(&text, None).await.expect(201);
        let path = format!("/v1/posts/{}", answer.id());
        client.get(&path).await.expect(200);
        world.postgres.as_mut().expect("a server").kill();
        world.postgres.as_mut().expect("a server").again().await;
        let end = Instant::now() + Duration::from_secs(15);
        let mut good = 0;
        while good < 20 {
            let request = client.signed(http().get(format!("{}{path}", client.read)));
            let request = request.header("Feedmill-Min-Position", client.seen().to_string());
            let answer = client.try_send(request).await.expect("an answer");
            assert!(
                [200, 503].contains(&answer.status.as_u16()),
                "round {round}: {answer:?}"
            );
            good += u32::from(answer.status == 200);
            assert!(Instant::now() < end, "{answer:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// sqlx issue 4349: a pool must not lose a place for each connection whose server went silent.
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_do_not_use_up_a_pool() {
    let world = world(1).await;
    let writers = Writers::start(&world, 8).await;
    let reader = world.client_of(writers.follower);
    for mode in [Mode::BlackHole, Mode::Cut, Mode::BlackHole] {
        for links in world.links.values() {
            links.postgres.set(mode);
        }
        let reads = (0..40).map(|_| async {
            let request = http().get(format!("{}/v1/feed", reader.read));
            let request = request.timeout(Duration::from_secs(2));
            reader.try_send(reader.signed(request)).await.is_ok()
        });
        join_all(reads).await;
        sleep(Duration::from_secs(6)).await;
        for links in world.links.values() {
            links.heal();
        }
        until("40 reads at once", Duration::from_secs(20), async || {
            let reads = join_all((0..40).map(|_| read_status(&reader, "/v1/feed"))).await;
            reads.iter().all(|status| *status == 200)
        })
        .await;
        let accepted = writers.accepted();
        until("commands again", Duration::from_secs(20), async || {
            writers.accepted() > accepted
        })
        .await;
    }
    let written = writers.stop().await;
    nothing_is_lost(&world, &written).await;
    for (role, most) in [("feedmill_read", 16), ("feedmill_write", 36)] {
        let count = connections(&world, role).await;
        assert!(count <= most, "{count} connections as {role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_everything_goes_on() {
    let mut world = world(1).await;
    let writers = Writers::start(&world, 4).await;
    // A minute, so that whoever waits longer and longer between tries has come to its longest pause.
    for (away, wiped) in [(60, false), (3, true), (3, true)] {
        sleep(Duration::from_millis(500)).await;
        world.nats.kill();
        if wiped {
            std::fs::remove_dir_all(world.jetstream()).expect("JetStream's folder");
        }
        let refused = writers.refused();
        let end = Instant::now() + Duration::from_secs(away);
        while Instant::now() < end {
            let took = writers.post_reaches_the_feed(&world).await;
            assert!(took < Duration::from_secs(3), "a post took {took:?}");
        }
        assert_eq!(writers.refused(), refused, "a command was not accepted");
        world.nats.restart().await;
        stream_is_whole(&world, &[]).await;
    }
    let written = writers.stop().await;
    nothing_is_lost(&world, &written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_missing_in_the_stream_is_read_from_the_log() {
    let mut world = world(1).await;
    let writers = Writers::start(&world, 2).await;
    sleep(Duration::from_millis(500)).await;
    // Asleep, it has not yet had what is deleted now.
    signal("STOP", &[world.projectors[0].pid().expect("a process")]);
    sleep(Duration::from_secs(1)).await;
    let deleted = stream::delete_latest(world.nats_url())
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    println!("event {deleted:?} is deleted");
    signal("CONT", &[world.projectors[0].pid().expect("a process")]);
    let took = writers.post_reaches_the_feed(&world).await;
    assert!(took < Duration::from_secs(5), "a post took {took:?}");
    world.projectors[0].restart().await;
    let written = writers.stop().await;
    nothing_is_lost(&world, &written).await;
    stream_is_whole(&world, &[deleted]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_dies_or_sleeps_and_another_takes_over() {
    let mut world = world(2).await;
    let writers = Writers::start(&world, 4).await;
    for index in [0, 1] {
        world.projectors[index].kill();
        let took = writers.posts_of_all_reach_the_feed(&world).await;
        println!("killed: the other had taken over after {took:?}");
        assert!(took < Duration::from_secs(6), "{took:?}");
        world.projectors[index].restart().await;
    }
    let pid = [world.projectors[0].pid().expect("a process")];
    signal("STOP", &pid);
    let took = writers.posts_of_all_reach_the_feed(&world).await;
    println!("asleep: the other had taken over after {took:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
    signal("CONT", &pid);
    sleep(Duration::from_secs(1)).await;
    world.projectors[1].kill();
    writers.posts_of_all_reach_the_feed(&world).await;
    world.projectors[1].restart().await;
    let written = writers.stop().await;
    nothing_is_lost(&world, &written).await;
}

/// `cargo run -p feedmill-tests --bin torture` goes on for longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_minute_of_torture() {
    for (seed, seconds) in REGRESSIONS.iter().copied().chain([(20_260_101, 60)]) {
        match Torture::new(seed, Duration::from_secs(seconds)).run().await {
            Ok(verdict) => println!("{verdict}"),
            Err(wrong) => panic!("{wrong}"),
        }
    }
}
