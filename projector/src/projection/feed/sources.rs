//! The authors whose posts come to a viewer's feed. A follow and a connection are two reasons for the same; the table counts
//! them. Both are in the author's partition, like the author's posts.

use std::collections::BTreeMap;

use feedmill_events::Event;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::error::{ApplyError, expect_rows};

/// By author and viewer: the change of the number of links that deliver the author's posts to the viewer.
#[derive(Debug, Default)]
pub struct SourceChanges(BTreeMap<(Uuid, Uuid), i16>);

/// By author and viewer: who begins and who ceases to get whose posts with a batch.
#[derive(Debug, Default)]
pub struct Deliveries {
    pub started: Vec<(Uuid, Uuid)>,
    pub ended: Vec<(Uuid, Uuid)>,
}

/// The author whose posts are delivered, the viewer, and whether that begins (1) or ends (-1).
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
    pub fn add(&mut self, author: Uuid, viewer: Uuid, change: i16) {
        *self.0.entry((author, viewer)).or_default() += change;
    }

    fn columns(&self) -> (Vec<Uuid>, Vec<Uuid>, Vec<i16>) {
        let (mut authors, mut viewers, mut changes) = (vec![], vec![], vec![]);
        for ((author, viewer), change) in &self.0 {
            if *change != 0 {
                authors.push(*author);
                viewers.push(*viewer);
                changes.push(*change);
            }
        }
        (authors, viewers, changes)
    }

    /// Reads the present links, so it comes before [`SourceChanges::apply`].
    pub async fn deliveries(&self, db: &mut PgConnection) -> Result<Deliveries, ApplyError> {
        let (authors, viewers, changes) = self.columns();
        let mut deliveries = Deliveries::default();
        if authors.is_empty() {
            return Ok(deliveries);
        }
        let statement = query!(
            r#"/* feed.changed_sources */
            SELECT c.author AS "author!", c.viewer AS "viewer!", c.change AS "change!", coalesce(f.links, 0) AS "links!"
            FROM unnest($1::uuid[], $2::uuid[], $3::smallint[]) AS c(author, viewer, change)
            LEFT JOIN feed_follows f ON f.author = c.author AND f.viewer = c.viewer"#,
            &authors,
            &viewers,
            &changes,
        );
        for row in named("feed.changed_sources", statement.fetch_all(db)).await? {
            let pair = (row.author, row.viewer);
            if row.links == 0 {
                deliveries.started.push(pair);
            } else if row.links + i32::from(row.change) == 0 {
                deliveries.ended.push(pair);
            }
        }
        Ok(deliveries)
    }

    pub async fn apply(&self, db: &mut PgConnection) -> Result<(), ApplyError> {
        let (authors, viewers, changes) = self.columns();
        if authors.is_empty() {
            return Ok(());
        }
        let statement = query!(
            "/* feed.change_sources */
            INSERT INTO feed_follows AS f (author, viewer, links)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[])
            ON CONFLICT (author, viewer) DO UPDATE SET links = f.links + excluded.links",
            &authors,
            &viewers,
            &changes,
        );
        let done = named("feed.change_sources", statement.execute(&mut *db)).await?;
        expect_rows("feed.change_sources", authors.len(), done.rows_affected())?;
        if changes.iter().all(|change| *change > 0) {
            return Ok(());
        }
        let statement = query!(
            "/* feed.delete_sources */
            DELETE FROM feed_follows f
            USING unnest($1::uuid[], $2::uuid[]) AS c(author, viewer)
            WHERE f.author = c.author AND f.viewer = c.viewer AND f.links = 0",
            &authors,
            &viewers,
        );
        named("feed.delete_sources", statement.execute(db)).await?;
        Ok(())
    }
}
