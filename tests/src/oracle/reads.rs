//! Every read by its definition. Lists are whole and in order, with the items as pages have them.

use std::cmp::Reverse;

use chrono::{DateTime, Datelike, Days, NaiveDate, SecondsFormat, Utc};
use feedmill_events::id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    audience_tags::AudienceTag,
    state::{Conversation, Oracle},
};
use crate::link::LinkKind;

/// A UTC day, or the ISO week that a day is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day(NaiveDate),
    Week(NaiveDate),
}

impl Period {
    pub fn name(self) -> &'static str {
        match self {
            Self::Day(_) => "day",
            Self::Week(_) => "week",
        }
    }

    pub fn date(self) -> NaiveDate {
        match self {
            Self::Day(date) | Self::Week(date) => date,
        }
    }

    /// Its begin and its end (exclusive), in Unix milliseconds.
    pub fn bounds(self) -> (i64, i64) {
        let (first, days) = match self {
            Self::Day(date) => (date, 1),
            Self::Week(date) => (
                date - Days::new(u64::from(date.weekday().num_days_from_monday())),
                7,
            ),
        };
        let midnight = |date: NaiveDate| {
            date.and_time(chrono::NaiveTime::MIN)
                .and_utc()
                .timestamp_millis()
        };
        (midnight(first), midnight(first + Days::new(days)))
    }
}

/// RFC 3339 in UTC, with milliseconds.
pub fn time(millis: i64) -> String {
    let time: DateTime<Utc> = DateTime::from_timestamp_millis(millis).expect("a time");
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The id of a notification: the time of the action, and a hash of its kind, actor and object.
fn notification_id(kind: &str, at: i64, actor: Uuid, object: Uuid) -> Uuid {
    let action = [kind.as_bytes(), actor.as_bytes(), object.as_bytes()].concat();
    id::compose(at, 0, id::fnv1a(action), None)
}

impl Oracle {
    pub fn account_summary(&self, user: Uuid) -> Value {
        let account = &self.accounts[&user];
        json!({"id": user, "handle": account.handle, "display_name": account.display_name})
    }

    pub fn profile(&self, user: Uuid) -> Option<Value> {
        let account = self.accounts.get(&user)?;
        Some(json!({
            "id": user,
            "handle": account.handle,
            "display_name": account.display_name,
            "bio": account.bio,
            "created_at": time(account.created_at),
            "followers_count": self.followers(user).len(),
            "following_count": self.following(user).len(),
            "connections_count": self.connections.of(user).count(),
            "posts_count": self.posts.values().filter(|post| post.author == user).count(),
        }))
    }

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

    fn views(&self, viewer: Uuid, posts: impl IntoIterator<Item = Uuid>) -> Vec<Value> {
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

    /// Latest first.
    pub fn followers(&self, user: Uuid) -> Vec<Value> {
        self.accounts_latest_first(self.links_to(LinkKind::Follow, user), "followed_at")
    }

    /// Latest first.
    pub fn following(&self, user: Uuid) -> Vec<Value> {
        self.accounts_latest_first(self.links_from(LinkKind::Follow, user), "followed_at")
    }

    /// Accounts with the time of their link in `field`.
    fn accounts_latest_first(
        &self,
        links: impl Iterator<Item = (Uuid, i64)>,
        field: &str,
    ) -> Vec<Value> {
        let view = |(user, at)| {
            let mut summary = self.account_summary(user);
            summary[field] = json!(time(at));
            summary
        };
        latest_first(links).into_iter().map(view).collect()
    }

    /// Latest first; none if the viewer may not see them.
    pub fn connections(&self, viewer: Uuid, user: Uuid) -> Option<Vec<Value>> {
        let visible = viewer == user || self.connections.are_connected(user, viewer);
        let connections = self.connections.of(user);
        let connections = connections.map(|(other, found)| (other, found.connected_at));
        visible.then(|| self.accounts_latest_first(connections, "connected_at"))
    }

    /// The requests for a connection that the viewer has received, or made. Latest first.
    pub fn connection_requests(&self, viewer: Uuid, incoming: bool) -> Vec<Value> {
        let requests = self.connections.requests();
        let requests = requests.filter_map(|(to, from, at)| {
            let (own, other) = if incoming { (to, from) } else { (from, to) };
            (own == viewer).then_some((other, at))
        });
        self.accounts_latest_first(requests, "requested_at")
    }

    fn tag_view(tag: (Uuid, &AudienceTag)) -> Value {
        let (id, tag) = tag;
        json!({"id": id, "name": tag.name, "members_count": tag.members.len()})
    }

    /// The viewer's tags, in the order of their ids.
    pub fn tag_list(&self, viewer: Uuid) -> Vec<Value> {
        self.tags.of_owner(viewer).map(Self::tag_view).collect()
    }

    /// The viewer's tags that have this user.
    pub fn tags_of_user(&self, viewer: Uuid, user: Uuid) -> Vec<Value> {
        self.tags.of(viewer, user).map(Self::tag_view).collect()
    }

    /// None unless the tag is the viewer's.
    pub fn tag(&self, viewer: Uuid, tag: Uuid) -> Option<Value> {
        let found = self.tags.get(tag)?;
        (found.owner == viewer).then(|| Self::tag_view((tag, found)))
    }

    /// Latest first; none unless the tag is the viewer's.
    pub fn tag_members(&self, viewer: Uuid, tag: Uuid) -> Option<Vec<Value>> {
        let found = self.tags.get(tag).filter(|found| found.owner == viewer)?;
        let members = found.members.iter().map(|(member, at)| (*member, *at));
        Some(self.accounts_latest_first(members, "added_at"))
    }

    /// The accounts that the viewer mutes, latest first.
    pub fn mute_list(&self, viewer: Uuid) -> Vec<Value> {
        self.accounts_latest_first(self.links_from(LinkKind::Mute, viewer), "muted_at")
    }

    /// How the viewer and each of these accounts are related.
    pub fn relationships(&self, viewer: Uuid, users: &[Uuid]) -> Value {
        let follows = |from, to| self.linked_since(LinkKind::Follow, from, to).is_some();
        let relationship = |user: &Uuid| {
            let connection = if self.connections.are_connected(viewer, *user) {
                "connected"
            } else if self.connections.requested_at(viewer, *user).is_some() {
                "outgoing"
            } else if self.connections.requested_at(*user, viewer).is_some() {
                "incoming"
            } else {
                "none"
            };
            json!({
                "id": user,
                "following": follows(viewer, *user),
                "followed_by": follows(*user, viewer),
                "connection": connection,
                "muting": self.mutes(viewer, *user),
            })
        };
        let users = users.iter().filter(|user| self.accounts.contains_key(user));
        json!({"items": users.map(relationship).collect::<Vec<_>>()})
    }

    pub fn digest(&self, viewer: Uuid, period: Period) -> Value {
        let (from, to) = period.bounds();
        let inside = |at: i64| (from..to).contains(&at);
        let mine = |post: Uuid| self.is_author(viewer, post);
        let mut posts = self.feed_ids(viewer);
        posts.retain(|post| inside(id::millis(*post)));
        let likes = self
            .links(LinkKind::Like)
            .filter(|(user, post, at)| mine(*post) && *user != viewer && inside(*at));
        let replies = self.posts.iter().filter(|(reply, found)| {
            found.reply_to.is_some_and(mine)
                && found.author != viewer
                && inside(id::millis(**reply))
        });
        let followers = self
            .links_to(LinkKind::Follow, viewer)
            .filter(|(_, at)| inside(*at));
        let connections = self.connections.of(viewer);
        let connections = connections.filter(|(_, found)| inside(found.connected_at));
        let messages = self
            .conversations
            .values()
            .flat_map(|conversation| conversation.received(viewer))
            .filter(|message| inside(id::millis(*message)));
        let counters = json!({
            "posts": posts.len(),
            "likes_received": likes.count(),
            "replies_received": replies.count(),
            "new_followers": followers.count(),
            "new_connections": connections.count(),
            "messages_received": messages.count(),
        });
        // A stable sort: of two with the same score, the newer one stays first.
        posts.sort_by_key(|post| {
            std::cmp::Reverse(
                3 * self.count_replies(*post) + self.count_links_to(LinkKind::Like, *post),
            )
        });
        posts.truncate(50);
        json!({
            "period": period.name(),
            "from": time(from),
            "to": time(to),
            "counters": counters,
            "top_posts": self.views(viewer, posts),
        })
    }

    /// Newest activity first, and `unread_total`.
    pub fn conversations(&self, user: Uuid) -> (Vec<Value>, usize) {
        let mine = self
            .conversations
            .iter()
            .filter(|(_, found)| found.members.contains_key(&user));
        let mut mine: Vec<_> = mine
            .map(|(id, found)| (found.activity(*id, user), *id, found))
            .collect();
        mine.sort_by_key(|(activity, id, _)| std::cmp::Reverse((*activity, *id)));
        let views = mine.iter().map(|(_, id, found)| {
            let members = found
                .members
                .keys()
                .map(|member| self.account_summary(*member));
            Self::conversation_view(*id, found, user, &members.collect::<Vec<_>>())
        });
        let loud = mine
            .iter()
            .filter(|(_, _, found)| !found.members[&user].muted);
        let total = loud.map(|(_, _, found)| found.unread(user)).sum();
        (views.collect(), total)
    }

    /// With the read marks of its members; none if the user is not one of them.
    pub fn conversation(&self, user: Uuid, conversation: Uuid) -> Option<Value> {
        let found = self.conversations.get(&conversation)?;
        found.members.contains_key(&user).then_some(())?;
        let members = found.members.iter().map(|(account, member)| {
            let mut view = self.account_summary(*account);
            view["read_up_to"] = json!(member.read_up_to);
            view
        });
        let members: Vec<_> = members.collect();
        Some(Self::conversation_view(conversation, found, user, &members))
    }

    fn conversation_view(
        id: Uuid,
        conversation: &Conversation,
        user: Uuid,
        members: &[Value],
    ) -> Value {
        let last = conversation.last_visible(user);
        json!({
            "id": id,
            "title": conversation.title,
            "members": members,
            "message_count": conversation.visible(user).count(),
            "unread_count": conversation.unread(user),
            "muted": conversation.members[&user].muted,
            "last_message": last.map(|id| Self::message(conversation, id)),
        })
    }

    /// What others did to this user's account and posts, if it stands, newest first; and `unread_count`.
    pub fn notifications(&self, user: Uuid) -> (Vec<Value>, usize) {
        // Id, kind, actor, and the post that is shown.
        let mut all: Vec<(Uuid, &str, Uuid, Option<Uuid>)> = Vec::new();
        for (follower, at) in self.links_to(LinkKind::Follow, user) {
            let id = notification_id("follow", at, follower, user);
            all.push((id, "follow", follower, None));
        }
        for (to, from, at) in self.connections.requests() {
            if to == user {
                let id = notification_id("connection_request", at, from, user);
                all.push((id, "connection_request", from, None));
            }
        }
        for (other, found) in self.connections.of(user) {
            if found.requester == user {
                let id = notification_id("connection", found.connected_at, other, user);
                all.push((id, "connection", other, None));
            }
        }
        for (actor, post, at) in self.links(LinkKind::Like) {
            if self.is_author(user, post) {
                let id = notification_id("like", at, actor, post);
                all.push((id, "like", actor, Some(post)));
            }
        }
        for (reply, found) in &self.posts {
            if found
                .reply_to
                .is_some_and(|parent| self.is_author(user, parent))
            {
                let id = notification_id("reply", id::millis(*reply), found.author, *reply);
                all.push((id, "reply", found.author, Some(*reply)));
            }
        }
        all.retain(|(_, _, actor, _)| *actor != user && !self.mutes(user, *actor));
        all.sort_unstable_by(|a, b| b.cmp(a));
        let mark = self.notification_marks.get(&user).copied();
        let read = |id: Uuid| mark.is_some_and(|mark| id <= mark);
        let unread = all.iter().filter(|(id, ..)| !read(*id)).count();
        let view = |(id, kind, actor, post): (Uuid, &str, Uuid, Option<Uuid>)| {
            let text = |id| json!({"id": id, "text": self.posts[&id].text, "reply_to": self.posts[&id].reply_to});
            json!({
                "id": id,
                "type": kind,
                "actor": self.account_summary(actor),
                "post": post.map(text),
                "created_at": time(id::millis(id)),
                "read": read(id),
            })
        };
        (all.into_iter().map(view).collect(), unread)
    }

    /// How much is unread, as the lists have it.
    pub fn counts(&self, user: Uuid) -> Value {
        json!({
            "feed": self.feed(user).1,
            "conversations": self.conversations(user).1,
            "notifications": self.notifications(user).1,
            "connection_requests": self.connection_requests(user, true).len(),
        })
    }

    fn message(conversation: &Conversation, message: Uuid) -> Value {
        let found = &conversation.messages[&message];
        json!({
            "id": message,
            "sender_id": found.sender,
            "text": found.text,
            "created_at": time(id::millis(message)),
        })
    }

    /// None if there is no such message, or it is not for this user.
    pub fn one_message(&self, user: Uuid, conversation: Uuid, message: Uuid) -> Option<Value> {
        let found = self.conversations.get(&conversation)?;
        found.members.contains_key(&user).then_some(())?;
        let mut visible = found.visible(user);
        let exists = visible.any(|(id, _)| id == message);
        exists.then(|| Self::message(found, message))
    }

    /// Newest first; none if the user is not a member.
    pub fn messages(&self, user: Uuid, conversation: Uuid) -> Option<Vec<Value>> {
        let found = self.conversations.get(&conversation)?;
        found.members.contains_key(&user).then_some(())?;
        Some(
            found
                .visible(user)
                .rev()
                .map(|(message, _)| Self::message(found, message))
                .collect(),
        )
    }
}

/// The later link first; of two at the same time, the one with the greater id.
fn latest_first(links: impl Iterator<Item = (Uuid, i64)>) -> Vec<(Uuid, i64)> {
    let mut links: Vec<_> = links.collect();
    links.sort_unstable_by_key(|(id, at)| std::cmp::Reverse((*at, *id)));
    links
}
