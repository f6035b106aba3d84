//! Audience tags and their members. All events of a tag are in its owner's partition.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use feedmill_events::{Event, Tag};
use feedmill_service::sql::named;
use sqlx::{PgConnection, query, query_scalar};
use uuid::Uuid;

use crate::{
    batch::LoggedEvent,
    error::{ApplyError, expect_rows},
    projection::links::{Links, links},
};

links! {
    mod tag_members: "tag_members" ("tag", "member", "added_at") {
        insert: "feed.insert_tag_members",
        delete: "feed.delete_tag_members",
    }
}

#[derive(Debug, Default)]
pub struct AudienceTagChanges {
    /// Tags that the batch creates and does not delete: owner and name.
    created: BTreeMap<Uuid, (Uuid, String)>,
    /// New names of tags from before the batch.
    renamed: BTreeMap<Uuid, String>,
    /// Tags from before the batch that it deletes.
    deleted: BTreeSet<Uuid>,
    /// Tags that the batch creates and deletes.
    transient: BTreeSet<Uuid>,
    /// By tag and member: since when. Without those of tags that the batch deletes.
    members: Links<DateTime<Utc>>,
    /// The owners of all tags that the batch changes.
    owners: BTreeSet<Uuid>,
}

impl AudienceTagChanges {
    /// Folds an event. Called in the log's order.
    pub fn fold(&mut self, logged: &LoggedEvent) {
        let owner = match &logged.event {
            Event::TagCreated(e) => {
                self.created.insert(e.tag, (e.owner, e.name.clone()));
                e.owner
            }
            Event::TagRenamed(e) => {
                if let Some((_, name)) = self.created.get_mut(&e.tag) {
                    name.clone_from(&e.name);
                } else {
                    self.renamed.insert(e.tag, e.name.clone());
                }
                e.owner
            }
            Event::TagDeleted(e) => {
                if self.created.remove(&e.tag).is_some() {
                    self.transient.insert(e.tag);
                } else {
                    self.renamed.remove(&e.tag);
                    self.deleted.insert(e.tag);
                }
                e.owner
            }
            Event::TagMemberAdded(e) => {
                self.members.start((e.tag, e.member), logged.at);
                e.owner
            }
            Event::TagMemberRemoved(e) => {
                self.members.stop((e.tag, e.member));
                e.owner
            }
            _ => return,
        };
        self.owners.insert(owner);
    }

    /// Forgets the members of tags that the batch deletes: they are deleted with their tags.
    pub fn forget_members_of_deleted(&mut self) {
        let (deleted, transient) = (&self.deleted, &self.transient);
        self.members
            .retain(|(tag, _)| !deleted.contains(&tag) && !transient.contains(&tag));
    }

    /// Returns the members of the tags that the batch deletes.
    pub async fn apply(&self, db: &mut PgConnection) -> Result<Vec<Uuid>, ApplyError> {
        let deleted: Vec<Uuid> = self.deleted.iter().copied().collect();
        let lost = delete_members_of_tags(&deleted, db).await?;
        delete(&deleted, db).await?;
        tag_members::delete(&self.members, db).await?;
        tag_members::insert(&self.members, db).await?;
        self.insert(db).await?;
        self.rename(db).await?;
        self.count_members(db).await?;
        Ok(lost)
    }

    async fn insert(&self, db: &mut PgConnection) -> Result<(), ApplyError> {
        if self.created.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = self.created.keys().copied().collect();
        let (owners, names): (Vec<Uuid>, Vec<String>) = self.created.values().cloned().unzip();
        let statement = query!(
            "/* feed.insert_tags */
            INSERT INTO tags (id, owner, name) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[])",
            &ids,
            &owners,
            &names,
        );
        named("feed.insert_tags", statement.execute(db)).await?;
        Ok(())
    }

    async fn rename(&self, db: &mut PgConnection) -> Result<(), ApplyError> {
        if self.renamed.is_empty() {
            return Ok(());
        }
        let statement = query!(
            "/* feed.rename_tags */
            UPDATE tags t SET name = n.name FROM unnest($1::uuid[], $2::text[]) AS n(id, name) WHERE t.id = n.id",
            &self.renamed.keys().copied().collect::<Vec<_>>(),
            &self.renamed.values().cloned().collect::<Vec<_>>(),
        );
        let done = named("feed.rename_tags", statement.execute(db)).await?;
        expect_rows("feed.rename_tags", self.renamed.len(), done.rows_affected())
    }

    async fn count_members(&self, db: &mut PgConnection) -> Result<(), ApplyError> {
        let mut counts: BTreeMap<Uuid, i64> = BTreeMap::new();
        for (tag, _) in self.members.started() {
            *counts.entry(tag).or_default() += 1;
        }
        for (tag, _) in self.members.stopped() {
            *counts.entry(tag).or_default() -= 1;
        }
        counts.retain(|_, change| *change != 0);
        if counts.is_empty() {
            return Ok(());
        }
        let statement = query!(
            "/* feed.count_tag_members */
            UPDATE tags t SET members = t.members + n.change
            FROM unnest($1::uuid[], $2::bigint[]) AS n(id, change) WHERE t.id = n.id",
            &counts.keys().copied().collect::<Vec<_>>(),
            &counts.values().copied().collect::<Vec<_>>(),
        );
        let done = named("feed.count_tag_members", statement.execute(db)).await?;
        expect_rows("feed.count_tag_members", counts.len(), done.rows_affected())
    }

    pub fn tags(&self) -> impl Iterator<Item = Tag> {
        let members = self.members.changed().map(|(_, member)| member);
        let owners = self.owners.iter().copied().map(Tag::audience_tags);
        owners.chain(members.map(Tag::access))
    }
}

/// Also removes the posts of the tags from the index by tag. Returns the members.
async fn delete_members_of_tags(
    tags: &[Uuid],
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    if tags.is_empty() {
        return Ok(vec![]);
    }
    let statement = query_scalar!(
        "/* feed.delete_members_of_tags */
        WITH posts AS (DELETE FROM tag_posts WHERE tag = ANY($1))
        DELETE FROM tag_members WHERE tag = ANY($1) RETURNING member",
        tags,
    );
    Ok(named("feed.delete_members_of_tags", statement.fetch_all(db)).await?)
}

async fn delete(ids: &[Uuid], db: &mut PgConnection) -> Result<(), ApplyError> {
    if ids.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_tags */ DELETE FROM tags WHERE id = ANY($1)",
        ids,
    );
    let done = named("feed.delete_tags", statement.execute(db)).await?;
    expect_rows("feed.delete_tags", ids.len(), done.rows_affected())
}
