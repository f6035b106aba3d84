//! Audiences: who sees a thread besides the author of its root post. [`Visibility`] decides what an account may do with a post.

pub mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use feedmill_events::event::{
    v1::{Audience, AudienceChanged},
    v2::PostCreated,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    block::Blocks,
    connection::Connections,
    decision::{Rejection, Resource},
    post::{Post, Posts},
    table::Table,
    tag::AudienceTags,
};

/// The maximum number of tags of an audience.
pub const MAX_TAGS: usize = 100;

/// The name of an audience in a request: the thread is for everyone, for the author's connections, for the members of any of the given
/// tags, or for nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(as = ChosenAudience, rename_all = "snake_case")]
pub enum AudienceKind {
    Public,
    Connections,
    Tags,
    Me,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be public, connections, tags or me")]
pub struct UnknownAudience;

impl TryFrom<String> for AudienceKind {
    type Error = UnknownAudience;

    fn try_from(name: String) -> Result<Self, UnknownAudience> {
        Ok(match &*name {
            "public" => Self::Public,
            "connections" => Self::Connections,
            "tags" => Self::Tags,
            "me" => Self::Me,
            _ => return Err(UnknownAudience),
        })
    }
}

/// What is wrong with the tags of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagsError {
    #[error("is missing")]
    Missing,
    #[error("needs the audience tags")]
    OtherAudience,
    #[error("must have 1 to {MAX_TAGS} ids")]
    Number,
}

/// The audience of a kind. `tags` may repeat ids. None if the request names no audience.
pub fn audience(
    kind: Option<AudienceKind>,
    tags: Option<Vec<Uuid>>,
) -> Result<Option<Audience>, TagsError> {
    let audience = match (kind, tags) {
        (Some(AudienceKind::Tags), None) => return Err(TagsError::Missing),
        (Some(AudienceKind::Tags), Some(tags)) => {
            if !(1..=MAX_TAGS).contains(&tags.len()) {
                return Err(TagsError::Number);
            }
            let ascending: BTreeSet<Uuid> = tags.into_iter().collect();
            Audience::Tags(ascending.into_iter().collect())
        }
        (_, Some(_)) => return Err(TagsError::OtherAudience),
        (None, None) => return Ok(None),
        (Some(AudienceKind::Public), None) => Audience::Public,
        (Some(AudienceKind::Connections), None) => Audience::Connections,
        (Some(AudienceKind::Me), None) => Audience::Me,
    };
    Ok(Some(audience))
}

/// The audience of a thread as an account sees it. Only the author of the root post sees the tags.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShownAudience {
    #[default]
    Public,
    Connections,
    Tags(Vec<Uuid>),
    Me,
    /// To tags or to nobody.
    Limited,
}

impl ShownAudience {
    pub fn of(audience: &Audience, is_root_author: bool) -> Self {
        match audience {
            Audience::Public => Self::Public,
            Audience::Connections => Self::Connections,
            Audience::Tags(tags) if is_root_author => Self::Tags(tags.clone()),
            Audience::Me if is_root_author => Self::Me,
            Audience::Tags(_) | Audience::Me => Self::Limited,
        }
    }
}

/// The audiences of threads.
#[derive(Debug, Default)]
pub struct Audiences {
    /// By root post, also of a deleted one. They are loaded with the posts of the threads. A public thread has no row.
    rows: Table<Uuid, Audience>,
    /// Accounts and the posts that they act on.
    acts: BTreeSet<(Uuid, Uuid)>,
    /// Root posts whose audience this batch sets.
    changing: BTreeSet<Uuid>,
}

impl Audiences {
    /// Requests a post, and what decides whether the actor sees it.
    pub fn request(&mut self, actor: Uuid, post: Uuid, posts: &mut Posts, blocks: &mut Blocks) {
        self.acts.insert((actor, post));
        match posts.known(post) {
            // In an import, which knows the authors of the posts that it will create.
            Some(known) => {
                blocks.request_between(actor, known.author);
                blocks.request_between(actor, known.root_author);
            }
            None => posts.request(post),
        }
    }

    /// Announces that a command of the batch sets the audience of a root post. What any audience needs is loaded for this thread.
    pub fn will_change(&mut self, root: Uuid) {
        self.changing.insert(root);
    }

    /// The accounts and the posts that they act on, as far as the posts are not loaded: their blocks are loaded with the posts.
    pub fn acts_on_unknown(&self, posts: &Posts) -> (Vec<Uuid>, Vec<Uuid>) {
        let unknown = |(_, post): &&(Uuid, Uuid)| posts.known(*post).is_none();
        self.acts.iter().filter(unknown).copied().unzip()
    }

    /// Requests the connections and the memberships that decide who sees the posts. Call it after the posts were loaded. Public
    /// threads, which are most, need none.
    pub fn request_relations(
        &mut self,
        posts: &Posts,
        connections: &mut Connections,
        tags: &mut AudienceTags,
    ) {
        for (actor, post) in std::mem::take(&mut self.acts) {
            let Some(post) = posts.known(post) else {
                continue;
            };
            let owner = post.root_author;
            if actor == owner || actor == post.author {
                continue;
            }
            let is_changing = self.changing.contains(&post.root);
            let audience = self.of(post.root);
            if is_changing || matches!(audience, Audience::Connections) {
                connections.request_pair(owner, actor);
            }
            if is_changing || matches!(audience, Audience::Tags(_)) {
                tags.request_memberships(owner, actor);
            }
        }
    }

    pub fn load(&mut self, root: Uuid, audience: Audience) {
        self.rows.load(root, audience);
    }

    /// The audience of the thread of a root post.
    pub fn of(&self, root: Uuid) -> &Audience {
        self.rows.get(&root).unwrap_or(&Audience::Public)
    }

    pub fn created(&mut self, event: &PostCreated) {
        match &event.audience {
            None | Some(Audience::Public) => {}
            Some(audience) => self.rows.insert(event.post, audience.clone()),
        }
    }

    pub fn changed(&mut self, event: &AudienceChanged) {
        match &event.audience {
            Audience::Public => self.rows.remove(&event.post),
            audience => self.rows.insert(event.post, audience.clone()),
        }
    }
}

/// What an account may do with a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Visible,
    /// The account would see the post if it did not block the author.
    Blocked,
    /// For the account, there is no such post.
    Hidden,
}

impl Access {
    /// Rejects an act on a post that the actor does not see. `field` is the field of the body that names the post.
    pub fn require(self, field: Option<&'static str>) -> Result<(), Rejection> {
        match self {
            Self::Visible => Ok(()),
            Self::Blocked => Err(Rejection::Blocked),
            Self::Hidden => Err(Rejection::NotFound {
                resource: Resource::Post,
                field,
            }),
        }
    }
}

/// What decides who sees which posts. All of it was requested with [`Audiences::request`].
#[derive(Debug, Clone, Copy)]
pub struct Visibility<'s> {
    pub audiences: &'s Audiences,
    pub blocks: &'s Blocks,
    pub connections: &'s Connections,
    pub tags: &'s AudienceTags,
}

impl Visibility<'_> {
    pub fn access(&self, actor: Uuid, post: &Post) -> Access {
        let (author, root_author) = (post.author, post.root_author);
        if actor == author {
            return Access::Visible;
        }
        let blocks_author = self.blocks.has(actor, author);
        let is_hidden = self.blocks.has(author, actor) && !blocks_author
            || root_author != author && self.blocks.is_between(actor, root_author)
            || !self.is_in_audience(actor, post);
        if is_hidden {
            Access::Hidden
        } else if blocks_author {
            Access::Blocked
        } else {
            Access::Visible
        }
    }

    /// Whether the actor is the author of the thread's root post, or the thread is for the actor.
    fn is_in_audience(&self, actor: Uuid, post: &Post) -> bool {
        let owner = post.root_author;
        actor == owner
            || match self.audiences.of(post.root) {
                Audience::Public => true,
                Audience::Connections => self.connections.are_connected(owner, actor),
                Audience::Tags(tags) => (tags.iter()).any(|tag| self.tags.has(owner, actor, *tag)),
                Audience::Me => false,
            }
    }
}
