//! The log's oldest part moves to other storage, and is still part of the log.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use feedmill_events::{Envelope, Event};
use feedmill_tests::{
    import::{Record, generate, import_lines},
    kit::{Stack, StackConfig, wait_until},
    log,
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// The first sequence number after the oldest part, about half of what the import appends to a partition.
const BOUND: i64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn an_old_part_moves_while_commands_go_on_and_is_read_and_erased_like_the_rest() {
    let stack = Stack::start(StackConfig {
        faults: true,
        ..StackConfig::with_default_limits()
    })
    .await;
    shorten_first_part(&stack).await;
    let records = generate(3, 700, 8_000);
    import_lines(&stack, records.iter().map(Record::line)).await;
    let projected = log::wait_until_projected(&stack.pool, Duration::from_mins(2));
    projected.await.expect("everything projected");
    let parts = parts(&stack);
    assert_eq!(names(&parts), ["events_0", "events_40", "events_rest"]);
    let oldest = count(&stack, "events_0").await;
    let newest = count(&stack, "events_40").await;
    assert!(
        oldest > 2_000 && newest > 2_000,
        "{oldest} and {newest} events"
    );
    assert_eq!(count(&stack, "events_rest").await, 0);

    let refused = stack.run("write-api", &["log", "move", "events_40", "archive"]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("events_40 is not complete"), "{error}");
    let refused = stack.run("write-api", &["log", "move", "events_0", "archive"]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        error.contains("there is no tablespace \"archive\""),
        "{error}"
    );

    create_tablespace(&stack).await;
    a_move_gives_way_to_an_erasure(&stack).await;
    let (_, alice) = stack.person("alice").await;
    let moved = AtomicBool::new(false);
    let commands = async {
        let mut count = 0;
        while !moved.load(Ordering::Relaxed) || count < 10 {
            alice.post("while it moves", None).await.expect(201);
            count += 1;
        }
    };
    let moving = async {
        let run = || stack.run("write-api", &["log", "move", "events_0", "archive"]);
        let done = tokio::task::block_in_place(run);
        moved.store(true, Ordering::Relaxed);
        assert!(done.status.success(), "{done:?}");
    };
    tokio::join!(commands, moving);
    let parts = self::parts(&stack);
    assert!(
        parts[0].starts_with("events_0 ") && parts[0].ends_with(" archive"),
        "{parts:?}"
    );
    assert_eq!(count(&stack, "events_0").await, oldest);
    log::check_dense(&stack.pool)
        .await
        .expect("a log without gaps");

    // It is read by rebuilds, and by `events`.
    let rebuilt = stack.run("projector", &["rebuild", "--all"]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    let first = stack.run(
        "projector",
        &["events", "dump", "--partition", "0", "--limit", "1"],
    );
    assert!(
        String::from_utf8_lossy(&first.stdout).contains("\"seq\":1,"),
        "{first:?}"
    );

    // A text in it is erased: the log's owner replaces the event.
    let (author, post) = erase_first_text(&stack).await;
    let rebuilt = stack.run("projector", &["rebuild", "feed", "--accept-differences"]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    let read = stack
        .client_of(author)
        .get(&format!("/v1/posts/{post}"))
        .await;
    assert_eq!(read.expect(200).json()["text"], "erased");
    let verified = stack.run("projector", &["verify", "--all"]);
    assert!(verified.status.success(), "{verified:?}");
}

/// Ends the first part of the empty log after a few events, and adds the next one, as `LOG_PART_SIZE` would after a million.
async fn shorten_first_part(stack: &Stack) {
    let statements = format!(
        "BEGIN;
         ALTER TABLE write.events DETACH PARTITION write.events_2000000;
         DROP TABLE write.events_2000000;
         ALTER TABLE write.events DETACH PARTITION write.events_0;
         ALTER TABLE write.events ATTACH PARTITION write.events_0 FOR VALUES FROM (MINVALUE) TO ({BOUND});
         SELECT write.add_log_part(1000000);
         COMMIT"
    );
    execute(stack, &statements).await;
}

/// While somebody reads the log, the tables are not exchanged; who wants to change the part does not wait for that.
async fn a_move_gives_way_to_an_erasure(stack: &Stack) {
    let mut reader = stack.pool.begin().await.expect("a transaction");
    let read = sqlx::query("SELECT FROM write.events LIMIT 1");
    read.execute(&mut *reader).await.expect("a read");
    let target = stack.target.clone();
    let run = move || target.run("write-api", &["log", "move", "events_0", "archive"]);
    let moving = tokio::task::spawn_blocking(run);
    wait_until("the part is locked", async || {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'write.events_0'::regclass AND mode = 'ShareLock' AND granted)",
        )
        .fetch_one(&stack.pool)
        .await
        .expect("the locks")
    })
    .await;
    let erase = "UPDATE write.events SET body = body WHERE partition = 0 AND seq = 1";
    sqlx::query(erase)
        .execute(&stack.pool)
        .await
        .expect("the event");
    let given_up = moving.await.expect("the move");
    let error = String::from_utf8_lossy(&given_up.stderr).into_owned();
    assert!(
        error.contains("another transaction waits to change"),
        "{error}"
    );
    assert!(parts(stack)[0].ends_with(" pg_default"));
}

async fn create_tablespace(stack: &Stack) {
    let folder = stack.file("archive");
    stack
        .postgres
        .as_ref()
        .expect("a server of its own")
        .create_folder(&folder);
    execute(
        stack,
        &format!("CREATE TABLESPACE archive LOCATION '{}'", folder.display()),
    )
    .await;
}

async fn execute(stack: &Stack, statements: &str) {
    let sql = AssertSqlSafe(statements.to_owned());
    sqlx::raw_sql(sql)
        .execute(&stack.pool)
        .await
        .expect("the statements");
}

/// What `write-api log list` prints, without its heading.
fn parts(stack: &Stack) -> Vec<String> {
    let listed = stack.run("write-api", &["log", "list"]);
    assert!(listed.status.success(), "{listed:?}");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    text.lines().skip(1).map(str::to_owned).collect()
}

fn names(parts: &[String]) -> Vec<&str> {
    parts
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect()
}

async fn count(stack: &Stack, part: &str) -> i64 {
    let count = AssertSqlSafe(format!("SELECT count(*) FROM ONLY write.{part}"));
    sqlx::query_scalar(count)
        .fetch_one(&stack.pool)
        .await
        .expect("a count")
}

/// Replaces the text of the oldest post that still exists. Returns its author and its id.
async fn erase_first_text(stack: &Stack) -> (Uuid, Uuid) {
    let (partition, seq, body): (i16, i64, Vec<u8>) = sqlx::query_as(
        "SELECT partition, seq, body FROM write.events_0
         WHERE type = 'post.created'
         ORDER BY seq, partition LIMIT 1",
    )
    .fetch_one(&stack.pool)
    .await
    .expect("a post");
    let mut envelope = Envelope::decode(&body).expect("an event");
    let Event::PostCreated(post) = &mut envelope.event else {
        panic!("{envelope:?}");
    };
    "erased".clone_into(&mut post.text);
    let ids = (post.author, post.post);
    sqlx::query("UPDATE write.events SET body = $3 WHERE partition = $1 AND seq = $2")
        .bind(partition)
        .bind(seq)
        .bind(envelope.encode().expect("bytes"))
        .execute(&stack.pool)
        .await
        .expect("the event");
    ids
}
