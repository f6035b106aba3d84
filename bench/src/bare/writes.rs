//! The same commands with bare sqlx, one transaction each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use chrono::DateTime;
use feedmill_events::Envelope;
use sqlx::{Connection, PgConnection};

use super::{now, pool, together};
use crate::{
    command::Command,
    summary::{Seen, Summary},
};

const APPEND: &str = "
    WITH moved AS (UPDATE write.partitions SET head = head + 1 WHERE id = $1 RETURNING head)
    INSERT INTO write.events (partition, seq, type, at, body) SELECT $1, head, $2, $3, $4 FROM moved";

/// As many tasks as connections, each of which keeps its own. A command is four round trips: `BEGIN`; its state,
/// checked and written in one statement; the event with the partition's head, whose row lock is so held for
/// as short as can be; `COMMIT`. That is less than write-api does for a command (it locks first, and loads
/// before it writes), and so the stronger other side. Nobody signs in, and nothing is answered.
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
            let mut seen = Seen::default();
            loop {
                let start = Instant::now();
                if start >= until {
                    return Ok(seen);
                }
                let number = next.fetch_add(1, Ordering::Relaxed);
                carry_out(&mut connection, &commands[number % commands.len()]).await?;
                let end = Instant::now();
                if end >= from && end < until {
                    seen.took(end - start);
                }
            }
        }));
    }
    together(tasks, Duration::from_secs_f64(seconds)).await
}

async fn carry_out(connection: &mut PgConnection, command: &Command) -> Result<()> {
    let millis = now();
    let at = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    let made = command.make_id(millis);
    let mut transaction = connection.begin().await?;
    let state = match command {
        Command::Post { author, .. } => sqlx::query(
            "INSERT INTO write.posts (id, author_id) SELECT $1, id FROM write.accounts WHERE id = $2",
        )
        .bind(made)
        .bind(author),
        Command::Like { user, post, .. } => sqlx::query(
            "INSERT INTO write.likes (post_id, user_id, liked_at)
             SELECT p.id, a.id, $3 FROM write.posts p, write.accounts a WHERE p.id = $1 AND a.id = $2
             ON CONFLICT DO NOTHING",
        )
        .bind(post)
        .bind(user)
        .bind(at),
        Command::Unlike { user, post, .. } => {
            sqlx::query("DELETE FROM write.likes WHERE post_id = $1 AND user_id = $2")
                .bind(post)
                .bind(user)
        }
        Command::Follow { follower, followee } => sqlx::query(
            "INSERT INTO write.follows (followee_id, follower_id, followed_at)
             SELECT e.id, r.id, $3 FROM write.accounts e, write.accounts r WHERE e.id = $1 AND r.id = $2
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
            "INSERT INTO write.messages (conversation_id, id)
             SELECT conversation_id, $2 FROM write.members WHERE conversation_id = $1 AND user_id = $3",
        )
        .bind(conversation)
        .bind(made)
        .bind(sender),
    };
    let changed = state.execute(&mut *transaction).await?.rows_affected();
    let makes_a_thing = matches!(command, Command::Post { .. } | Command::Message { .. });
    ensure!(changed == 1 || !makes_a_thing, "{command:?} made nothing");
    // Where it already was so, there is no event.
    if changed == 1 {
        let event = command.event(made, millis);
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
