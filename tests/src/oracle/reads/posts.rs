//! Posts and lists of them.

use std::cmp::Reverse;

use feedmill_events::{event::v1::Audience, id};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{latest_first, time};
use crate::{
    link::LinkKind,
    oracle::{Oracle, Thread, audience_code, audience_tags},
};

impl Oracle {
    /// A post as this viewer sees it; none unless it is visible.
    pub fn post(&self, viewer: Uuid, post: Uuid) -> Option<Value> {
        self.visible(viewer, post).then_some(())?;
        let found = self.posts.get(&post)?;
        let (audience, tags) = Self::audience_view(viewer, self.thread_of(post));
        Some(json!({
            "id": post,
            "author": self.account_summary(found.author),
            "text": found.text,
            "reply_to": found.reply_to,
            "created_at": time(id::millis(post)),
            "edited_at": found.edited_at.map(time),
            "like_count": self.count_links_to(LinkKind::Like, post),
            "reply_count": self.count_replies(post),
            "audience": audience,
            "tags": tags,
            "liked_by_me": self.linked_since(LinkKind::Like, viewer, post).is_some(),
        }))
    }

    /// The name and the tags of a thread's audience. Only the author is told which of the limited ones it is.
    fn audience_view(viewer: Uuid, thread: &Thread) -> (&'static str, Option<&[Uuid]>) {
        let (name, _) = audience_code(&thread.audience);
        let is_limited = matches!(thread.audience, Audience::Tags(_) | Audience::Me);
        if viewer == thread.author {
            (name, audience_tags(&thread.audience))
        } else if is_limited {
            ("limited", None)
        } else {
            (name, None)
        }
    }

    /// Those that are visible.
    pub(super) fn views(&self, viewer: Uuid, posts: impl IntoIterator<Item = Uuid>) -> Vec<Value> {
        posts
            .into_iter()
            .filter_map(|post| self.post(viewer, post))
            .collect()
    }

    /// The direct replies, oldest first. They stay when the post is deleted. None if the post is not visible, or is deleted and
    /// no reply to it is visible.
    pub fn replies(&self, viewer: Uuid, post: Uuid) -> Option<Vec<Value>> {
        let replies = self.posts.iter();
        let replies = replies.filter(|(_, reply)| reply.reply_to == Some(post));
        let replies = self.views(viewer, replies.map(|(id, _)| *id));
        let exists = if self.posts.contains_key(&post) {
            self.visible(viewer, post)
        } else {
            !replies.is_empty()
        };
        exists.then_some(replies)
    }

    /// From the root down to the post that this one answers, without those that are deleted or hidden. None unless the post
    /// itself is visible.
    pub fn ancestors_of(&self, viewer: Uuid, post: Uuid) -> Option<Vec<Value>> {
        let ancestors = self.ancestors(post).into_iter().rev();
        let exists = self.visible(viewer, post);
        exists.then(|| self.views(viewer, ancestors))
    }

    /// Newest first, replies included; none if the two have a block.
    pub fn user_posts(&self, viewer: Uuid, user: Uuid) -> Option<Vec<Value>> {
        let hidden = self.blocks.between(user, viewer);
        (!hidden).then(|| self.posts_of(viewer, user))
    }

    /// The account's own posts as somebody else sees them, newest first, replies included: as this account, or as a stranger
    /// (none). None if there is no such account for the author.
    pub fn own_posts(&self, author: Uuid, seen_by: Option<Uuid>) -> Option<Vec<Value>> {
        let exists = |user: &Uuid| self.exists_for(author, *user);
        let posts = || self.posts_of(seen_by.unwrap_or_default(), author);
        seen_by.as_ref().is_none_or(exists).then(posts)
    }

    fn posts_of(&self, viewer: Uuid, author: Uuid) -> Vec<Value> {
        let posts = self.posts.iter().rev();
        let posts = posts.filter(|(_, post)| post.author == author);
        self.views(viewer, posts.map(|(id, _)| *id))
    }

    /// The root posts of those whom the feed includes, newest first, visible or not.
    pub fn delivered(&self, viewer: Uuid) -> Vec<Uuid> {
        let posts = self.posts.iter().rev();
        posts
            .filter(|(_, post)| post.reply_to.is_none() && self.feed_includes(viewer, post.author))
            .map(|(id, _)| *id)
            .collect()
    }

    /// The ids of the feed, newest first.
    pub fn feed_ids(&self, viewer: Uuid) -> Vec<Uuid> {
        let mut posts = self.delivered(viewer);
        posts.retain(|post| self.visible(viewer, *post));
        posts
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

    /// Who likes the post, latest first, without those who have a block with the viewer; and how many like it, whoever looks. None
    /// unless the post is visible.
    pub fn likes_of_post(&self, viewer: Uuid, post: Uuid) -> Option<(Vec<Value>, usize)> {
        self.visible(viewer, post).then_some(())?;
        let likes = self.links_to(LinkKind::Like, post);
        let items = self.shown_latest_first(viewer, likes, "liked_at");
        Some((items, self.count_links_to(LinkKind::Like, post)))
    }
}
