//! Notifications, and how much is unread.

use feedmill_events::id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::time;
use crate::{link::LinkKind, oracle::Oracle};

/// The id of a notification: the time of the action, and a hash of its kind, actor and object.
fn notification_id(kind: &str, at: i64, actor: Uuid, object: Uuid) -> Uuid {
    let action = [kind.as_bytes(), actor.as_bytes(), object.as_bytes()].concat();
    id::compose(at, 0, id::fnv1a(action), None)
}

impl Oracle {
    /// What others did to this user's account and posts, if it stands, newest first; and `unread_count`. Without what is by
    /// somebody who has a block with the user or whom the user mutes, and without replies that the user does not see.
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
        all.retain(|(_, _, actor, post)| {
            let is_hidden = self.mutes(user, *actor) || self.blocks.between(*actor, user);
            *actor != user && !is_hidden && post.is_none_or(|post| self.visible(user, post))
        });
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
}
