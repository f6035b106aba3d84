//! The event log and the state tables beside it, as they are in the database.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use feedmill_events::{Envelope, Event, Partition, Positions};
use sqlx::PgPool;
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    link::LinkKind,
    oracle::{Oracle, StoredConnection},
};

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

/// Conversation, account, read mark, whether muted, and since when.
type MemberRow = (Uuid, Uuid, Option<Uuid>, bool, Option<Uuid>);

/// Fails unless the state tables, on which commands are decided, are equal to the oracle's state.
pub async fn check_state(pool: &PgPool, oracle: &Oracle) -> Result<()> {
    let accounts: Vec<(Uuid, String, String, String)> =
        sqlx::query_as("SELECT id, handle, display_name, bio FROM write.accounts ORDER BY id")
            .fetch_all(pool)
            .await?;
    let known = oracle.accounts.iter();
    let known = known.map(|(id, a)| (*id, a.handle.clone(), a.display_name.clone(), a.bio.clone()));
    check_equal("accounts", &accounts, &known.collect())?;

    let (ids, texts): (Vec<Uuid>, Vec<&str>) = oracle
        .posts
        .iter()
        .map(|(id, post)| (*id, post.text.as_str()))
        .unzip();
    let posts: Vec<(Uuid, Uuid, Option<Uuid>, bool)> = sqlx::query_as(
        "SELECT p.id, author_id, reply_to,
            text_hash IS NOT DISTINCT FROM substring(sha256(convert_to(text, 'UTF8')) FOR 16)
         FROM write.posts p LEFT JOIN unnest($1::uuid[], $2::text[]) AS known (id, text) ON known.id = p.id
         ORDER BY p.id",
    )
    .bind(ids)
    .bind(texts)
    .fetch_all(pool)
    .await?;
    let known = oracle.posts.iter();
    let known = known.map(|(id, post)| (*id, post.author, post.reply_to, true));
    check_equal("posts", &posts, &known.collect())?;

    for kind in LinkKind::ALL {
        let mut known: Vec<_> = oracle.links(kind).collect();
        known.sort_unstable();
        check_equal(kind.name(), &links(pool, kind, None).await?, &known)?;
    }

    let known = oracle.connections.rows();
    let state = connections(pool, None).await?;
    ensure!(
        state == known,
        "connections: the state has\n{state:?}\nand the log says\n{known:?}"
    );

    let tags: Vec<(Uuid, Uuid, String)> =
        sqlx::query_as("SELECT id, owner_id, name FROM write.tags ORDER BY id")
            .fetch_all(pool)
            .await?;
    let known = oracle.tags.iter();
    let known = known.map(|(id, tag)| (id, tag.owner, tag.name.clone()));
    check_equal("tags", &tags, &known.collect())?;
    let known = oracle.tags.iter().flat_map(|(id, tag)| {
        let members = tag.members.iter();
        members.map(move |(member, at)| (id, *member, *at))
    });
    let members = tag_members(pool, None).await?;
    check_equal("tag_members", &members, &known.collect())?;

    let conversations: Vec<(Uuid, Option<String>)> =
        sqlx::query_as("SELECT id, title FROM write.conversations ORDER BY id")
            .fetch_all(pool)
            .await?;
    let known = oracle.conversations.iter();
    let known = known.map(|(id, found)| (*id, found.title.clone()));
    check_equal("conversations", &conversations, &known.collect())?;

    let members: Vec<MemberRow> = sqlx::query_as(
        "SELECT conversation_id, user_id, read_up_to, muted, since FROM write.members
         WHERE left_at IS NULL ORDER BY conversation_id, user_id",
    )
    .fetch_all(pool)
    .await?;
    let known = oracle.conversations.iter();
    let known = known.flat_map(|(id, found)| {
        let members = found.members.iter();
        members.map(|(user, m)| (*id, *user, m.read_up_to, m.muted, m.since))
    });
    check_equal("members", &members, &known.collect())?;

    let left: Vec<(Uuid, Uuid, Uuid)> = sqlx::query_as(
        "SELECT conversation_id, user_id, left_at FROM write.members
         WHERE left_at IS NOT NULL ORDER BY conversation_id, user_id",
    )
    .fetch_all(pool)
    .await?;
    let known = oracle.conversations.iter();
    let known = known.flat_map(|(id, found)| {
        let left = found.participants().into_iter();
        let left = left.filter(|account| found.has_left(*account));
        left.filter_map(|account| {
            let mut latest = found.former.iter().rev();
            let last = latest.find(|former| former.account == account)?;
            Some((*id, account, last.until))
        })
    });
    check_equal("former members", &left, &known.collect())?;

    let messages: Vec<(Uuid, Uuid, Uuid)> = sqlx::query_as(
        "SELECT conversation_id, id, sender_id FROM write.messages ORDER BY conversation_id, id",
    )
    .fetch_all(pool)
    .await?;
    let known = oracle.conversations.iter();
    let known = known.flat_map(|(id, found)| {
        let messages = found.messages.iter();
        messages.map(|(message, said)| (*id, *message, said.sender))
    });
    check_equal("messages", &messages, &known.collect())?;

    let marks: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT user_id, up_to FROM write.feed_marks ORDER BY user_id")
            .fetch_all(pool)
            .await?;
    let known = oracle.feed_marks.iter();
    let known = known.map(|(user, mark)| (*user, *mark));
    check_equal("feed_marks", &marks, &known.collect())?;

    let marks: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT user_id, up_to FROM write.notification_marks ORDER BY user_id")
            .fetch_all(pool)
            .await?;
    let known = oracle.notification_marks.iter();
    let known = known.map(|(user, mark)| (*user, *mark));
    check_equal("notification_marks", &marks, &known.collect())
}

fn check_equal<T: PartialEq + std::fmt::Debug>(
    table: &str,
    state: &Vec<T>,
    log: &Vec<T>,
) -> Result<()> {
    ensure!(
        state == log,
        "{table}: the state has\n{state:?}\nand the log says\n{log:?}"
    );
    Ok(())
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

/// Account, target and time of every link of this kind in the state tables, in order; of these accounts, or of all.
pub async fn links(
    pool: &PgPool,
    kind: LinkKind,
    accounts: Option<&[Uuid]>,
) -> Result<Vec<(Uuid, Uuid, i64)>> {
    let links = sqlx::query_as(
        "SELECT account_id, target_id, (extract(epoch FROM since) * 1000)::bigint FROM write.links
         WHERE kind = $1 AND ($2::uuid[] IS NULL OR account_id = ANY($2)) ORDER BY 1, 2",
    );
    let links = links.bind(kind.number()).bind(accounts);
    Ok(links.fetch_all(pool).await?)
}

/// The connections and the pending requests in the state tables; of these accounts, or of all.
pub async fn connections(
    pool: &PgPool,
    accounts: Option<&[Uuid]>,
) -> Result<BTreeSet<StoredConnection>> {
    let rows = sqlx::query_as(
        "SELECT low_id AS low, high_id AS high, requester_id AS requester,
             (extract(epoch FROM connected_at) * 1000)::bigint AS connected_at,
             CASE WHEN connected_at IS NULL THEN (extract(epoch FROM requested_at) * 1000)::bigint END AS requested_at
         FROM write.connections WHERE $1::uuid[] IS NULL OR requester_id = ANY($1)",
    )
    .bind(accounts)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Tag, member and time of every membership in the state tables, in order; in the tags of these accounts, or in all.
pub async fn tag_members(pool: &PgPool, owners: Option<&[Uuid]>) -> Result<Vec<(Uuid, Uuid, i64)>> {
    let members = sqlx::query_as(
        "SELECT tag_id, member_id, (extract(epoch FROM added_at) * 1000)::bigint FROM write.tag_members
         WHERE $1::uuid[] IS NULL OR owner_id = ANY($1) ORDER BY 1, 2",
    );
    Ok(members.bind(owners).fetch_all(pool).await?)
}

/// Of an account in a conversation: the id after which it sees messages, and the end of its last membership if it has left. No
/// answer to a command has them.
pub async fn membership(
    pool: &PgPool,
    conversation: Uuid,
    account: Uuid,
) -> Result<(Option<Uuid>, Option<Uuid>)> {
    let membership = sqlx::query_as(
        "SELECT since, left_at FROM write.members WHERE conversation_id = $1 AND user_id = $2",
    );
    let membership = membership.bind(conversation).bind(account);
    Ok(membership.fetch_one(pool).await?)
}
