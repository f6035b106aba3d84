//! What is between an author and a viewer: follows, connections, mutes and blocks. They decide whose posts come to a viewer's feed,
//! and which posts the viewer sees. All of them are in the author's partition, like the author's posts.

use std::collections::BTreeMap;

use feedmill_events::{Event, Tag};
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::error::{ApplyError, expect_rows};

/// By author and viewer.
#[derive(Debug, Default)]
pub struct SourceChanges(BTreeMap<(Uuid, Uuid), SourceChange>);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct SourceChange {
    /// Of the number of follows and connections that deliver the author's posts to the viewer.
    links: i16,
    /// Whether the viewer mutes the author afterwards; None if that does not change. So are the others.
    muted: Option<bool>,
    connected: Option<bool>,
    /// Whether the author blocks the viewer.
    blocks: Option<bool>,
    /// Whether the viewer blocks the author.
    blocked: Option<bool>,
}

/// By author and viewer: who begins and who ceases to get whose posts with a batch.
#[derive(Debug, Default)]
pub struct Deliveries {
    pub started: Vec<(Uuid, Uuid)>,
    pub ended: Vec<(Uuid, Uuid)>,
}

/// The columns of the changes.
#[derive(Default)]
struct Columns {
    authors: Vec<Uuid>,
    viewers: Vec<Uuid>,
    links: Vec<i16>,
    muted: Vec<Option<bool>>,
    connected: Vec<Option<bool>>,
    blocks: Vec<Option<bool>>,
    blocked: Vec<Option<bool>>,
}

/// A follow or a connection that begins (1) or ends (-1), with the author whose posts it delivers, and the viewer.
pub fn link(event: &Event) -> Option<(Uuid, Uuid, i16)> {
    match event {
        Event::AccountFollowed(e) => Some((e.followee, e.follower, 1)),
        Event::AccountUnfollowed(e) => Some((e.followee, e.follower, -1)),
        Event::ConnectionMade(e) => Some((e.account, e.other, 1)),
        Event::ConnectionEnded(e) => Some((e.account, e.other, -1)),
        _ => None,
    }
}

impl SourceChanges {
    /// Folds an event. Called in the log's order.
    pub fn fold(&mut self, event: &Event) {
        if let Some((author, viewer, change)) = link(event) {
            self.pair(author, viewer).links += change;
        }
        match event {
            Event::AccountMuted(e) => self.pair(e.muted, e.muter).muted = Some(true),
            Event::AccountUnmuted(e) => self.pair(e.muted, e.muter).muted = Some(false),
            Event::ConnectionMade(e) => self.pair(e.account, e.other).connected = Some(true),
            Event::ConnectionEnded(e) => self.pair(e.account, e.other).connected = Some(false),
            Event::AccountBlocked(e) => self.set_block(e.account, e.other, e.blocker, true),
            Event::AccountUnblocked(e) => self.set_block(e.account, e.other, e.blocker, false),
            _ => {}
        }
    }

    fn pair(&mut self, author: Uuid, viewer: Uuid) -> &mut SourceChange {
        self.0.entry((author, viewer)).or_default()
    }

    fn set_block(&mut self, author: Uuid, viewer: Uuid, blocker: Uuid, stands: bool) {
        let pair = self.pair(author, viewer);
        let block = if blocker == author {
            &mut pair.blocks
        } else {
            &mut pair.blocked
        };
        *block = Some(stands);
    }

    /// The viewers who may see more or less of an author than before.
    pub fn tags(&self) -> impl Iterator<Item = Tag> {
        let changed = self
            .0
            .iter()
            .filter(|(_, change)| [change.connected, change.blocks, change.blocked] != [None; 3]);
        changed.map(|((_, viewer), _)| Tag::access(*viewer))
    }

    fn columns(&self) -> Columns {
        let mut columns = Columns::default();
        for ((author, viewer), change) in &self.0 {
            if *change != SourceChange::default() {
                columns.authors.push(*author);
                columns.viewers.push(*viewer);
                columns.links.push(change.links);
                columns.muted.push(change.muted);
                columns.connected.push(change.connected);
                columns.blocks.push(change.blocks);
                columns.blocked.push(change.blocked);
            }
        }
        columns
    }

    /// Reads the present sources, so it comes before [`SourceChanges::apply`].
    pub async fn deliveries(&self, db: &mut PgConnection) -> Result<Deliveries, ApplyError> {
        let changes = self.columns();
        let mut deliveries = Deliveries::default();
        if changes.authors.is_empty() {
            return Ok(deliveries);
        }
        let statement = query!(
            r#"/* feed.changed_sources */
            SELECT c.author AS "author!", c.viewer AS "viewer!",
                coalesce(f.links > 0 AND NOT f.muted, false) AS "before!",
                coalesce(f.links, 0) + c.links > 0 AND NOT coalesce(c.muted, f.muted, false) AS "after!"
            FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::boolean[]) AS c(author, viewer, links, muted)
            LEFT JOIN feed_follows f ON f.author = c.author AND f.viewer = c.viewer"#,
            &changes.authors,
            &changes.viewers,
            &changes.links,
            &changes.muted as &[Option<bool>],
        );
        for row in named("feed.changed_sources", statement.fetch_all(db)).await? {
            let pair = (row.author, row.viewer);
            match (row.before, row.after) {
                (false, true) => deliveries.started.push(pair),
                (true, false) => deliveries.ended.push(pair),
                _ => {}
            }
        }
        Ok(deliveries)
    }

    pub async fn apply(&self, db: &mut PgConnection) -> Result<(), ApplyError> {
        let changes = self.columns();
        if changes.authors.is_empty() {
            return Ok(());
        }
        let statement = query!(
            "/* feed.change_sources */
            INSERT INTO feed_follows AS f (author, viewer, links, muted, connected, blocks, blocked)
            SELECT c.author, c.viewer, coalesce(f.links, 0) + c.links, coalesce(c.muted, f.muted, false),
                coalesce(c.connected, f.connected, false), coalesce(c.blocks, f.blocks, false),
                coalesce(c.blocked, f.blocked, false)
            FROM unnest(
                $1::uuid[], $2::uuid[], $3::smallint[], $4::boolean[], $5::boolean[], $6::boolean[], $7::boolean[]
            ) AS c(author, viewer, links, muted, connected, blocks, blocked)
            LEFT JOIN feed_follows f ON f.author = c.author AND f.viewer = c.viewer
            ON CONFLICT (author, viewer) DO UPDATE SET
                links = excluded.links, muted = excluded.muted, connected = excluded.connected,
                blocks = excluded.blocks, blocked = excluded.blocked",
            &changes.authors,
            &changes.viewers,
            &changes.links,
            &changes.muted as &[Option<bool>],
            &changes.connected as &[Option<bool>],
            &changes.blocks as &[Option<bool>],
            &changes.blocked as &[Option<bool>],
        );
        let done = named("feed.change_sources", statement.execute(&mut *db)).await?;
        expect_rows(
            "feed.change_sources",
            changes.authors.len(),
            done.rows_affected(),
        )?;
        let begins_only = |change: &SourceChange| {
            change.links >= 0
                && [change.muted, change.blocks, change.blocked]
                    .iter()
                    .all(|flag| *flag != Some(false))
        };
        if self.0.values().all(begins_only) {
            return Ok(());
        }
        let statement = query!(
            "/* feed.delete_sources */
            DELETE FROM feed_follows f
            USING unnest($1::uuid[], $2::uuid[]) AS c(author, viewer)
            WHERE f.author = c.author AND f.viewer = c.viewer
                AND f.links = 0 AND NOT f.muted AND NOT f.blocks AND NOT f.blocked",
            &changes.authors,
            &changes.viewers,
        );
        named("feed.delete_sources", statement.execute(db)).await?;
        Ok(())
    }
}
