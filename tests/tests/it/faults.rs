//! One fault at a time. The torture test injects several at once.

mod pools;
mod support;
mod writers;

use std::time::{Duration, Instant};

use feedmill_tests::{
    client::http,
    jetstream,
    kit::{Mode, wait_until_within},
    torture::{REGRESSIONS, Torture},
};
use futures::future::join_all;
use tokio::time::sleep;

use support::{assert_nothing_lost, connections, read_status, start, wait_for_stream};
use writers::Writers;

#[tokio::test(flavor = "multi_thread")]
async fn services_recover_from_kills_of_postgres() {
    let mut stack = start(1).await;
    let writers = Writers::start(&stack, 8).await;
    let pids = stack.pids();
    let reader = stack.client_of(writers.follower);
    for round in 0..3 {
        sleep(Duration::from_millis(700)).await;
        stack.postgres().kill();
        let refused = writers.refused();
        let answered = wait_until_within("503 to a command", Duration::from_secs(10), async || {
            writers.refused() > refused
        })
        .await;
        // A page that is not cached: cached ones are still answered.
        let page = format!("/v1/feed?limit={}", 30 + round);
        assert_eq!(read_status(&reader, &page).await, 503);
        for service in stack.write.iter().chain(&stack.read) {
            wait_until_within("not ready", Duration::from_secs(10), async || {
                !service.is_ready().await
            })
            .await;
        }
        stack.postgres().launch().await;
        let accepted = writers.accepted();
        let back = wait_until_within("commands again", Duration::from_secs(15), async || {
            writers.accepted() > accepted
        })
        .await;
        wait_until_within("reads again", Duration::from_secs(15), async || {
            read_status(&reader, "/v1/feed").await == 200
        })
        .await;
        println!("round {round}: 503 after {answered:?}, commands again {back:?} after recovery");
    }
    assert_eq!(stack.pids(), pids, "a service was started again");
    let written = writers.stop().await;
    assert_nothing_lost(&stack, &written).await;
}

/// A crash of PostgreSQL does not take back what a read with a position has seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_takes_back_nothing_that_was_read() {
    let mut stack = start(1).await;
    let author = stack
        .client()
        .create_account("author", "Author")
        .await
        .expect(201)
        .id();
    let client = stack.client_of(author);
    for round in 0..8 {
        let text = format!("post {round}");
        let answer = client.post(&text, None).await.expect(201);
        let path = format!("/v1/posts/{}", answer.id());
        client.get(&path).await.expect(200);
        stack.postgres().kill();
        stack.postgres().launch().await;
        let end = Instant::now() + Duration::from_secs(15);
        let mut found = 0;
        while found < 20 {
            let request = client.signed(http().get(format!("{}{path}", client.read)));
            let request = request.header("Feedmill-Min-Position", client.position());
            let answer = client.try_send(request).await.expect("an answer");
            assert!(
                [200, 503].contains(&answer.status.as_u16()),
                "round {round}: {answer:?}"
            );
            found += u32::from(answer.status == 200);
            assert!(Instant::now() < end, "{answer:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// sqlx issue 4349: a pool must not lose a slot for each connection whose server has become silent.
#[tokio::test(flavor = "multi_thread")]
async fn held_connections_do_not_exhaust_a_pool() {
    let stack = start(1).await;
    let writers = Writers::start(&stack, 8).await;
    let reader = stack.client_of(writers.follower);
    for mode in [Mode::Hold, Mode::Cut, Mode::Hold] {
        for routes in stack.routes.values() {
            routes.postgres.set(mode);
        }
        let reads = (0..40).map(|_| async {
            let request = http().get(format!("{}/v1/feed", reader.read));
            let request = request.timeout(Duration::from_secs(2));
            reader.try_send(reader.signed(request)).await.is_ok()
        });
        join_all(reads).await;
        sleep(Duration::from_secs(6)).await;
        for routes in stack.routes.values() {
            routes.heal();
        }
        wait_until_within("40 reads at once", Duration::from_secs(20), async || {
            let reads = join_all((0..40).map(|_| read_status(&reader, "/v1/feed"))).await;
            reads.iter().all(|status| *status == 200)
        })
        .await;
        let accepted = writers.accepted();
        wait_until_within("commands again", Duration::from_secs(20), async || {
            writers.accepted() > accepted
        })
        .await;
    }
    let written = writers.stop().await;
    assert_nothing_lost(&stack, &written).await;
    for (role, most) in [("feedmill_read", 16), ("feedmill_write", 36)] {
        let count = connections(&stack, role).await;
        assert!(count <= most, "{count} connections as {role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_without_nats() {
    let mut stack = start(1).await;
    let writers = Writers::start(&stack, 4).await;
    // A minute, so that retries with growing pauses have reached the longest one.
    for (down, wiped) in [(60, false), (3, true), (3, true)] {
        sleep(Duration::from_millis(500)).await;
        stack.nats.kill();
        if wiped {
            stack.nats.wipe();
        }
        let refused = writers.refused();
        let end = Instant::now() + Duration::from_secs(down);
        while Instant::now() < end {
            let took = writers.post_reaches_the_feed(&stack).await;
            assert!(took < Duration::from_secs(3), "a post took {took:?}");
        }
        assert_eq!(writers.refused(), refused, "a command was not accepted");
        stack.nats.restart().await;
        wait_for_stream(&stack, &[]).await;
    }
    let written = writers.stop().await;
    assert_nothing_lost(&stack, &written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_stream_lacks_is_read_from_the_log() {
    let mut stack = start(1).await;
    let writers = Writers::start(&stack, 2).await;
    sleep(Duration::from_millis(500)).await;
    // Stopped, the projector has not received the event that is deleted now.
    stack.projectors[0].signal("STOP");
    sleep(Duration::from_secs(1)).await;
    let deleted = jetstream::delete_latest(stack.nats_url())
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    println!("event {deleted:?} is deleted");
    stack.projectors[0].signal("CONT");
    let took = writers.post_reaches_the_feed(&stack).await;
    assert!(took < Duration::from_secs(5), "a post took {took:?}");
    stack.projectors[0].restart().await;
    let written = writers.stop().await;
    assert_nothing_lost(&stack, &written).await;
    wait_for_stream(&stack, &[deleted]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_projector_takes_over_from_a_killed_or_stopped_one() {
    let mut stack = start(2).await;
    let writers = Writers::start(&stack, 4).await;
    for index in [0, 1] {
        stack.projectors[index].kill();
        let took = writers.posts_of_all_reach_the_feed(&stack).await;
        println!("killed: the other took over within {took:?}");
        assert!(took < Duration::from_secs(6), "{took:?}");
        stack.projectors[index].restart().await;
    }
    stack.projectors[0].signal("STOP");
    let took = writers.posts_of_all_reach_the_feed(&stack).await;
    println!("stopped: the other took over within {took:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
    stack.projectors[0].signal("CONT");
    sleep(Duration::from_secs(1)).await;
    stack.projectors[1].kill();
    writers.posts_of_all_reach_the_feed(&stack).await;
    stack.projectors[1].restart().await;
    let written = writers.stop().await;
    assert_nothing_lost(&stack, &written).await;
}

/// `cargo run -p feedmill-tests --bin torture` runs for a given time.
#[tokio::test(flavor = "multi_thread")]
async fn a_minute_of_torture() {
    for (seed, seconds) in REGRESSIONS.iter().copied().chain([(20_260_101, 60)]) {
        match Torture::new(seed, Duration::from_secs(seconds)).run().await {
            Ok(summary) => println!("{summary}"),
            Err(failures) => panic!("{failures}"),
        }
    }
}
