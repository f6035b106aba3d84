//! The event log: locking heads, appending, and its parts.

pub mod parts;

use std::collections::BTreeMap;

use chrono::DateTime;
use feedmill_events::{
    EncodeError, Envelope, EventKey, Partition, PartitionSet,
    mac::LoggedMessage,
    subject::{MessageId, Signature},
};
use feedmill_service::sql;
use sqlx::PgConnection;

/// The last sequence number of each locked partition.
#[derive(Debug)]
pub struct Heads(BTreeMap<Partition, i64>);

impl Heads {
    /// Locks the heads until the transaction ends, in ascending order so that no two transactions wait for each other.
    /// Until then no other transaction appends to these partitions or decides in them.
    pub async fn lock(
        connection: &mut PgConnection,
        partitions: PartitionSet,
    ) -> sqlx::Result<Self> {
        let ids: Vec<i16> = partitions.iter().map(i16::from).collect();
        let rows = sql::named(
            "log.heads.lock",
            sqlx::query!(
                "/* log.heads.lock */ SELECT id, head FROM write.partitions
                 WHERE id = ANY($1) ORDER BY id FOR UPDATE",
                &ids
            )
            .fetch_all(connection),
        )
        .await?;
        if rows.len() != ids.len() {
            return Err(sqlx::Error::RowNotFound);
        }
        let heads = rows
            .into_iter()
            .filter_map(|row| Some((Partition::try_from(row.id).ok()?, row.head)));
        Ok(Self(heads.collect()))
    }

    /// The last sequence number; 0 if the partition is empty or not locked.
    pub fn current(&self, partition: Partition) -> i64 {
        self.0.get(&partition).copied().unwrap_or_default()
    }

    /// Moves the head of a locked partition forward by one event.
    pub fn advance(&mut self, partition: Partition) {
        *self.0.entry(partition).or_default() += 1;
    }
}

/// An entry of the log: an encoded event in its place.
#[derive(Debug)]
pub struct Entry {
    pub partition: Partition,
    pub seq: i64,
    /// The name of the event's type.
    pub name: String,
    /// The W3C traceparent of the request that caused the event.
    pub trace: Option<String>,
    /// The encoded envelope.
    pub body: Vec<u8>,
}

impl Entry {
    /// The code of its message in the stream.
    pub fn code(&self, key: &EventKey) -> String {
        key.sign(&LoggedMessage {
            partition: self.partition,
            seq: self.seq,
            event_type: &self.name,
            trace: self.trace.as_deref(),
            body: &self.body,
        })
    }

    /// The id of its message in the stream. `opened` is the last sequence number of the stream when the publisher opened it.
    pub fn message_id(&self, key: &EventKey, opened: u64) -> String {
        let code = self.code(key);
        let id = MessageId {
            partition: self.partition,
            seq: self.seq,
            signature: Some(Signature {
                code: &code,
                opened,
            }),
        };
        id.to_string()
    }
}

/// The entries that a transaction will append.
#[derive(Debug, Default)]
pub struct NewEntries {
    entries: Vec<Entry>,
    at: Vec<DateTime<chrono::Utc>>,
}

impl NewEntries {
    pub fn push(
        &mut self,
        partition: Partition,
        seq: i64,
        envelope: &Envelope,
        trace: Option<&str>,
    ) -> Result<(), EncodeError> {
        self.entries.push(Entry {
            partition,
            seq,
            name: envelope.event.event_type().name().to_owned(),
            trace: trace.map(str::to_owned),
            body: envelope.encode()?,
        });
        self.at
            .push(DateTime::from_timestamp_millis(envelope.at).unwrap_or_default());
        Ok(())
    }
}

/// Appends the entries and moves the heads: the last statement of a transaction. Returns the entries.
pub async fn append(
    connection: &mut PgConnection,
    entries: NewEntries,
) -> sqlx::Result<Vec<Entry>> {
    let NewEntries { entries, at } = entries;
    if entries.is_empty() {
        return Ok(entries);
    }
    let each = || entries.iter();
    let done = sql::named(
        "log.events.append",
        sqlx::query!(
            "/* log.events.append */
             WITH entries AS (
                 SELECT * FROM unnest($1::int2[], $2::int8[], $3::text[], $4::timestamptz[], $5::text[], $6::bytea[])
                     AS e(partition, seq, type, at, trace, body)
             ), moved AS (
                 UPDATE write.partitions p SET head = e.head
                 FROM (SELECT partition, max(seq) AS head FROM entries GROUP BY partition) e
                 WHERE p.id = e.partition
             )
             INSERT INTO write.events (partition, seq, type, at, trace, body) SELECT * FROM entries",
            &each().map(|entry| i16::from(entry.partition)).collect::<Vec<_>>(),
            &each().map(|entry| entry.seq).collect::<Vec<_>>(),
            &each().map(|entry| entry.name.as_str()).collect::<Vec<_>>() as &[&str],
            &at,
            &each().map(|entry| entry.trace.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
            &each().map(|entry| entry.body.as_slice()).collect::<Vec<_>>() as &[&[u8]],
        )
        .execute(connection),
    )
    .await?;
    if done.rows_affected() == entries.len() as u64 {
        Ok(entries)
    } else {
        Err(sqlx::Error::RowNotFound)
    }
}
