//! The rows that most commands read: accounts, posts with the audiences of their threads, links, members of conversations, and
//! blocks.

use chrono::{DateTime, Utc};
use feedmill_events::event::v1::Parent;
use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{
    account::{self, Account},
    audience,
    conversation::Member,
    link::{
        kind::{LinkKey, LinkKind},
        sql::LinkColumns,
    },
    post::{Post, TextHash},
    state::State,
};

/// The table of a row, as the statement's first column numbers it.
#[derive(Debug, Clone, Copy, sqlx::Type)]
#[repr(i16)]
enum Source {
    Account = 1,
    Post = 2,
    Link = 3,
    Member = 4,
    Block = 5,
}

/// Loads the rows that were requested, with the blocks between the actor and the authors of each post that the actor acts on, and
/// between the two members of each conversation of two. A row has the columns of its source; the others are NULL.
pub async fn load(connection: &mut PgConnection, state: &mut State) -> sqlx::Result<()> {
    let State {
        accounts,
        posts,
        audiences,
        links,
        blocks,
        conversations,
        ..
    } = state;
    let (account_ids, handles) = accounts.take_requested();
    let (actors, targets) = audiences.acts_on_unknown(posts);
    let post_ids = posts.take_requested();
    let link_keys: LinkColumns = links.take_requested().into_iter().collect();
    let members = conversations.take_requested_members();
    let (conversation_ids, members): (Vec<Uuid>, Vec<Uuid>) = members.into_iter().unzip();
    let (blockers, blocked) = blocks.take_requested();
    let query = sqlx::query!(
        r#"/* state.load */
        SELECT 1::int2 AS "source!: Source", id AS "id!", NULL::uuid AS account_id, NULL::int2 AS kind,
            created_at AS since, handle, display_name, bio, who_may_message,
            default_audience AS audience, NULL::uuid[] AS tag_ids, NULL::uuid AS root, NULL::uuid AS root_author,
            NULL::uuid AS reply_to, NULL::uuid AS reply_to_author, NULL::bytea AS text_hash,
            NULL::uuid AS read_up_to, NULL::bool AS muted, NULL::uuid AS member_since, NULL::uuid AS left_at,
            NULL::uuid AS pair_low, NULL::uuid AS pair_high
        FROM write.accounts WHERE id = ANY($1)
        UNION ALL
        SELECT 1, id, NULL, NULL, created_at, handle, display_name, bio, who_may_message,
            default_audience, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM write.accounts WHERE handle = ANY($2)
        UNION ALL
        SELECT 2, p.id, p.author_id, NULL, NULL, NULL, NULL, NULL, NULL,
            a.audience, a.tag_ids, p.root, p.root_author, p.reply_to, p.reply_to_author, p.text_hash,
            NULL, NULL, NULL, NULL, NULL, NULL
        FROM write.posts p LEFT JOIN write.audiences a ON a.root_id = p.root
        WHERE p.id = ANY($3)
        UNION ALL
        SELECT 3, l.target_id, l.account_id, l.kind, l.since, NULL, NULL, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM unnest($4::uuid[], $5::int2[], $6::uuid[]) AS n(target_id, kind, account_id)
        JOIN write.links l
            ON l.target_id = n.target_id AND l.kind = n.kind AND l.account_id = n.account_id
        UNION ALL
        SELECT 4, m.conversation_id, m.user_id, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            m.read_up_to, m.muted, m.since, m.left_at, c.pair_low, c.pair_high
        FROM unnest($7::uuid[], $8::uuid[]) AS n(conversation_id, user_id)
        JOIN write.members m ON m.conversation_id = n.conversation_id AND m.user_id = n.user_id
        JOIN write.conversations c ON c.id = n.conversation_id
        UNION ALL
        SELECT 5, b.blocker_id, b.blocked_id, NULL, b.blocked_at, NULL, NULL, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM (
            SELECT * FROM unnest($9::uuid[], $10::uuid[])
            UNION ALL
            SELECT ends.blocker_id, ends.blocked_id
            FROM unnest($11::uuid[], $12::uuid[]) AS n(actor, post_id)
            JOIN write.posts p ON p.id = n.post_id AND p.author_id <> n.actor
            CROSS JOIN LATERAL (VALUES
                (n.actor, p.author_id, true),
                (p.author_id, n.actor, true),
                (n.actor, p.root_author, p.root_author NOT IN (p.author_id, n.actor)),
                (p.root_author, n.actor, p.root_author NOT IN (p.author_id, n.actor))
            ) AS ends(blocker_id, blocked_id, is_needed)
            WHERE ends.is_needed
            UNION ALL
            SELECT ends.*
            FROM unnest($7::uuid[]) AS n(conversation_id)
            JOIN write.conversations c ON c.id = n.conversation_id
            CROSS JOIN LATERAL (VALUES (c.pair_low, c.pair_high), (c.pair_high, c.pair_low)) AS ends
        ) AS n(blocker_id, blocked_id)
        JOIN write.blocks b ON b.blocker_id = n.blocker_id AND b.blocked_id = n.blocked_id"#,
        &account_ids,
        &handles,
        &post_ids,
        &link_keys.targets,
        &link_keys.kinds,
        &link_keys.accounts,
        &conversation_ids,
        &members,
        &blockers,
        &blocked,
        &actors,
        &targets,
    );
    for row in named("state.load", query.fetch_all(connection)).await? {
        match row.source {
            Source::Account => {
                let (audience, who) = (present(row.audience)?, present(row.who_may_message)?);
                let account = Account {
                    handle: present(row.handle)?,
                    display_name: present(row.display_name)?,
                    bio: present(row.bio)?,
                    created_at: millis(row.since)?,
                    settings: account::sql::settings(audience, who)?,
                };
                accounts.load(row.id, account);
            }
            Source::Post => {
                let parent = row.reply_to.zip(row.reply_to_author);
                let text = row.text_hash.as_deref().map(TextHash::try_from).transpose();
                let post = Post {
                    author: present(row.account_id)?,
                    reply_to: parent.map(|(post, author)| Parent { post, author }),
                    root: present(row.root)?,
                    root_author: present(row.root_author)?,
                    text: text.map_err(|error| sqlx::Error::Decode(error.into()))?,
                };
                if let Some(number) = row.audience {
                    let audience = audience::sql::audience(number, row.tag_ids)?;
                    audiences.load(post.root, audience);
                }
                posts.load(row.id, post);
            }
            Source::Link => {
                let kind = LinkKind::try_from(present(row.kind)?);
                let key = LinkKey {
                    target: row.id,
                    kind: kind.map_err(|error| sqlx::Error::Decode(error.into()))?,
                    account: present(row.account_id)?,
                };
                links.load(key, millis(row.since)?);
            }
            Source::Member => {
                let member = Member {
                    read_up_to: row.read_up_to,
                    muted: present(row.muted)?,
                    since: row.member_since,
                    left_at: row.left_at,
                };
                let pair = row.pair_low.zip(row.pair_high);
                conversations.load_member(row.id, present(row.account_id)?, member, pair);
            }
            Source::Block => {
                blocks.load(row.id, present(row.account_id)?, millis(row.since)?);
            }
        }
    }
    Ok(())
}

/// A column that a row of this source has.
fn present<T>(column: Option<T>) -> sqlx::Result<T> {
    column.ok_or_else(|| {
        sqlx::Error::Decode("state.load: a column of the row's source is NULL".into())
    })
}

fn millis(column: Option<DateTime<Utc>>) -> sqlx::Result<i64> {
    present(column).map(|at| at.timestamp_millis())
}
