//! The links of the feed's tables: who likes or bookmarks which post, who mutes whom, and who blocks whom. This file has their net changes,
//! statements and cache tags, except that `posts.rs` inserts likes, because a like also changes a count.

use chrono::{DateTime, Utc};
use feedmill_events::{Event, Tag};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    batch::LoggedEvent,
    error::ApplyError,
    projection::links::{Links, links},
};

links! {
    // Inserted by `feed.insert_likes_and_count`.
    mod likes: "likes" ("post_id", "user_id", "liked_at") {
        delete: "feed.delete_likes",
        delete_of: "feed.delete_likes_of_posts",
    }
}

links! {
    mod bookmarks: "bookmarks" ("post_id", "user_id", "bookmarked_at") {
        insert: "feed.insert_bookmarks",
        delete: "feed.delete_bookmarks",
        delete_of: "feed.delete_bookmarks_of_posts",
    }
}

links! {
    mod mutes: "mutes" ("muted", "muter", "muted_at") {
        insert: "feed.insert_mutes",
        delete: "feed.delete_mutes",
    }
}

links! {
    mod blocks: "blocks" ("blocked", "blocker", "blocked_at") {
        insert: "feed.insert_blocks",
        delete: "feed.delete_blocks",
    }
}

#[derive(Debug, Default)]
pub struct FeedLinks {
    /// By post and user: when.
    pub likes: Links<DateTime<Utc>>,
    /// By post and user: when.
    pub bookmarks: Links<DateTime<Utc>>,
    /// By muted account and muter: when.
    pub mutes: Links<DateTime<Utc>>,
    /// By blocked account and blocker: when.
    pub blocks: Links<DateTime<Utc>>,
}

impl FeedLinks {
    /// Folds an event. Called in the log's order.
    pub fn fold(&mut self, logged: &LoggedEvent) {
        match &logged.event {
            Event::PostLiked(e) => self.likes.start((e.post, e.user), logged.at),
            Event::PostUnliked(e) => self.likes.stop((e.post, e.user)),
            Event::PostBookmarked(e) => self.bookmarks.start((e.post, e.user), logged.at),
            Event::PostUnbookmarked(e) => self.bookmarks.stop((e.post, e.user)),
            Event::AccountMuted(e) => self.mutes.start((e.muted, e.muter), logged.at),
            Event::AccountUnmuted(e) => self.mutes.stop((e.muted, e.muter)),
            // The list of blocks comes from the events of the blockers.
            Event::AccountBlocked(e) if e.account == e.blocker => {
                self.blocks.start((e.other, e.blocker), logged.at);
            }
            Event::AccountUnblocked(e) if e.account == e.blocker => {
                self.blocks.stop((e.other, e.blocker));
            }
            _ => {}
        }
    }

    /// Forgets the links to posts that the batch deletes: they are deleted with their posts.
    pub fn forget_posts(&mut self, is_deleted: impl Fn(&Uuid) -> bool) {
        self.likes.retain(|(post, _)| !is_deleted(&post));
        self.bookmarks.retain(|(post, _)| !is_deleted(&post));
    }

    /// Applies the changes, but for new likes. `deleted` are the posts of earlier batches that this one deletes.
    pub async fn apply(&self, deleted: &[Uuid], db: &mut PgConnection) -> Result<(), ApplyError> {
        likes::delete_of(deleted, db).await?;
        likes::delete(&self.likes, db).await?;
        bookmarks::delete_of(deleted, db).await?;
        bookmarks::delete(&self.bookmarks, db).await?;
        bookmarks::insert(&self.bookmarks, db).await?;
        mutes::delete(&self.mutes, db).await?;
        mutes::insert(&self.mutes, db).await?;
        blocks::delete(&self.blocks, db).await?;
        blocks::insert(&self.blocks, db).await
    }

    pub fn tags(&self) -> impl Iterator<Item = Tag> {
        let likes = self.likes.changed();
        let bookmarks = self.bookmarks.changed();
        likes
            .flat_map(|(post, user)| [Tag::post(post), Tag::likes(user)])
            .chain(bookmarks.map(|(_, user)| Tag::bookmarks(user)))
            .chain(self.mutes.changed().map(|(_, muter)| Tag::mutes(muter)))
            .chain(
                self.blocks
                    .changed()
                    .map(|(_, blocker)| Tag::blocks(blocker)),
            )
    }
}
