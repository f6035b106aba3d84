//! Posts and lists of them.

use std::cmp::Reverse;

use feedmill_events::id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{latest_first, time};
use crate::{link::LinkKind, oracle::Oracle};

impl Oracle {
    /// A post as this viewer sees it; none if it is deleted.
    pub fn post(&self, viewer: Uuid, post: Uuid) -> Option<Value> {
        let found = self.posts.get(&post)?;
        Some(json!({
            "id": post,
            "author": self.account_summary(found.author),
            "text": found.text,
            "reply_to": found.reply_to,
            "created_at": time(id::millis(post)),
            "edited_at": found.edited_at.map(time),
            "like_count": self.count_links_to(LinkKind::Like, post),
            "reply_count": self.count_replies(post),
            "liked_by_me": self.linked_since(LinkKind::Like, viewer, post).is_some(),
        }))
    }

    pub(super) fn views(&self, viewer: Uuid, posts: impl IntoIterator<Item = Uuid>) -> Vec<Value> {
        posts
            .into_iter()
            .filter_map(|post| self.post(viewer, post))
            .collect()
    }

    /// The direct replies, oldest first. They stay when the post is deleted. None if there is neither the post nor a
    /// reply to it.
    pub fn replies(&self, viewer: Uuid, post: Uuid) -> Option<Vec<Value>> {
        let replies = self.posts.iter();
        let replies = replies.filter(|(_, reply)| reply.reply_to == Some(post));
        let replies = self.views(viewer, replies.map(|(id, _)| *id));
        (self.posts.contains_key(&post) || !replies.is_empty()).then_some(replies)
    }

    /// From the root down to the post that this one answers, without deleted ones. None if the post itself is deleted.
    pub fn ancestors_of(&self, viewer: Uuid, post: Uuid) -> Option<Vec<Value>> {
        let ancestors = self.ancestors(post).into_iter().rev();
        let exists = self.posts.contains_key(&post);
        exists.then(|| self.views(viewer, ancestors))
    }

    /// Newest first, replies included.
    pub fn user_posts(&self, viewer: Uuid, user: Uuid) -> Vec<Value> {
        let posts = self
            .posts
            .iter()
            .rev()
            .filter(|(_, post)| post.author == user);
        self.views(viewer, posts.map(|(id, _)| *id))
    }

    /// The ids of the feed, newest first.
    pub fn feed_ids(&self, viewer: Uuid) -> Vec<Uuid> {
        let posts = self.posts.iter().rev();
        posts
            .filter(|(_, post)| post.reply_to.is_none() && self.feed_includes(viewer, post.author))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Newest first, and `unread_count`.
    pub fn feed(&self, viewer: Uuid) -> (Vec<Value>, usize) {
        let posts = self.feed_ids(viewer);
        let mark = self.feed_marks.get(&viewer).copied();
        let read = |post: Uuid| self.is_author(viewer, post) || Some(post) <= mark;
        let unread = posts.iter().filter(|post| !read(**post)).count();
        let view = |post: &Uuid| {
            let mut view = self.post(viewer, *post)?;
            view["read"] = json!(read(*post));
            Some(view)
        };
        (posts.iter().filter_map(view).collect(), unread.min(1_000))
    }

    /// Latest bookmark first.
    pub fn bookmarks(&self, viewer: Uuid) -> Vec<Value> {
        let mut bookmarks: Vec<_> = self.links_from(LinkKind::Bookmark, viewer).collect();
        bookmarks.sort_by_key(|(post, at)| Reverse((*at, *post)));
        self.views(viewer, bookmarks.into_iter().map(|(post, _)| post))
    }

    /// The posts that the viewer likes, latest like first.
    pub fn likes(&self, viewer: Uuid) -> Vec<Value> {
        let likes = latest_first(self.links_from(LinkKind::Like, viewer));
        self.views(viewer, likes.into_iter().map(|(post, _)| post))
    }

    /// Who likes the post, latest first; none if it is deleted.
    pub fn likes_of_post(&self, post: Uuid) -> Option<Vec<Value>> {
        let likes = || self.links_to(LinkKind::Like, post);
        let exists = self.posts.contains_key(&post);
        exists.then(|| self.accounts_latest_first(likes(), "liked_at"))
    }
}
