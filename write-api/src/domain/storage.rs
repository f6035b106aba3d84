//! Loads the rows that a batch of commands requested, and saves its changes.
//!
//! The rows that most commands read are loaded by one statement, because each statement is a round trip that the whole batch waits
//! for. Rarer tables have a statement of their own, which is skipped when nothing of them was requested.

mod common;

use sqlx::PgConnection;

use super::{
    account, audience, block, connection, conversation, link, mark, post, state::State, tag,
};

/// Loads the rows that were requested since the last call. Call it before the first decision.
pub async fn load(connection: &mut PgConnection, state: &mut State) -> sqlx::Result<()> {
    common::load(&mut *connection, state).await?;
    // Names every field, so that a new noun does not compile until it is loaded.
    let State {
        accounts,
        posts,
        audiences,
        links: _,
        connections,
        blocks: _,
        tags,
        conversations,
        marks,
    } = state;
    audiences.request_relations(posts, connections, tags);
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
        audiences,
        links,
        connections,
        blocks,
        tags,
        conversations,
        marks,
    } = state;
    account::sql::save(&mut *connection, accounts).await?;
    post::sql::save(&mut *connection, posts).await?;
    audience::sql::save(&mut *connection, audiences).await?;
    link::sql::save(&mut *connection, links).await?;
    connection::sql::save(&mut *connection, connections).await?;
    block::sql::save(&mut *connection, blocks).await?;
    tag::sql::save(&mut *connection, tags).await?;
    conversation::sql::save(&mut *connection, conversations).await?;
    mark::sql::save(connection, marks).await
}
