//! Instances share the partitions, take over from each other, and never both write one.

use std::time::{Duration, Instant};

use feedmill_tests::kit::{Mode, Nats, Process, wait_until_within};
use projector::{
    instance::{LEASE_DURATION, Lease},
    projection::{self, feed},
};

use crate::support::{
    database::Database,
    program::{self, status},
    running::Running,
    stream::{create_stream, publish},
    world::World,
};

const TIMEOUT: Duration = Duration::from_secs(20);

struct Scene {
    database: Database,
    nats: Nats,
    world: World,
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let scene = Self {
            database: Database::new().await,
            nats: Nats::start().await,
            world: World::new(seed),
        };
        create_stream(&scene.nats).await;
        scene
    }

    fn start(&self) -> Process {
        program::start(&self.database, &self.nats.url(), &[])
    }

    /// Appends events to the log and publishes them.
    async fn happen(&mut self, count: usize) {
        let events = self.world.happen(count);
        let places = self.database.append(&events).await;
        publish(&self.nats, events.iter().zip(places)).await;
    }

    async fn caught_up(&self) {
        for projection in projection::ALL {
            self.database.caught_up(projection, TIMEOUT).await;
        }
    }

    async fn assert_equal(&self) {
        for projection in projection::ALL {
            self.database.assert_equal(&self.world, projection).await;
        }
    }

    /// The number of live instances.
    async fn members(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM projector.instances WHERE heartbeat > now() - interval '3 s'",
        )
        .fetch_one(&self.database.pool)
        .await
        .unwrap()
    }

    async fn until_members(&self, count: i64) {
        let what = format!("{count} members");
        wait_until_within(&what, TIMEOUT, async || self.members().await == count).await;
    }

    /// Appends events in many partitions. Returns how long it takes until all of them are applied.
    async fn applied(&mut self) -> Duration {
        let start = Instant::now();
        self.happen(150).await;
        self.caught_up().await;
        start.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_move_when_instances_start_stop_and_die() {
    let mut scene = Scene::new(31).await;
    let (one, mut two) = (scene.start(), scene.start());
    scene.until_members(2).await;
    scene.happen(300).await;
    let three = scene.start();
    scene.until_members(3).await;
    scene.happen(300).await;
    scene.caught_up().await;
    let seen = status(&scene.database, &scene.nats.url()).await;
    for projection in seen["projections"].as_array().unwrap() {
        let owners = projection["owners"].as_object().unwrap();
        assert_eq!(owners.len(), 3, "{owners:?}");
        let shared: u64 = owners.values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(shared, 64);
        assert_eq!(projection["standing"].as_object().unwrap().len(), 0);
    }
    let usual = scene.applied().await;

    two.kill();
    let death = scene.applied().await;

    let start = Instant::now();
    let four = scene.start();
    scene.until_members(3).await;
    let joining = start.elapsed();
    let joined = scene.applied().await;

    // The others take over at once.
    let stopping = program::stop(one).await;
    let stopped = scene.applied().await;

    println!(
        "150 events are applied in {usual:.1?}; right after a kill {death:.1?}; a start takes {joining:.1?}, \
         then {joined:.1?}; a clean stop takes {stopping:.1?}, then {stopped:.1?}"
    );
    assert!(death < Duration::from_secs(5));
    assert!(joined < usual + Duration::from_secs(1));
    assert!(stopping < Duration::from_secs(1));
    assert!(stopped < usual + Duration::from_secs(1));
    scene.assert_equal().await;
    for process in [three, four] {
        program::stop(process).await;
    }
    assert_eq!(scene.members().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_was_suspended_past_its_lease_stops_writing_and_logs_it() {
    let mut scene = Scene::new(32).await;
    let (one, two) = (scene.start(), scene.start());
    scene.until_members(2).await;
    scene.happen(300).await;
    scene.caught_up().await;
    for _ in 0..2 {
        // In the middle of its work, perhaps of a transaction.
        scene.happen(100).await;
        assert!(one.signal("STOP"));
        let stopped = Instant::now();
        let took = scene.applied().await;
        println!("right after it was stopped {took:.1?}");
        assert!(took < Duration::from_secs(5));
        // The others continue while its messages wait for it.
        scene.happen(200).await;
        scene.caught_up().await;
        tokio::time::sleep_until((stopped + LEASE_DURATION + Duration::from_secs(1)).into()).await;
        assert!(one.signal("CONT"));
        scene.applied().await;
        scene.assert_equal().await;
    }
    let log = one.log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("longer than the lease of 3 s"))
        .collect();
    println!("{}", lines.join("\n"));
    assert_eq!(lines.len(), 2, "{log}");
    // A statement that was in progress took as long as the suspension.
    let is_error = |line: &str| line.contains("ERROR") && !line.contains("was slow");
    assert!(!log.lines().any(is_error), "{log}");
    assert!(!two.log().lines().any(is_error));
    scene.until_members(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projecting_continues_after_the_server_was_silent() {
    let mut scene = Scene::new(35).await;
    let proxy = scene.database.proxy().await;
    let url = proxy.url(&scene.database.url);
    let _process = program::start_at(&scene.database, &url, &scene.nats.url(), &[]);
    scene.until_members(1).await;
    scene.applied().await;
    for silence in [Duration::from_secs(1), Duration::from_secs(6)] {
        scene.happen(100).await;
        proxy.set(Mode::Silent);
        scene.happen(100).await;
        tokio::time::sleep(silence).await;
        proxy.set(Mode::Open);
        let took = scene.applied().await;
        println!("after {silence:?} of silence, all is applied in {took:.1?}");
        assert!(took < Duration::from_secs(10));
        scene.assert_equal().await;
    }
}

#[tokio::test]
async fn an_instance_without_a_lease_does_not_write() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(33));
    let projection = &feed::DEFINITION;
    let lease = Lease::default();
    lease.renew(Instant::now().checked_sub(2 * LEASE_DURATION).unwrap());
    let worker = Running::with_lease(projection, lease.clone(), &database, &nats.url()).await;
    database.append(&world.happen(100)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(database.behind(projection).await, 100);
    lease.renew(Instant::now());
    database.caught_up(projection, TIMEOUT).await;
    database.assert_equal(&world, projection).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_instances_that_run_a_projection_share_its_partitions() {
    let mut scene = Scene::new(34).await;
    let feed = program::start(
        &scene.database,
        &scene.nats.url(),
        &["run", "--only", "feed"],
    );
    let all = scene.start();
    scene.until_members(2).await;
    scene.happen(100).await;
    scene.caught_up().await;
    let seen = status(&scene.database, &scene.nats.url()).await;
    for projection in seen["projections"].as_array().unwrap() {
        let shared = projection["owners"].as_object().unwrap().len();
        assert_eq!(shared, 1 + usize::from(projection["name"] == "feed"));
    }
    program::stop(all).await;
    scene.happen(100).await;
    scene.database.caught_up(&feed::DEFINITION, TIMEOUT).await;
    let seen = status(&scene.database, &scene.nats.url()).await;
    for projection in seen["projections"].as_array().unwrap() {
        let unowned = &projection["standing"]["unowned"];
        if projection["name"] == "feed" {
            assert!(unowned.is_null(), "{projection}");
        } else {
            assert_eq!(unowned, 64);
        }
    }
    program::stop(feed).await;
}
