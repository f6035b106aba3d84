//! The same commands with bare sqlx, one transaction each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Result, ensure};
use chrono::DateTime;
use feedmill_events::Envelope;
use sqlx::{Connection, PgConnection};

use super::{pool::pool, tasks::join_all};
use crate::{
    command::Command,
    summary::{Recorder, Summary},
};

const APPEND: &str = "
    WITH moved AS (UPDATE write.partitions SET head = head + 1 WHERE id = $1 RETURNING head)
    INSERT INTO write.events (partition, seq, type, at, body) SELECT $1, head, $2, $3, $4 FROM moved";

/// Runs as many tasks as connections, each with its own connection. A command takes four round trips: `BEGIN`; one
/// statement that checks and writes its state; the event with the partition's head, so that the head's row lock is held
/// as briefly as possible; `COMMIT`. This is less than write-api does for a command, which locks first and loads before
/// it writes, so it is a strong baseline. There is no authentication and no response.
pub async fn writes(
    url: &str,
    connections: u32,
    commands: Vec<Command>,
    warm_up: f64,
    seconds: f64,
) -> Result<Summary> {
    let pool = pool(url, connections, "write", true).await?;
    let (commands, next) = (Arc::new(commands), Arc::new(AtomicUsize::new(0)));
    let from = Instant::now() + Duration::from_secs_f64(warm_up);
    let until = from + Duration::from_secs_f64(seconds);
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let mut connection = pool.acquire().await?;
        let (commands, next) = (commands.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut recorder = Recorder::default();
            loop {
                let start = Instant::now();
                if start >= until {
                    return Ok(recorder);
                }
                let number = next.fetch_add(1, Ordering::Relaxed);
                execute(&mut connection, &commands[number % commands.len()]).await?;
                let end = Instant::now();
                if end >= from && end < until {
                    recorder.latency(end - start);
                }
            }
        }));
    }
    join_all(tasks, Duration::from_secs_f64(seconds)).await
}

async fn execute(connection: &mut PgConnection, command: &Command) -> Result<()> {
    let millis = now();
    let at = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    let new_id = command.new_id(millis);
    let mut transaction = connection.begin().await?;
    let state = match command {
        Command::Post { author, .. } => sqlx::query(
            "INSERT INTO write.posts (id, author_id, root, root_author)
             SELECT $1, id, $1, id FROM write.accounts WHERE id = $2",
        )
        .bind(new_id)
        .bind(author),
        Command::Like { user, post, .. } => sqlx::query(
            "INSERT INTO write.links (target_id, kind, account_id, since)
             SELECT p.id, 1, a.id, $3 FROM write.posts p, write.accounts a WHERE p.id = $1 AND a.id = $2
             ON CONFLICT DO NOTHING",
        )
        .bind(post)
        .bind(user)
        .bind(at),
        Command::Unlike { user, post, .. } => {
            sqlx::query("DELETE FROM write.links WHERE target_id = $1 AND kind = 1 AND account_id = $2")
                .bind(post)
                .bind(user)
        }
        Command::Follow { follower, followee } => sqlx::query(
            "INSERT INTO write.links (target_id, kind, account_id, since)
             SELECT e.id, 2, r.id, $3 FROM write.accounts e, write.accounts r WHERE e.id = $1 AND r.id = $2
             ON CONFLICT DO NOTHING",
        )
        .bind(followee)
        .bind(follower)
        .bind(at),
        Command::Message {
            sender,
            conversation,
            ..
        } => sqlx::query(
            "INSERT INTO write.messages (conversation_id, id, sender_id)
             SELECT conversation_id, $2, user_id FROM write.members WHERE conversation_id = $1 AND user_id = $3",
        )
        .bind(conversation)
        .bind(new_id)
        .bind(sender),
    };
    let changed = state.execute(&mut *transaction).await?.rows_affected();
    let creates = matches!(command, Command::Post { .. } | Command::Message { .. });
    ensure!(changed == 1 || !creates, "{command:?} created nothing");
    // A command that changes nothing has no event.
    if changed == 1 {
        let event = command.event(new_id, millis);
        let (partition, name) = (i16::from(command.partition()), event.event_type().name());
        let body = Envelope { at: millis, event }.encode()?;
        sqlx::query(APPEND)
            .bind(partition)
            .bind(name)
            .bind(at)
            .bind(body)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Unix milliseconds.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as i64)
}
