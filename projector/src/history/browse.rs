//! Pages of the log, latest events first.

use std::{collections::VecDeque, fmt, str::FromStr};

use chrono::{DateTime, Utc};
use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};

use super::{record::Record, subject::Subject};
use crate::log::{self, Offsets};

/// How many events one page looks at, at most. A page that finds fewer than it may have says where the next one continues.
const MAX_EXAMINED: i64 = 128_000;

/// Which events are listed. None matches every event.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub partition: Option<Partition>,
    /// The name of a type.
    pub kind: Option<String>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub subject: Option<Subject>,
}

/// Before which events a page begins: a sequence number in each partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Offsets);

#[derive(Debug)]
pub struct Page {
    /// Latest first; those of one partition in descending order.
    pub records: Vec<Record>,
    /// How many events were looked at for it.
    pub examined: i64,
    /// Where the next page continues. None at the beginning of the log.
    pub next: Option<Cursor>,
}

/// A page of at most `limit` events. Reads at most `MAX_EXAMINED` events, by the primary key.
pub async fn browse(
    query: &Query,
    cursor: Option<&Cursor>,
    limit: usize,
    db: &mut PgConnection,
) -> anyhow::Result<Page> {
    let upto = match cursor {
        Some(Cursor(upto)) => upto.clone(),
        None => log::heads(&mut *db).await?,
    };
    let chosen = query
        .partition
        .or(query.subject.as_ref().and_then(|it| it.partition));
    let partitions: Vec<Partition> =
        chosen.map_or_else(|| Partition::all().collect(), |one| vec![one]);
    let window = MAX_EXAMINED / partitions.len() as i64;
    let mut after = Offsets::default();
    for partition in &partitions {
        after[*partition] = (upto[*partition] - window).max(0);
    }
    let found = places(query, &partitions, &after, &upto, limit, db).await?;
    let mut next = upto.clone();
    let merged = merge(found, limit);
    if merged.len() < limit {
        next = after.clone();
    } else {
        for (partition, seq) in &merged {
            next[*partition] = seq - 1;
        }
    }
    let has_more = partitions.iter().any(|partition| next[*partition] > 0);
    let examined = partitions.iter().map(|it| upto[*it] - after[*it]).sum();
    Ok(Page {
        records: records(&merged, db).await?,
        examined,
        next: has_more.then_some(Cursor(next)),
    })
}

type Place = (Partition, i64);

/// The places of at most `limit` matching events of each partition, in descending order, with their times.
async fn places(
    query: &Query,
    partitions: &[Partition],
    after: &Offsets,
    upto: &Offsets,
    limit: usize,
    db: &mut PgConnection,
) -> sqlx::Result<Vec<(Place, DateTime<Utc>)>> {
    let column = |of: &Offsets| partitions.iter().map(|it| of[*it]).collect::<Vec<i64>>();
    let ids = query.subject.as_ref().map(Subject::bytes);
    let statement = query!(
        r#"/* history.browse */
        SELECT e.partition AS "partition!", e.seq AS "seq!", e.at AS "at!"
        FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS r(partition, after, upto)
        CROSS JOIN LATERAL (
            SELECT w.partition, w.seq, w.at FROM write.events w
            WHERE w.partition = r.partition AND w.seq > r.after AND w.seq <= r.upto
                AND ($4::text IS NULL OR w.type = $4)
                AND ($5::timestamptz IS NULL OR w.at >= $5) AND ($6::timestamptz IS NULL OR w.at < $6)
                AND ($7::bytea[] IS NULL OR EXISTS (SELECT FROM unnest($7) AS id WHERE position(id IN w.body) > 0))
            ORDER BY w.seq DESC LIMIT $8
        ) e
        ORDER BY e.partition, e.seq DESC"#,
        &partitions
            .iter()
            .map(|it| i16::from(*it))
            .collect::<Vec<_>>(),
        &column(after),
        &column(upto),
        query.kind,
        query.since,
        query.until,
        ids.as_deref(),
        limit as i64,
    );
    let rows = named("history.browse", statement.fetch_all(db)).await?;
    let place = rows.into_iter().filter_map(|row| {
        let partition = Partition::try_from(row.partition).ok()?;
        Some(((partition, row.seq), row.at))
    });
    Ok(place.collect())
}

/// Merges the partitions, latest events first, without changing the order within a partition: an import appends events of past years.
fn merge(found: Vec<(Place, DateTime<Utc>)>, limit: usize) -> Vec<Place> {
    let mut queues: Vec<VecDeque<(Place, DateTime<Utc>)>> = vec![];
    for event in found {
        match queues.last_mut() {
            Some(queue) if queue[0].0.0 == event.0.0 => queue.push_back(event),
            _ => queues.push([event].into()),
        }
    }
    let mut merged = vec![];
    while merged.len() < limit {
        let latest = queues
            .iter_mut()
            .max_by_key(|queue| queue.front().map(|(_, at)| *at));
        let Some((place, _)) = latest.and_then(VecDeque::pop_front) else {
            break;
        };
        merged.push(place);
    }
    merged
}

/// The events at these places, in this order. Those that do not exist are left out.
pub async fn records(places: &[Place], db: &mut PgConnection) -> sqlx::Result<Vec<Record>> {
    let statement = query!(
        r#"/* history.at */
        SELECT e.partition, e.seq, e.type AS kind, e.trace, e.body
        FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS p(partition, seq, place)
        JOIN write.events e ON e.partition = p.partition AND e.seq = p.seq
        ORDER BY p.place"#,
        &places
            .iter()
            .map(|(it, _)| i16::from(*it))
            .collect::<Vec<_>>(),
        &places.iter().map(|(_, seq)| *seq).collect::<Vec<_>>(),
    );
    let rows = named("history.at", statement.fetch_all(db)).await?;
    let record = rows.into_iter().filter_map(|row| {
        Some(Record {
            partition: Partition::try_from(row.partition).ok()?,
            seq: row.seq,
            kind: row.kind,
            trace: row.trace,
            body: row.body.into(),
        })
    });
    Ok(record.collect())
}

/// For URLs.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, partition) in Partition::all().enumerate() {
            let separator = if n == 0 { "" } else { "." };
            write!(f, "{separator}{:x}", self.0[partition])?;
        }
        Ok(())
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const INVALID: &str = "is not where a page of this log ended";
        let mut offsets = Offsets::default();
        let mut numbers = text.split('.');
        for partition in Partition::all() {
            let number = numbers.next().ok_or(INVALID)?;
            let seq = i64::from_str_radix(number, 16).map_err(|_| INVALID)?;
            offsets[partition] = if seq >= 0 { seq } else { return Err(INVALID) };
        }
        if numbers.next().is_some() {
            Err(INVALID)
        } else {
            Ok(Self(offsets))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let mut offsets = Offsets::default();
        for (n, partition) in Partition::all().enumerate() {
            offsets[partition] = n as i64 * 1_000_003;
        }
        let cursor = Cursor(offsets);
        assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()));
        let text = cursor.to_string();
        for invalid in [
            "",
            "1",
            &format!("{text}.0"),
            &text.replacen('0', "-1", 1),
            &text.replacen('0', "x", 1),
        ] {
            assert!(invalid.parse::<Cursor>().is_err(), "{invalid}");
        }
    }

    #[test]
    fn partitions_are_merged_by_time_and_keep_their_own_order() {
        let partitions: Vec<Partition> = Partition::all().take(2).collect();
        let event = |partition: usize, seq, at| {
            let at = DateTime::from_timestamp_millis(at).unwrap();
            ((partitions[partition], seq), at)
        };
        // The latest event of the first partition has an earlier time than the one before it.
        let found = vec![
            event(0, 3, 10),
            event(0, 2, 99),
            event(1, 9, 50),
            event(1, 8, 5),
        ];
        let places = |limit| -> Vec<i64> {
            merge(found.clone(), limit)
                .into_iter()
                .map(|(_, seq)| seq)
                .collect()
        };
        assert_eq!(places(9), [9, 3, 2, 8]);
        assert_eq!(places(2), [9, 3]);
    }
}
