//! Accounts and lists of them.

use feedmill_events::event::v1::Audience;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{latest_first, time};
use crate::{
    link::LinkKind,
    oracle::{Oracle, audience_code, who_may_message_code},
};

impl Oracle {
    pub fn account_summary(&self, user: Uuid) -> Value {
        let account = &self.accounts[&user];
        json!({"id": user, "handle": account.handle, "display_name": account.display_name})
    }

    /// Whether the viewer is told that this account exists: unless it blocks them, and they do not block it.
    pub fn exists_for(&self, viewer: Uuid, user: Uuid) -> bool {
        let (blocking, blocked) = (
            self.blocks.blocks(viewer, user),
            self.blocks.blocks(user, viewer),
        );
        self.accounts.contains_key(&user) && (blocking || !blocked)
    }

    /// None if there is no such account for the viewer. Of somebody whom the viewer blocks, the profile is empty.
    pub fn profile(&self, viewer: Uuid, user: Uuid) -> Option<Value> {
        self.exists_for(viewer, user).then_some(())?;
        let account = self.accounts.get(&user)?;
        let is_bare = self.blocks.blocks(viewer, user);
        let count = |count: usize| if is_bare { 0 } else { count };
        let public_posts = self.posts.iter().filter(|(id, post)| {
            post.author == user && self.thread_of(**id).audience == Audience::Public
        });
        Some(json!({
            "id": user,
            "handle": account.handle,
            "display_name": account.display_name,
            "bio": if is_bare { "" } else { &account.bio },
            "created_at": time(account.created_at),
            "followers_count": count(self.count_links_to(LinkKind::Follow, user)),
            "following_count": count(self.links_from(LinkKind::Follow, user).count()),
            "connections_count": count(self.connections.of(user).count()),
            "posts_count": count(public_posts.count()),
        }))
    }

    /// The viewer's own profile, with the settings.
    pub fn me(&self, viewer: Uuid) -> Option<Value> {
        let mut profile = self.profile(viewer, viewer)?;
        let settings = self.settings(viewer);
        profile["default_audience"] = json!(audience_code(&settings.default_audience).0);
        profile["who_may_message"] = json!(who_may_message_code(settings.who_may_message).0);
        Some(profile)
    }

    /// Latest first, without those who have a block with the viewer; and how many there are, whoever looks. None if the two have
    /// a block.
    pub fn followers(&self, viewer: Uuid, user: Uuid) -> Option<(Vec<Value>, usize)> {
        let followers = || self.links_to(LinkKind::Follow, user);
        let items = || self.shown_latest_first(viewer, followers(), "followed_at");
        let hidden = self.blocks.between(user, viewer);
        (!hidden).then(|| (items(), followers().count()))
    }

    /// The same for the accounts that this one follows.
    pub fn following(&self, viewer: Uuid, user: Uuid) -> Option<(Vec<Value>, usize)> {
        let following = || self.links_from(LinkKind::Follow, user);
        let items = || self.shown_latest_first(viewer, following(), "followed_at");
        let hidden = self.blocks.between(user, viewer);
        (!hidden).then(|| (items(), following().count()))
    }

    /// Accounts that have no block with the viewer, with the time of their link in `field`.
    pub(super) fn shown_latest_first(
        &self,
        viewer: Uuid,
        links: impl Iterator<Item = (Uuid, i64)>,
        field: &str,
    ) -> Vec<Value> {
        let shown = links.filter(|(user, _)| !self.blocks.between(*user, viewer));
        self.accounts_latest_first(shown, field)
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

    /// Latest first, without those who have a block with the viewer; and how many there are, whoever looks. None unless the
    /// viewer is the user or connected with them.
    pub fn connections(&self, viewer: Uuid, user: Uuid) -> Option<(Vec<Value>, usize)> {
        let visible = viewer == user || self.connections.are_connected(user, viewer);
        let connections = || self.connections.of(user);
        let links = connections().map(|(other, found)| (other, found.connected_at));
        let items = || self.shown_latest_first(viewer, links, "connected_at");
        visible.then(|| (items(), connections().count()))
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

    /// The accounts that the viewer blocks, latest first.
    pub fn block_list(&self, viewer: Uuid) -> Vec<Value> {
        self.accounts_latest_first(self.blocks.of(viewer), "blocked_at")
    }

    /// The accounts that the viewer mutes, latest first, blocked or not.
    pub fn mute_list(&self, viewer: Uuid) -> Vec<Value> {
        self.accounts_latest_first(self.links_from(LinkKind::Mute, viewer), "muted_at")
    }

    /// How the viewer and each of these accounts are related, without those that do not exist for the viewer.
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
                "blocking": self.blocks.blocks(viewer, *user),
                "muting": self.mutes(viewer, *user),
            })
        };
        let users = users.iter().filter(|user| self.exists_for(viewer, **user));
        json!({"items": users.map(relationship).collect::<Vec<_>>()})
    }
}
