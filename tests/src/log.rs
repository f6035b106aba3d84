//! The event log and the state beside it, as they stand in the database.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow, ensure};
use feedmill_events::{Envelope, Partition, Positions};
use sqlx::PgPool;
use uuid::Uuid;

use crate::model::Model;

/// The heads of all partitions.
pub async fn heads(pool: &PgPool) -> Result<Positions> {
    let rows: Vec<(i16, i64)> = sqlx::query_as("SELECT id, head FROM write.partitions")
        .fetch_all(pool)
        .await?;
    let mut heads = Positions::default();
    for (partition, head) in rows {
        heads.include(Partition::try_from(partition)?, head);
    }
    Ok(heads)
}

/// Every partition's sequence numbers are 1, 2, 3 … up to its head; returns how many events there are.
pub async fn check_dense(pool: &PgPool) -> Result<i64> {
    let rows: Vec<(i16, i64, i64, i64)> = sqlx::query_as(
        "SELECT id, head, count(seq), coalesce(max(seq), 0)
         FROM write.partitions LEFT JOIN write.events ON partition = id GROUP BY id",
    )
    .fetch_all(pool)
    .await?;
    ensure!(rows.len() == 64, "{} partitions", rows.len());
    for (partition, head, count, last) in &rows {
        ensure!(
            head == count && head == last,
            "partition {partition} has its head at {head}, {count} events, and the last at {last}"
        );
    }
    Ok(rows.iter().map(|(_, head, ..)| head).sum())
}

/// The model that the whole log leads to. Every event must fit those before it in its partition.
pub async fn fold(pool: &PgPool) -> Result<Model> {
    let rows: Vec<(i16, i64, String, Vec<u8>)> = sqlx::query_as(
        "SELECT partition, seq, type, body FROM write.events ORDER BY partition, seq",
    )
    .fetch_all(pool)
    .await?;
    let mut model = Model::default();
    for (partition, seq, name, body) in rows {
        let envelope =
            Envelope::decode(&body).map_err(|error| anyhow!("event {partition}:{seq}: {error}"))?;
        ensure!(
            envelope.event.event_type().name() == name,
            "event {partition}:{seq} is called {name}, and is {envelope:?}"
        );
        ensure!(
            i16::from(envelope.event.partition()) == partition,
            "event {partition}:{seq} is in the wrong partition: {envelope:?}"
        );
        model
            .apply(&envelope)
            .map_err(|error| anyhow!("event {partition}:{seq} {error}"))?;
    }
    let handles: BTreeSet<_> = model
        .accounts
        .values()
        .map(|account| &account.handle)
        .collect();
    ensure!(
        handles.len() == model.accounts.len(),
        "two accounts have one handle"
    );
    Ok(model)
}

/// The tables that decisions are made on hold what the model does.
pub async fn check_state(pool: &PgPool, model: &Model) -> Result<()> {
    let accounts: Vec<(Uuid, String, String, String)> =
        sqlx::query_as("SELECT id, handle, display_name, bio FROM write.accounts ORDER BY id")
            .fetch_all(pool)
            .await?;
    let known = model.accounts.iter();
    let known = known.map(|(id, a)| (*id, a.handle.clone(), a.display_name.clone(), a.bio.clone()));
    same("accounts", &accounts, &known.collect::<Vec<_>>())?;

    let posts: Vec<(Uuid, Uuid, Option<Uuid>)> =
        sqlx::query_as("SELECT id, author_id, reply_to FROM write.posts ORDER BY id")
            .fetch_all(pool)
            .await?;
    let known = model
        .posts
        .iter()
        .map(|(id, post)| (*id, post.author, post.reply_to));
    same("posts", &posts, &known.collect::<Vec<_>>())?;

    let (likes, follows) = links(pool, None).await?;
    same("likes", &likes, &model.likes)?;
    same("follows", &follows, &model.follows)?;

    let conversations: Vec<(Uuid, Option<String>)> =
        sqlx::query_as("SELECT id, title FROM write.conversations ORDER BY id")
            .fetch_all(pool)
            .await?;
    let known = model
        .conversations
        .iter()
        .map(|(id, found)| (*id, found.title.clone()));
    same("conversations", &conversations, &known.collect::<Vec<_>>())?;

    let members: Vec<(Uuid, Uuid, Option<Uuid>)> = sqlx::query_as(
        "SELECT conversation_id, user_id, read_up_to FROM write.members ORDER BY conversation_id, user_id",
    )
    .fetch_all(pool)
    .await?;
    let known = model.conversations.iter();
    let known =
        known.flat_map(|(id, found)| found.members.iter().map(|(user, mark)| (*id, *user, *mark)));
    same("members", &members, &known.collect::<Vec<_>>())?;

    let messages: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT conversation_id, id FROM write.messages ORDER BY conversation_id, id",
    )
    .fetch_all(pool)
    .await?;
    let known = model.conversations.iter();
    let known = known.flat_map(|(id, found)| found.messages.keys().map(|message| (*id, *message)));
    same("messages", &messages, &known.collect::<Vec<_>>())?;

    let marks: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT user_id, up_to FROM write.notification_marks")
            .fetch_all(pool)
            .await?;
    let marks = marks.into_iter().collect();
    same("notification_marks", &marks, &model.notification_marks)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, state: &T, log: &T) -> Result<()> {
    ensure!(
        state == log,
        "{what}: the state has\n{state:?}\nand the log says\n{log:?}"
    );
    Ok(())
}

type Links = BTreeMap<(Uuid, Uuid), i64>;

/// When each standing like (by post and user) and follow (by follower and followee) was made: the one thing
/// that no answer to a command tells. Of everyone, or of these accounts.
pub async fn links(pool: &PgPool, of: Option<&[Uuid]>) -> Result<(Links, Links)> {
    let likes: Vec<(Uuid, Uuid, i64)> = sqlx::query_as(
        "SELECT post_id, user_id, (extract(epoch FROM liked_at) * 1000)::bigint FROM write.likes
         WHERE $1::uuid[] IS NULL OR user_id = ANY($1)",
    )
    .bind(of)
    .fetch_all(pool)
    .await?;
    let follows: Vec<(Uuid, Uuid, i64)> = sqlx::query_as(
        "SELECT follower_id, followee_id, (extract(epoch FROM followed_at) * 1000)::bigint FROM write.follows
         WHERE $1::uuid[] IS NULL OR follower_id = ANY($1)",
    )
    .bind(of)
    .fetch_all(pool)
    .await?;
    let map =
        |rows: Vec<(Uuid, Uuid, i64)>| rows.into_iter().map(|(a, b, at)| ((a, b), at)).collect();
    Ok((map(likes), map(follows)))
}
