//! The feed of a viewer and its read mark, posts, replies, the posts of an author, likes, bookmarks, mutes, and audience tags.

mod audience_tags;
mod authors;
mod derived;
mod entries;
mod fold;
mod links;
mod marks;
mod posts;
mod sources;
mod tags;

use std::time::Duration;

use feedmill_events::{EventType, Projection, Tag};
use futures::FutureExt as _;
use sqlx::PgConnection;
use uuid::Uuid;

use self::fold::{Changes, PulledPosts};
use crate::{
    batch::Batch,
    error::ApplyError,
    migrations,
    projection::definition::{Context, Definition, Derived, Rebuild},
};

pub static DEFINITION: Definition = Definition {
    projection: Projection::Feed,
    migrations: migrations::FEED,
    event_types: &[
        EventType::AccountFollowed,
        EventType::AccountUnfollowed,
        EventType::ConnectionMade,
        EventType::ConnectionEnded,
        EventType::AccountMuted,
        EventType::AccountUnmuted,
        EventType::TagCreated,
        EventType::TagRenamed,
        EventType::TagDeleted,
        EventType::TagMemberAdded,
        EventType::TagMemberRemoved,
        EventType::PostCreated,
        EventType::PostEdited,
        EventType::PostDeleted,
        EventType::PostLiked,
        EventType::PostUnliked,
        EventType::PostBookmarked,
        EventType::PostUnbookmarked,
        EventType::FeedRead,
    ],
    is_relevant: |_| true,
    min_interval: Duration::ZERO,
    apply: |batch, context, db| apply(batch, context, db).boxed(),
    rebuild: Rebuild {
        indexes: &[],
        derived: Some(Derived {
            tables: &["feed_entries", "feed_floors", "pulled_authors"],
            columns: &["pulled"],
            apply: |batch, context, db| apply_without_derived(batch, context, db).boxed(),
            derive: |context, gently, db| derived::fill(context, gently, db).boxed(),
            check: |limit, db| derived::check(limit, db).boxed(),
        }),
    },
};

/// The order matters: entries are deleted by the sources and posts from before the batch, and inserted by those from
/// after it.
async fn apply(
    batch: &Batch,
    context: &Context,
    db: &mut PgConnection,
) -> Result<Vec<Tag>, ApplyError> {
    let changes = Changes::of(batch)?;
    entries::delete_of_posts(&changes, db).await?;
    let deliveries = changes.sources.deliveries(db).await?;
    entries::delete_of_authors(&deliveries.ended, db).await?;
    let mut applied = apply_changes(&changes, true, context, db).await?;
    authors::add_pulled(&applied.pulled, db).await?;
    let backfilled = entries::backfill(&deliveries.started, context, db).await?;
    applied.grown.extend(backfilled);
    entries::trim(applied.grown, context, db).await?;
    Ok(tags::of(&changes, &deliveries, &applied.counted))
}

async fn apply_without_derived(
    batch: &Batch,
    context: &Context,
    db: &mut PgConnection,
) -> Result<Vec<Tag>, ApplyError> {
    apply_changes(&Changes::of(batch)?, false, context, db).await?;
    Ok(vec![])
}

struct Applied {
    pulled: PulledPosts,
    /// A sample of the viewers whose feeds have grown.
    grown: Vec<Uuid>,
    /// The root posts from before the batch whose counts it changed.
    counted: Vec<Uuid>,
}

/// Applies the changes to posts, links and sources. With `push`, new posts also get their entries.
async fn apply_changes(
    changes: &Changes<'_>,
    push: bool,
    context: &Context,
    db: &mut PgConnection,
) -> Result<Applied, ApplyError> {
    let mut pulled = PulledPosts::default();
    changes.links.apply(&changes.deleted_ids(), db).await?;
    changes.sources.apply(db).await?;
    changes.audience_tags.apply(db).await?;
    let grown = posts::insert_posts(changes, push, context, &mut pulled, db).await?;
    posts::edit_posts(changes, db).await?;
    posts::delete_posts(changes, &mut pulled, db).await?;
    posts::insert_deleted_replies(changes, db).await?;
    authors::add_followers(changes, db).await?;
    let counted = posts::insert_likes_and_count(changes, db).await?;
    marks::advance(changes, db).await?;
    Ok(Applied {
        pulled,
        grown,
        counted,
    })
}
