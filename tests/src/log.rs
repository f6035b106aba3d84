//! The event log and the state tables beside it, as they are in the database.

mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use feedmill_events::{Envelope, Event, Partition, Positions};
use sqlx::PgPool;
use tokio::time::sleep;
use uuid::Uuid;

use crate::oracle::Oracle;

pub use state::{blocks, check_state, connections, links, membership, tag_members};

/// The head of every partition.
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

/// Waits until every read model has applied the whole log, by the projector's checkpoints. Returns how long it took.
pub async fn wait_until_projected(pool: &PgPool, timeout: Duration) -> Result<Duration> {
    let start = Instant::now();
    loop {
        let behind: Vec<(String, i64)> = sqlx::query_as(
            "SELECT j.name, count(*)
            FROM write.partitions AS p
            CROSS JOIN projector.projections AS j
            LEFT JOIN projector.checkpoints AS c
                ON (c.projection, c.generation, c.partition) = (j.name, j.generation, p.id)
            WHERE coalesce(c.seq, 0) < p.head
            GROUP BY 1",
        )
        .fetch_all(pool)
        .await?;
        if behind.is_empty() {
            return Ok(start.elapsed());
        }
        ensure!(
            start.elapsed() < timeout,
            "read models that are behind after {timeout:?}, in how many partitions: {behind:?}"
        );
        sleep(Duration::from_millis(5)).await;
    }
}

/// An event as it is stored.
#[derive(Debug, Clone)]
pub struct Raw {
    pub partition: Partition,
    pub event_type: &'static str,
    /// Unix milliseconds.
    pub at: i64,
    pub body: Vec<u8>,
}

impl From<&Envelope> for Raw {
    fn from(envelope: &Envelope) -> Self {
        Self {
            partition: envelope.event.partition(),
            event_type: envelope.event.event_type().name(),
            at: envelope.at,
            body: envelope.encode().expect("an event that encodes"),
        }
    }
}

/// Appends events to the log, as write-api does. Returns their places.
pub async fn append(pool: &PgPool, events: &[Raw]) -> Result<Vec<(Partition, i64)>> {
    let mut transaction = pool.begin().await?;
    let heads: Vec<(i16, i64)> =
        sqlx::query_as("SELECT id, head FROM write.partitions ORDER BY id FOR UPDATE")
            .fetch_all(&mut *transaction)
            .await?;
    let mut heads: BTreeMap<i16, i64> = heads.into_iter().collect();
    let mut places = Vec::new();
    for event in events {
        let head = heads.entry(event.partition.into()).or_default();
        *head += 1;
        places.push((event.partition, *head));
    }
    sqlx::query(
        "INSERT INTO write.events (partition, seq, type, at, body)
        SELECT p, s, t, to_timestamp(a / 1000.0), b
        FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[]) AS e(p, s, t, a, b)",
    )
    .bind(places.iter().map(|(partition, _)| i16::from(*partition)).collect::<Vec<_>>())
    .bind(places.iter().map(|(_, seq)| *seq).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.event_type).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.at).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.body.as_slice()).collect::<Vec<_>>())
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "UPDATE write.partitions SET head = h FROM unnest($1::smallint[], $2::bigint[]) AS n(p, h) WHERE id = p",
    )
    .bind(heads.keys().copied().collect::<Vec<_>>())
    .bind(heads.values().copied().collect::<Vec<_>>())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(places)
}

/// Fails unless the sequence numbers of every partition are 1, 2, 3 … up to its head. Returns the number of events.
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

/// The oracle after all events of the log. Fails at an event that is not legal after those before it in its
/// partition.
pub async fn fold(pool: &PgPool) -> Result<Oracle> {
    let rows: Vec<(i16, i64, String, Vec<u8>)> = sqlx::query_as(
        "SELECT partition, seq, type, body FROM write.events ORDER BY partition, seq",
    )
    .fetch_all(pool)
    .await?;
    let mut oracle = Oracle::default();
    for (partition, seq, name, body) in rows {
        let envelope =
            Envelope::decode(&body).map_err(|error| anyhow!("event {partition}:{seq}: {error}"))?;
        ensure!(
            envelope.event.event_type().name() == name,
            "event {partition}:{seq} has type {name}, but its body is {envelope:?}"
        );
        ensure!(
            i16::from(envelope.event.partition()) == partition,
            "event {partition}:{seq} is in the wrong partition: {envelope:?}"
        );
        oracle
            .apply(&envelope)
            .map_err(|error| anyhow!("event {partition}:{seq} {error}"))?;
    }
    let handles: BTreeSet<_> = oracle
        .accounts
        .values()
        .map(|account| &account.handle)
        .collect();
    ensure!(
        handles.len() == oracle.accounts.len(),
        "two accounts have the same handle"
    );
    Ok(oracle)
}

/// When the text of each edited post was last changed.
pub async fn edit_times(pool: &PgPool) -> Result<BTreeMap<Uuid, i64>> {
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM write.events WHERE type = 'post.edited' ORDER BY partition, seq",
    )
    .fetch_all(pool)
    .await?;
    let mut times = BTreeMap::new();
    for body in bodies {
        let envelope = Envelope::decode(&body).map_err(|error| anyhow!("{error}"))?;
        if let Event::PostEdited(edit) = envelope.event {
            times.insert(edit.post, envelope.at);
        }
    }
    Ok(times)
}

/// The id of the oldest post that the viewer's feed has in its entries; nil if it has all.
pub async fn feed_floor(pool: &PgPool, viewer: Uuid) -> Result<Uuid> {
    let sql = "SELECT floor FROM feed.feed_floors WHERE viewer = $1";
    let floor = sqlx::query_scalar(sql).bind(viewer);
    Ok(floor.fetch_optional(pool).await?.unwrap_or_default())
}
