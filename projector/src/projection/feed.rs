//! The feed of a viewer and its read mark, posts, replies, the posts of an author, likes, bookmarks, mutes; and who sees which posts:
//! audiences, audience tags, connections and blocks.

mod audience_tags;
mod audiences;
mod authors;
mod derived;
mod entries;
mod fold;
mod links;
mod marks;
mod post_counts;
mod posts;
mod sources;
mod tags;
mod totals;

use std::time::Duration;

use feedmill_events::{EventType, Projection, Tag};
use futures::FutureExt as _;
use sqlx::PgConnection;
use uuid::Uuid;

use self::{
    fold::{Changes, PulledPosts},
    post_counts::PostCounts,
};
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
        EventType::AccountBlocked,
        EventType::AccountUnblocked,
        EventType::TagCreated,
        EventType::TagRenamed,
        EventType::TagDeleted,
        EventType::TagMemberAdded,
        EventType::TagMemberRemoved,
        EventType::PostCreated,
        EventType::PostEdited,
        EventType::AudienceChanged,
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
        indexes: &["posts_of_thread"],
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
    entries::share(&changes, db).await?;
    authors::add_pulled(&applied.pulled, db).await?;
    let backfilled = entries::backfill(&deliveries.started, context, db).await?;
    applied.grown.extend(backfilled);
    let grown = std::mem::take(&mut applied.grown);
    entries::trim(grown, context, db).await?;
    Ok(tags::of(&changes, &deliveries, &applied))
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
    post_counts: PostCounts,
    /// The members of the tags that the batch deletes.
    lost_members: Vec<Uuid>,
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
    let lost_members = changes.audience_tags.apply(db).await?;
    let mut post_counts = post_counts::of_existing(changes, db).await?;
    audiences::delete_tag_posts(changes, db).await?;
    audiences::save(changes, db).await?;
    audiences::update_posts(changes, db).await?;
    let grown =
        posts::insert_posts(changes, push, context, &mut pulled, &mut post_counts, db).await?;
    posts::edit_posts(changes, db).await?;
    posts::delete_posts(changes, &mut pulled, db).await?;
    posts::insert_deleted_replies(changes, db).await?;
    audiences::insert_tag_posts(changes, db).await?;
    post_counts::add(&post_counts, db).await?;
    totals::add(changes, db).await?;
    authors::add_followers(changes, db).await?;
    let counted = posts::insert_likes_and_count(changes, db).await?;
    marks::advance(changes, db).await?;
    Ok(Applied {
        pulled,
        grown,
        counted,
        post_counts,
        lost_members,
    })
}
