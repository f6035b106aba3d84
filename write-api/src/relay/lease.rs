//! Leadership: an advisory lock, held by the connection that also does all the leader's reading. So a leader that lost the
//! lock cannot read on without noticing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use feedmill_events::{PARTITIONS, Partition, PartitionSet};
use futures::{StreamExt, stream::BoxStream};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::log::Entry;

/// "feedmill" in ASCII. Advisory locks are per database, so installations on one server do not conflict.
const LOCK: i64 = 0x6665_6564_6d69_6c6c;

/// The maximum number of events of a partition in one read, so that a busy partition does not delay the others.
pub const MAX_EVENTS_PER_PARTITION: i64 = 64;

/// No statement here takes longer while PostgreSQL is alive.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3);

/// A sequence number of the log for each partition.
pub type Offsets = [i64; PARTITIONS as usize];

/// The right to lead, as long as the connection lives.
pub struct Lease(PgConnection);

/// Tries to acquire the lease, on the connection of the last try if there is one. The inner error is that connection, if
/// another instance leads.
pub async fn acquire(
    options: &PgConnectOptions,
    candidate: Option<PgConnection>,
) -> sqlx::Result<Result<Lease, PgConnection>> {
    let attempt = async {
        let mut connection = match candidate {
            Some(connection) => connection,
            None => connect(options).await?,
        };
        let is_acquired = sqlx::query_scalar!(
            r#"/* relay.lease.acquire */ SELECT pg_try_advisory_lock($1) AS "acquired!""#,
            LOCK
        )
        .fetch_one(&mut connection)
        .await?;
        Ok(if is_acquired {
            Ok(Lease(connection))
        } else {
            Err(connection)
        })
    };
    timeout(STATEMENT_TIMEOUT, attempt)
        .await
        .unwrap_or_else(|_| Err(timed_out()))
}

/// The server ends a session that is silent for four seconds or whose client does not acknowledge packets, so that a leader
/// that hangs or is cut off loses the lease. A healthy leader sends a statement every second.
async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let options = options.clone().application_name("feedmill-relay").options([
        ("idle_session_timeout", "4s"),
        ("statement_timeout", "0"),
        ("tcp_keepalives_idle", "2"),
        ("tcp_keepalives_interval", "1"),
        ("tcp_keepalives_count", "2"),
        ("tcp_user_timeout", "4000"),
        // All statements find rows by keys, so one generic plan fits all values.
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
    ]);
    options.connect().await
}

impl Lease {
    /// The last sequence number of each partition.
    pub async fn heads(&mut self) -> sqlx::Result<Offsets> {
        let rows = sqlx::query!("/* relay.heads.read */ SELECT id, head FROM write.partitions")
            .fetch_all(&mut self.0);
        let mut heads = [0; PARTITIONS as usize];
        for row in timeout(STATEMENT_TIMEOUT, rows)
            .await
            .unwrap_or_else(|_| Err(timed_out()))?
        {
            if let Some(head) = heads.get_mut(row.id as usize) {
                *head = row.head;
            }
        }
        Ok(heads)
    }

    /// When the present incarnation of the log began; None if PostgreSQL was never restored.
    pub async fn incarnation(&mut self) -> sqlx::Result<Option<DateTime<Utc>>> {
        let began = sqlx::query_scalar!(
            "/* relay.incarnation.read */ SELECT max(began_at) FROM write.incarnations"
        );
        let began = began.fetch_one(&mut self.0);
        timeout(STATEMENT_TIMEOUT, began)
            .await
            .unwrap_or_else(|_| Err(timed_out()))
    }

    /// The entries after `after` in these partitions, at most [`MAX_EVENTS_PER_PARTITION`] of each, in order within each. A
    /// stream, so that only one entry and the socket's buffer are in memory.
    pub fn read(
        &mut self,
        after: &Offsets,
        partitions: PartitionSet,
    ) -> BoxStream<'_, sqlx::Result<Entry>> {
        let (ids, after): (Vec<i16>, Vec<i64>) = Partition::all()
            .zip(after)
            .filter(|(partition, _)| partitions.has(*partition))
            .map(|(partition, after)| (i16::from(partition), *after))
            .unzip();
        sqlx::query_as!(
            Row,
            r#"/* relay.events.read */
            SELECT e.partition AS "partition!", e.seq AS "seq!", e.type AS "name!", e.trace, e.body AS "body!"
            FROM unnest($1::smallint[], $2::bigint[]) AS n (partition, seq)
            CROSS JOIN LATERAL (
                SELECT * FROM write.events
                WHERE events.partition = n.partition AND events.seq > n.seq
                ORDER BY events.seq
                LIMIT $3
            ) AS e
            ORDER BY e.partition, e.seq"#,
            &ids,
            &after,
            MAX_EVENTS_PER_PARTITION,
        )
        .fetch(&mut self.0)
        .map(|row| row?.try_into())
        .boxed()
    }

    /// The entries in these places. Those that the log does not have are left out.
    pub fn read_each(
        &mut self,
        places: impl Iterator<Item = (Partition, i64)>,
    ) -> BoxStream<'_, sqlx::Result<Entry>> {
        let (ids, seqs): (Vec<i16>, Vec<i64>) = places
            .map(|(partition, seq)| (i16::from(partition), seq))
            .unzip();
        sqlx::query_as!(
            Row,
            r#"/* relay.events.read_each */
            SELECT partition, seq, type AS name, trace, body
            FROM write.events
            WHERE (partition, seq) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]))"#,
            &ids,
            &seqs,
        )
        .fetch(&mut self.0)
        .map(|row| row?.try_into())
        .boxed()
    }

    /// Lets another instance lead at once.
    pub async fn release(self) {
        timeout(STATEMENT_TIMEOUT, self.0.close()).await.ok();
    }
}

/// A row of the log.
struct Row {
    partition: i16,
    seq: i64,
    name: String,
    trace: Option<String>,
    body: Vec<u8>,
}

impl TryFrom<Row> for Entry {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let invalid = |error| sqlx::Error::Decode(Box::new(error));
        Ok(Self {
            partition: Partition::try_from(row.partition).map_err(invalid)?,
            seq: row.seq,
            name: row.name,
            trace: row.trace,
            body: row.body,
        })
    }
}

fn timed_out() -> sqlx::Error {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
