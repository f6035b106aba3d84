//! The state tables, on which commands are decided.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use feedmill_events::event::v1::Audience;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    link::LinkKind,
    oracle::{Oracle, StoredConnection, audience_code, audience_tags, who_may_message_code},
};

/// Id, handle, display name, bio, default audience, and who may message.
type AccountRow = (Uuid, String, String, String, i16, i16);

/// Id, author, parent, root, the root's author, and whether the text's hash is right.
type PostRow = (Uuid, Uuid, Option<Uuid>, Uuid, Uuid, bool);

/// Conversation, account, read mark, whether muted, and since when.
type MemberRow = (Uuid, Uuid, Option<Uuid>, bool, Option<Uuid>);

/// Fails unless the state tables, on which commands are decided, are equal to the oracle's state.
pub async fn check_state(pool: &PgPool, oracle: &Oracle) -> Result<()> {
    let accounts: Vec<AccountRow> = sqlx::query_as(
        "SELECT id, handle, display_name, bio, default_audience, who_may_message FROM write.accounts ORDER BY id",
    )
    .fetch_all(pool)
    .await?;
    let known = oracle.accounts.iter().map(|(id, a)| {
        let settings = a.settings();
        let (_, audience) = audience_code(&settings.default_audience);
        let (_, messages) = who_may_message_code(settings.who_may_message);
        let (handle, name, bio) = (a.handle.clone(), a.display_name.clone(), a.bio.clone());
        (*id, handle, name, bio, audience, messages)
    });
    check_equal("accounts", &accounts, &known.collect())?;

    let (ids, texts): (Vec<Uuid>, Vec<&str>) = oracle
        .posts
        .iter()
        .map(|(id, post)| (*id, post.text.as_str()))
        .unzip();
    let posts: Vec<PostRow> = sqlx::query_as(
        "SELECT p.id, author_id, reply_to, coalesce(root, p.id), coalesce(root_author, author_id),
            text_hash IS NOT DISTINCT FROM substring(sha256(convert_to(text, 'UTF8')) FOR 16)
         FROM write.posts p LEFT JOIN unnest($1::uuid[], $2::text[]) AS known (id, text) ON known.id = p.id
         ORDER BY p.id",
    )
    .bind(ids)
    .bind(texts)
    .fetch_all(pool)
    .await?;
    let known = oracle.posts.iter();
    let known = known.map(|(id, post)| {
        let (root, root_author) = (oracle.root(*id), oracle.thread_of(*id).author);
        (*id, post.author, post.reply_to, root, root_author, true)
    });
    check_equal("posts", &posts, &known.collect())?;

    let audiences: Vec<(Uuid, i16, Vec<Uuid>)> = sqlx::query_as(
        "SELECT root_id, audience, coalesce(tag_ids, '{}') FROM write.audiences
         WHERE audience <> 0 ORDER BY root_id",
    )
    .fetch_all(pool)
    .await?;
    let limited = oracle.threads.iter();
    let limited = limited.filter(|(_, thread)| thread.audience != Audience::Public);
    let known = limited.map(|(root, thread)| {
        let (_, audience) = audience_code(&thread.audience);
        let tags = audience_tags(&thread.audience).unwrap_or_default();
        (*root, audience, tags.to_vec())
    });
    check_equal("audiences", &audiences, &known.collect())?;

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

    let known = oracle.blocks.iter().collect();
    check_equal("blocks", &blocks(pool, None).await?, &known)?;

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

/// Blocker, blocked and time of every block in the state tables, in order; by these accounts, or of all.
pub async fn blocks(pool: &PgPool, blockers: Option<&[Uuid]>) -> Result<Vec<(Uuid, Uuid, i64)>> {
    let blocks = sqlx::query_as(
        "SELECT blocker_id, blocked_id, (extract(epoch FROM blocked_at) * 1000)::bigint FROM write.blocks
         WHERE $1::uuid[] IS NULL OR blocker_id = ANY($1) ORDER BY 1, 2",
    );
    Ok(blocks.bind(blockers).fetch_all(pool).await?)
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
