//! The audiences of threads, and the index of root posts by tag. All events of a thread, and all events of its author's tags, are in
//! one partition.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::{Event, Tag, event::v1::Audience};
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::fold::Changes;
use crate::{error::ApplyError, projection::audience_number::audience_number};

/// By root post: the audience after the batch, of those that are or were not public. Also of root posts that the batch deletes: the
/// replies keep it.
#[derive(Debug, Default)]
pub struct AudienceChanges<'a> {
    changes: BTreeMap<Uuid, AudienceChange<'a>>,
    /// The root posts that the batch creates.
    created: BTreeSet<Uuid>,
}

#[derive(Debug)]
pub struct AudienceChange<'a> {
    pub author: Uuid,
    pub audience: &'a Audience,
    /// Whether the root post was there before the batch.
    pub existed: bool,
}

impl<'a> AudienceChanges<'a> {
    /// Folds an event. Called in the log's order.
    pub fn fold(&mut self, event: &'a Event) {
        match event {
            Event::PostCreated(e) => {
                if let Some(audience) = &e.audience {
                    self.created.insert(e.post);
                    if *audience != Audience::Public {
                        self.set(e.post, e.author, audience);
                    }
                }
            }
            Event::AudienceChanged(e) => self.set(e.post, e.author, &e.audience),
            _ => {}
        }
    }

    fn set(&mut self, root: Uuid, author: Uuid, audience: &'a Audience) {
        let change = AudienceChange {
            author,
            audience,
            existed: !self.created.contains(&root),
        };
        self.changes.insert(root, change);
    }

    /// The changed audiences of root posts from before the batch.
    pub fn of_existing(&self) -> impl Iterator<Item = (Uuid, &AudienceChange<'a>)> {
        let all = self.changes.iter().map(|(root, change)| (*root, change));
        all.filter(|(_, change)| change.existed)
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub fn tags(&self) -> impl Iterator<Item = Tag> {
        let changed = self.of_existing().flat_map(|(root, change)| {
            [
                Tag::post(root),
                Tag::any_audience(),
                Tag::changed_posts_of(change.author),
            ]
        });
        changed.chain(self.changes.keys().copied().map(Tag::audience))
    }

    fn columns(&self) -> Columns {
        let mut columns = Columns::default();
        for (root, change) in &self.changes {
            columns.roots.push(*root);
            columns.authors.push(change.author);
            columns.audiences.push(audience_number(change.audience));
            columns.tags.push(tag_array(change.audience));
        }
        columns
    }
}

/// In PostgreSQL's notation of an array, because there are no arrays of arrays of different lengths.
fn tag_array(audience: &Audience) -> String {
    let tags: Vec<String> = match audience {
        Audience::Tags(tags) => tags.iter().map(Uuid::to_string).collect(),
        Audience::Public | Audience::Connections | Audience::Me => vec![],
    };
    format!("{{{}}}", tags.join(","))
}

#[derive(Default)]
struct Columns {
    roots: Vec<Uuid>,
    authors: Vec<Uuid>,
    audiences: Vec<i16>,
    tags: Vec<String>,
}

/// Removes the present posts of these threads and the deleted posts from the index by tag. Reads the audiences from before the batch.
pub async fn delete_tag_posts(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let changed = changes.audiences.of_existing().map(|(root, _)| root);
    let deleted = changes.deleted.iter();
    let deleted = deleted.filter(|(_, post)| post.reply_to.is_none());
    let roots: Vec<Uuid> = changed.chain(deleted.map(|(id, _)| *id)).collect();
    if roots.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_tag_posts */
        DELETE FROM tag_posts t USING audiences a, posts p
        WHERE a.root = ANY($1) AND p.id = a.root AND t.tag = ANY(a.tags) AND t.pulled = p.pulled AND t.post = a.root",
        &roots,
    );
    named("feed.delete_tag_posts", statement.execute(db)).await?;
    Ok(())
}

pub async fn save(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    let audiences = &changes.audiences;
    if audiences.is_empty() {
        return Ok(());
    }
    let columns = audiences.columns();
    let statement = query!(
        "/* feed.save_audiences */
        INSERT INTO audiences (root, author, audience, tags)
        SELECT root, author, audience, tags::uuid[]
        FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::text[]) AS n(root, author, audience, tags)
        ON CONFLICT (root) DO UPDATE SET audience = excluded.audience, tags = excluded.tags",
        &columns.roots,
        &columns.authors,
        &columns.audiences,
        &columns.tags,
    );
    named("feed.save_audiences", statement.execute(db)).await?;
    Ok(())
}

/// Copies changed audiences into the rows of root posts from before the batch.
pub async fn update_posts(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    let roots: Vec<Uuid> = changes
        .audiences
        .of_existing()
        .map(|(root, _)| root)
        .collect();
    if roots.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.update_audiences_of_posts */
        UPDATE posts p SET audience = a.audience, shared_with = shared_with(a.author, a.audience, a.tags)
        FROM audiences a
        WHERE a.root = ANY($1) AND p.id = a.root",
        &roots,
    );
    named("feed.update_audiences_of_posts", statement.execute(db)).await?;
    Ok(())
}

/// Adds standing root posts to the index by tag, under those of their tags that exist.
pub async fn insert_tag_posts(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let tagged = changes.audiences.changes.iter();
    let tagged = tagged.filter(|(_, change)| matches!(change.audience, Audience::Tags(_)));
    let roots: Vec<Uuid> = tagged.map(|(root, _)| *root).collect();
    if roots.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.insert_tag_posts */
        INSERT INTO tag_posts (tag, pulled, post)
        SELECT t.id, p.pulled, p.id
        FROM audiences a JOIN posts p ON p.id = a.root JOIN tags t ON t.id = ANY(a.tags)
        WHERE a.root = ANY($1)
        ORDER BY 1, 2, 3",
        &roots,
    );
    named("feed.insert_tag_posts", statement.execute(db)).await?;
    Ok(())
}
