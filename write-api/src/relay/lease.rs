//! Who leads: whoever holds an advisory lock, on a connection that also does all the leader's reading. So a
//! leader that has lost its lock cannot read on without noticing.

use std::time::Duration;

use feedmill_events::{PARTITIONS, Partition, PartitionSet};
use futures::{StreamExt, stream::BoxStream};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::store::log::Entry;

/// "feedmill" in ASCII. Advisory locks are per database, so two Feedmills do not meet.
const LOCK: i64 = 0x6665_6564_6d69_6c6c;

/// How many events of one partition are read at a time, so that a busy one does not keep the others waiting.
pub const EVENTS_PER_PARTITION: i64 = 64;

/// No statement here takes longer on a PostgreSQL that is alive.
const PATIENCE: Duration = Duration::from_secs(3);

/// One number for each partition: a head, or how far something is.
pub type Places = [i64; PARTITIONS as usize];

/// The right to lead, for as long as the connection lives.
pub struct Lease(PgConnection);

/// Tries to lead, on the connection of the last try if it still lives.
///
/// The inner error is that connection, when somebody else leads.
pub async fn acquire(
    options: &PgConnectOptions,
    candidate: Option<PgConnection>,
) -> sqlx::Result<Result<Lease, PgConnection>> {
    let attempt = async {
        let mut connection = match candidate {
            Some(connection) => connection,
            None => connect(options).await?,
        };
        let got = sqlx::query_scalar!(
            r#"/* relay.lease.acquire */ SELECT pg_try_advisory_lock($1) AS "got!""#,
            LOCK
        )
        .fetch_one(&mut connection)
        .await?;
        Ok(if got {
            Ok(Lease(connection))
        } else {
            Err(connection)
        })
    };
    timeout(PATIENCE, attempt)
        .await
        .unwrap_or_else(|_| Err(timed_out()))
}

/// The server ends a session that has been silent for four seconds, and one whose machine does not answer: a
/// leader that hangs, or is cut off, is then not leader any more. (A leader that lives asks every second.)
async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let options = options.clone().application_name("feedmill-relay").options([
        ("idle_session_timeout", "4s"),
        ("statement_timeout", "0"),
        ("tcp_keepalives_idle", "2"),
        ("tcp_keepalives_interval", "1"),
        ("tcp_keepalives_count", "2"),
        ("tcp_user_timeout", "4000"),
        // It reads by keys, so it is planned once.
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
    ]);
    options.connect().await
}

impl Lease {
    /// The heads of the log.
    pub async fn heads(&mut self) -> sqlx::Result<Places> {
        let rows = sqlx::query!("/* relay.heads.read */ SELECT id, head FROM write.partitions")
            .fetch_all(&mut self.0);
        let mut heads = [0; PARTITIONS as usize];
        for row in timeout(PATIENCE, rows)
            .await
            .unwrap_or_else(|_| Err(timed_out()))?
        {
            if let Some(head) = heads.get_mut(row.id as usize) {
                *head = row.head;
            }
        }
        Ok(heads)
    }

    /// What follows `after` in those partitions that have grown, at most 64 events of each, in order within each. It
    /// comes as a stream, so that no more is in memory than one event and what the socket holds.
    pub fn following(
        &mut self,
        after: &Places,
        grown: PartitionSet,
    ) -> BoxStream<'_, sqlx::Result<Entry>> {
        let (partitions, after): (Vec<i16>, Vec<i64>) = Partition::all()
            .zip(after)
            .filter(|(partition, _)| grown.has(*partition))
            .map(|(partition, after)| (i16::from(partition), *after))
            .unzip();
        sqlx::query!(
            r#"/* relay.events.read */
            SELECT e.partition AS "partition!", e.seq AS "seq!", e.type AS "name!", e.trace, e.body AS "body!"
            FROM unnest($1::smallint[], $2::bigint[]) AS place (partition, seq)
            CROSS JOIN LATERAL (
                SELECT * FROM write.events
                WHERE events.partition = place.partition AND events.seq > place.seq
                ORDER BY events.seq
                LIMIT $3
            ) AS e
            ORDER BY e.partition, e.seq"#,
            &partitions,
            &after,
            EVENTS_PER_PARTITION,
        )
        .fetch(&mut self.0)
        .map(|row| {
            let row = row?;
            let unknown = |error| sqlx::Error::Decode(Box::new(error));
            Ok(Entry {
                partition: Partition::try_from(row.partition).map_err(unknown)?,
                seq: row.seq,
                name: row.name,
                trace: row.trace,
                body: row.body,
            })
        })
        .boxed()
    }

    /// Lets somebody else lead at once.
    pub async fn release(self) {
        timeout(PATIENCE, self.0.close()).await.ok();
    }
}

fn timed_out() -> sqlx::Error {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
