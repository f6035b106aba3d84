//! Posts, replies and their audiences.

use feedmill_events::{
    Event, Partition,
    event::{
        v1::{Audience, AudienceChanged, Parent, PostDeleted, PostEdited},
        v2::PostCreated,
    },
};
use rand::{Rng as _, seq::SliceRandom as _};
use uuid::Uuid;

use super::World;

impl World {
    pub(super) fn post(&mut self) -> Option<Event> {
        let author = self.any_account()?;
        let audience = self.any_audience(author);
        let post = self.new_post(author, Partition::of(author));
        Some(Event::PostCreated(PostCreated {
            post,
            author,
            reply_to: None,
            text: format!("Text of {post}"),
            root_author: Some(author),
            audience: Some(audience),
        }))
    }

    pub(super) fn reply(&mut self) -> Option<Event> {
        let author = self.any_account()?;
        let to = self.any_visible_post(author)?;
        let post = self.new_post(author, Partition::of(to));
        Some(Event::PostCreated(PostCreated {
            post,
            author,
            reply_to: Some(self.parent(to)),
            text: format!("Text of {post}"),
            root_author: Some(self.oracle.thread_of(to).author),
            audience: None,
        }))
    }

    fn new_post(&mut self, author: Uuid, partition: Partition) -> Uuid {
        let post = self.id(Some(partition));
        self.authors.insert(post, author);
        post
    }

    fn parent(&self, post: Uuid) -> Parent {
        let author = self.authors[&post];
        Parent { post, author }
    }

    /// Half of the audiences are public. Those with tags have one or two.
    fn any_audience(&mut self, author: Uuid) -> Audience {
        let tags = self.oracle.tags.of_owner(author);
        let tags: Vec<Uuid> = tags.map(|(id, _)| id).collect();
        let rng = self.rng();
        match rng.gen_range(0..10) {
            0..2 => Audience::Connections,
            2 => Audience::Me,
            3..5 if !tags.is_empty() => {
                let count = rng.gen_range(1..=2);
                let mut tags: Vec<Uuid> = tags.choose_multiple(rng, count).copied().collect();
                tags.sort_unstable();
                Audience::Tags(tags)
            }
            _ => Audience::Public,
        }
    }

    pub(super) fn change_audience(&mut self) -> Option<Event> {
        let post = self.any_post()?;
        let author = self.authors[&post];
        let audience = self.any_audience(author);
        let is_root = self.oracle.posts[&post].reply_to.is_none();
        let changes = is_root && self.oracle.threads[&post].audience != audience;
        changes.then_some(Event::AudienceChanged(AudienceChanged {
            post,
            author,
            audience,
        }))
    }

    pub(super) fn edit(&mut self) -> Option<Event> {
        let (post, now) = (self.any_post()?, self.now);
        Some(Event::PostEdited(PostEdited {
            post,
            author: self.oracle.posts[&post].author,
            text: format!("Text of {post} at {now}"),
        }))
    }

    pub(super) fn delete(&mut self) -> Option<Event> {
        let post = self.any_post()?;
        let known = &self.oracle.posts[&post];
        Some(Event::PostDeleted(PostDeleted {
            post,
            author: known.author,
            reply_to: known.reply_to.map(|parent| self.parent(parent)),
        }))
    }
}
