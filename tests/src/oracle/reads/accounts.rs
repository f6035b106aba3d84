//! Accounts and lists of them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{latest_first, time};
use crate::{link::LinkKind, oracle::Oracle};

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

    /// Latest first.
    pub fn followers(&self, user: Uuid) -> Vec<Value> {
        self.accounts_latest_first(self.links_to(LinkKind::Follow, user), "followed_at")
    }

    /// Latest first.
    pub fn following(&self, user: Uuid) -> Vec<Value> {
        self.accounts_latest_first(self.links_from(LinkKind::Follow, user), "followed_at")
    }

    /// Accounts with the time of their link in `field`.
    pub(super) fn accounts_latest_first(
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
}
