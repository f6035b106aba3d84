//! Every read, by its definition: the whole of each list, in order, as the items that pages are made of.

use chrono::{DateTime, Datelike, Days, NaiveDate, SecondsFormat, Utc};
use feedmill_events::id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Conversation, Model};

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

    /// From, and to (which is no longer in it), in Unix milliseconds.
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

/// The id of a notification: the act's time, and a hash of what, who and to which.
fn act_id(kind: &str, at: i64, actor: Uuid, thing: Uuid) -> Uuid {
    let act = [kind.as_bytes(), actor.as_bytes(), thing.as_bytes()].concat();
    id::compose(at, 0, id::fnv1a(act), None)
}

impl Model {
    pub fn card(&self, user: Uuid) -> Value {
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
            "created_at": time(id::millis(user)),
            "followers_count": self.followers(user).len(),
            "following_count": self.following(user).len(),
            "posts_count": self.posts.values().filter(|post| post.author == user).count(),
        }))
    }

    pub fn likes_of(&self, post: Uuid) -> usize {
        self.likes
            .range((post, Uuid::nil())..=(post, Uuid::max()))
            .count()
    }

    pub fn replies_of(&self, post: Uuid) -> usize {
        self.posts
            .values()
            .filter(|reply| reply.reply_to == Some(post))
            .count()
    }

    /// A post as this viewer sees it; none if it is gone.
    pub fn post(&self, viewer: Uuid, post: Uuid) -> Option<Value> {
        let found = self.posts.get(&post)?;
        Some(json!({
            "id": post,
            "author": self.card(found.author),
            "text": found.text,
            "reply_to": found.reply_to,
            "created_at": time(id::millis(post)),
            "like_count": self.likes_of(post),
            "reply_count": self.replies_of(post),
            "liked_by_me": self.likes.contains_key(&(post, viewer)),
        }))
    }

    fn views(&self, viewer: Uuid, posts: impl IntoIterator<Item = Uuid>) -> Vec<Value> {
        posts
            .into_iter()
            .filter_map(|post| self.post(viewer, post))
            .collect()
    }

    /// The direct replies, oldest first. Replies outlive what they answer; none if there is neither the post
    /// nor a reply to it.
    pub fn replies(&self, viewer: Uuid, post: Uuid) -> Option<Vec<Value>> {
        let replies = self.posts.iter();
        let replies = replies.filter(|(_, reply)| reply.reply_to == Some(post));
        let replies = self.views(viewer, replies.map(|(id, _)| *id));
        (self.posts.contains_key(&post) || !replies.is_empty()).then_some(replies)
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
        let seen = |author| author == viewer || self.follows.contains_key(&(viewer, author));
        let posts = self.posts.iter().rev();
        posts
            .filter(|(_, post)| post.reply_to.is_none() && seen(post.author))
            .map(|(id, _)| *id)
            .collect()
    }

    pub fn feed(&self, viewer: Uuid) -> Vec<Value> {
        self.views(viewer, self.feed_ids(viewer))
    }

    /// Latest first.
    pub fn followers(&self, user: Uuid) -> Vec<Value> {
        let follows = self
            .follows
            .iter()
            .filter(|((_, followee), _)| *followee == user);
        self.latest_first(
            follows
                .map(|((follower, _), at)| (*at, *follower))
                .collect(),
        )
    }

    pub fn following(&self, user: Uuid) -> Vec<Value> {
        let follows = self
            .follows
            .iter()
            .filter(|((follower, _), _)| *follower == user);
        self.latest_first(
            follows
                .map(|((_, followee), at)| (*at, *followee))
                .collect(),
        )
    }

    fn latest_first(&self, mut follows: Vec<(i64, Uuid)>) -> Vec<Value> {
        follows.sort_unstable_by(|a, b| b.cmp(a));
        let view = |(at, user)| {
            let mut card = self.card(user);
            card["followed_at"] = json!(time(at));
            card
        };
        follows.into_iter().map(view).collect()
    }

    pub fn digest(&self, viewer: Uuid, period: Period) -> Value {
        let (from, to) = period.bounds();
        let inside = |at: i64| (from..to).contains(&at);
        let mine = |post: Uuid| {
            self.posts
                .get(&post)
                .is_some_and(|post| post.author == viewer)
        };
        let mut posts = self.feed_ids(viewer);
        posts.retain(|post| inside(id::millis(*post)));
        let likes = self.likes.iter();
        let likes = likes
            .filter(|((post, user), at)| mine(*post) && *user != viewer && inside(**at))
            .count();
        let replies = self.posts.iter().filter(|(reply, found)| {
            found.reply_to.is_some_and(mine)
                && found.author != viewer
                && inside(id::millis(**reply))
        });
        let follows = self.follows.iter();
        let follows = follows
            .filter(|((_, followee), at)| *followee == viewer && inside(**at))
            .count();
        let messages = self
            .conversations
            .values()
            .filter(|conversation| conversation.members.contains_key(&viewer))
            .flat_map(|conversation| &conversation.messages)
            .filter(|(message, found)| found.sender != viewer && inside(id::millis(**message)));
        let counters = json!({
            "posts": posts.len(),
            "likes_received": likes,
            "replies_received": replies.count(),
            "new_followers": follows,
            "messages_received": messages.count(),
        });
        // Stable: of two with the same score the newer stays in front.
        posts.sort_by_key(|post| {
            std::cmp::Reverse(3 * self.replies_of(*post) + self.likes_of(*post))
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

    fn unread(conversation: &Conversation, user: Uuid) -> usize {
        let mark = conversation.members.get(&user).copied().flatten();
        let messages = conversation.messages.iter();
        messages
            .filter(|(id, message)| message.sender != user && Some(**id) > mark)
            .count()
    }

    /// Newest activity first; and the sum of what is unread.
    pub fn conversations(&self, user: Uuid) -> (Vec<Value>, usize) {
        let mine = self
            .conversations
            .iter()
            .filter(|(_, found)| found.members.contains_key(&user));
        let mut mine: Vec<_> = mine
            .map(|(id, found)| {
                (
                    found
                        .messages
                        .last_key_value()
                        .map_or(*id, |(last, _)| *last),
                    *id,
                    found,
                )
            })
            .collect();
        mine.sort_by_key(|(activity, id, _)| std::cmp::Reverse((*activity, *id)));
        let views = mine.iter().map(|(_, id, found)| {
            json!({
                "id": id,
                "title": found.title,
                "members": found.members.keys().map(|member| self.card(*member)).collect::<Vec<_>>(),
                "message_count": found.messages.len(),
                "unread_count": Self::unread(found, user),
                "last_message": found.messages.last_key_value().map(|(id, _)| Self::message(found, *id)),
            })
        });
        let total = mine
            .iter()
            .map(|(_, _, found)| Self::unread(found, user))
            .sum();
        (views.collect(), total)
    }

    /// What others did to what is the user's and stands, newest first; and how much of it is not read.
    pub fn notifications(&self, user: Uuid) -> (Vec<Value>, usize) {
        // Id, kind, actor, and the post that is shown.
        let mut acts: Vec<(Uuid, &str, Uuid, Option<Uuid>)> = Vec::new();
        for ((follower, followee), at) in &self.follows {
            if *followee == user {
                acts.push((
                    act_id("follow", *at, *follower, user),
                    "follow",
                    *follower,
                    None,
                ));
            }
        }
        for ((post, actor), at) in &self.likes {
            if self.posts[post].author == user {
                acts.push((
                    act_id("like", *at, *actor, *post),
                    "like",
                    *actor,
                    Some(*post),
                ));
            }
        }
        for (reply, found) in &self.posts {
            let parent = found.reply_to.and_then(|parent| self.posts.get(&parent));
            if parent.is_some_and(|parent| parent.author == user) {
                let id = act_id("reply", id::millis(*reply), found.author, *reply);
                acts.push((id, "reply", found.author, Some(*reply)));
            }
        }
        acts.retain(|(_, _, actor, _)| *actor != user);
        acts.sort_unstable_by(|a, b| b.cmp(a));
        let mark = self.notification_marks.get(&user).copied();
        let read = |id: Uuid| mark.is_some_and(|mark| id <= mark);
        let unread = acts.iter().filter(|(id, ..)| !read(*id)).count();
        let view = |(id, kind, actor, post): (Uuid, &str, Uuid, Option<Uuid>)| {
            let text = |id| json!({"id": id, "text": self.posts[&id].text, "reply_to": self.posts[&id].reply_to});
            json!({
                "id": id,
                "type": kind,
                "actor": self.card(actor),
                "post": post.map(text),
                "created_at": time(id::millis(id)),
                "read": read(id),
            })
        };
        (acts.into_iter().map(view).collect(), unread)
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

    /// Newest first; none for who is not in it.
    pub fn messages(&self, user: Uuid, conversation: Uuid) -> Option<Vec<Value>> {
        let found = self.conversations.get(&conversation)?;
        found.members.contains_key(&user).then_some(())?;
        Some(
            found
                .messages
                .keys()
                .rev()
                .map(|message| Self::message(found, *message))
                .collect(),
        )
    }
}
