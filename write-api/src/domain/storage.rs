//! Loads the rows that a batch of commands requested, and saves its changes.
//!
//! The rows that most commands read are loaded by one statement, because each statement is a round trip that the whole batch waits
//! for. Rarer tables have a statement of their own, which is skipped when nothing of them was requested.

use chrono::{DateTime, Utc};
use feedmill_events::event::v1::Parent;
use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    account::{self, Account, Accounts},
    connection,
    conversation::{self, Conversations, Member},
    link::{
        self, Links,
        kind::{LinkKey, LinkKind},
        sql::LinkColumns,
    },
    mark,
    post::{self, Post, Posts, TextHash},
    state::State,
    tag,
};

/// Loads the rows that were requested since the last call. Call it before the first decision.
pub async fn load(connection: &mut PgConnection, state: &mut State) -> sqlx::Result<()> {
    // Names every field, so that a new noun does not compile until it is loaded.
    let State {
        accounts,
        posts,
        links,
        connections,
        tags,
        conversations,
        marks,
    } = state;
    load_common(&mut *connection, accounts, posts, links, conversations).await?;
    account::sql::load_freed(&mut *connection, accounts).await?;
    connection::sql::load(&mut *connection, connections).await?;
    tag::sql::load(&mut *connection, tags).await?;
    conversation::sql::load(&mut *connection, conversations).await?;
    mark::sql::load(connection, marks).await
}

/// Saves the net changes of the batch: a statement for each table and kind of change, none for what did not change.
pub async fn save(connection: &mut PgConnection, state: State) -> sqlx::Result<()> {
    let State {
        accounts,
        posts,
        links,
        connections,
        tags,
        conversations,
        marks,
    } = state;
    account::sql::save(&mut *connection, accounts).await?;
    post::sql::save(&mut *connection, posts).await?;
    link::sql::save(&mut *connection, links).await?;
    connection::sql::save(&mut *connection, connections).await?;
    tag::sql::save(&mut *connection, tags).await?;
    conversation::sql::save(&mut *connection, conversations).await?;
    mark::sql::save(connection, marks).await
}

/// The table of a row, as the statement's first column numbers it.
#[derive(Debug, Clone, Copy, sqlx::Type)]
#[repr(i16)]
enum Source {
    Account = 1,
    Post = 2,
    Link = 3,
    Member = 4,
}

/// Accounts, posts, links and members of conversations. A row has the columns of its source; the others are NULL.
async fn load_common(
    connection: &mut PgConnection,
    accounts: &mut Accounts,
    posts: &mut Posts,
    links: &mut Links,
    conversations: &mut Conversations,
) -> sqlx::Result<()> {
    let (account_ids, handles) = accounts.take_requested();
    let post_ids = posts.take_requested();
    let link_keys: LinkColumns = links.take_requested().into_iter().collect();
    let members = conversations.take_requested_members();
    let (conversation_ids, members): (Vec<Uuid>, Vec<Uuid>) = members.into_iter().unzip();
    let query = sqlx::query!(
        r#"/* state.load */
        SELECT 1::int2 AS "source!: Source", id AS "id!", NULL::uuid AS account_id, NULL::int2 AS kind,
            created_at AS since, handle, display_name, bio,
            NULL::uuid AS reply_to, NULL::uuid AS reply_to_author, NULL::bytea AS text_hash, NULL::uuid AS read_up_to,
            NULL::bool AS muted, NULL::uuid AS member_since, NULL::uuid AS left_at
        FROM write.accounts WHERE id = ANY($1)
        UNION ALL
        SELECT 1, id, NULL, NULL, created_at, handle, display_name, bio, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM write.accounts WHERE handle = ANY($2)
        UNION ALL
        SELECT 2, id, author_id, NULL, NULL, NULL, NULL, NULL, reply_to, reply_to_author, text_hash, NULL, NULL,
            NULL, NULL
        FROM write.posts WHERE id = ANY($3)
        UNION ALL
        SELECT 3, l.target_id, l.account_id, l.kind, l.since, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL
        FROM unnest($4::uuid[], $5::int2[], $6::uuid[]) AS n(target_id, kind, account_id)
        JOIN write.links l
            ON l.target_id = n.target_id AND l.kind = n.kind AND l.account_id = n.account_id
        UNION ALL
        SELECT 4, m.conversation_id, m.user_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, m.read_up_to,
            m.muted, m.since, m.left_at
        FROM unnest($7::uuid[], $8::uuid[]) AS n(conversation_id, user_id)
        JOIN write.members m ON m.conversation_id = n.conversation_id AND m.user_id = n.user_id"#,
        &account_ids,
        &handles,
        &post_ids,
        &link_keys.targets,
        &link_keys.kinds,
        &link_keys.accounts,
        &conversation_ids,
        &members,
    );
    for row in named("state.load", query.fetch_all(connection)).await? {
        match row.source {
            Source::Account => {
                let account = Account {
                    handle: present(row.handle)?,
                    display_name: present(row.display_name)?,
                    bio: present(row.bio)?,
                    created_at: millis(row.since)?,
                };
                accounts.load(row.id, account);
            }
            Source::Post => {
                let parent = row.reply_to.zip(row.reply_to_author);
                let text = row.text_hash.as_deref().map(TextHash::try_from).transpose();
                let post = Post {
                    author: present(row.account_id)?,
                    reply_to: parent.map(|(post, author)| Parent { post, author }),
                    text: text.map_err(|error| sqlx::Error::Decode(error.into()))?,
                };
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
                conversations.load_member(row.id, present(row.account_id)?, member);
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
