//! Posts and their audiences.

use rand::{
    Rng,
    rngs::StdRng,
    seq::{IteratorRandom as _, SliceRandom},
};

use super::{Community, NamedPost};
use crate::{
    import::record::{NamedAudience, What},
    link::LinkTarget,
};

impl Community {
    /// A root post, or a reply to a post that the author sees.
    pub fn post(&mut self, rng: &mut StdRng) -> What {
        let number = self.post_count;
        self.post_count += 1;
        let (id, author) = (format!("post {number}"), self.someone(rng));
        let visible = self.posts.iter();
        let visible = visible.filter(|post| self.sees(&author, &post.id));
        let parent = visible.choose(rng).map(|post| post.id.clone());
        let reply_to = parent.filter(|_| rng.gen_bool(0.3));
        let is_root = reply_to.is_none();
        // Many name none, as the records of a community without audiences.
        let audience = if is_root && rng.gen_bool(0.5) {
            Some(self.named_audience(&author, rng))
        } else {
            None
        };
        self.posts.push(NamedPost {
            id: id.clone(),
            author: author.clone(),
            is_root,
        });
        What::Post {
            id,
            author,
            text: format!("No. {number}: naïve café, 東京 🌾"),
            reply_to,
            audience,
        }
    }

    /// Changes the audience of a root post, perhaps to the same one.
    pub fn audience(&mut self, rng: &mut StdRng) -> Option<What> {
        let roots = self.posts.iter().filter(|post| post.is_root);
        let root = roots.choose(rng)?;
        Some(What::Audience {
            audience: self.named_audience(&root.author, rng),
            post: root.id.clone(),
        })
    }

    pub fn post_deleted(&mut self, rng: &mut StdRng) -> Option<What> {
        let index = (0..self.posts.len()).choose(rng)?;
        let id = self.posts.remove(index).id;
        let is_of = |kind: LinkTarget, to: &String| kind == LinkTarget::Post && *to == id;
        self.links.retain(|(kind, _, to)| !is_of(kind.target(), to));
        Some(What::PostDeleted { id })
    }

    fn named_audience(&self, author: &str, rng: &mut StdRng) -> NamedAudience {
        let tags = self.tags.iter().filter(|(_, (owner, _))| owner == author);
        let mut tags: Vec<_> = tags.map(|(tag, _)| tag.clone()).collect();
        tags.shuffle(rng);
        tags.truncate(2);
        match rng.gen_range(0..8) {
            0 | 1 => NamedAudience::Public,
            2 => NamedAudience::Me,
            3..6 if !tags.is_empty() => NamedAudience::Tags(tags),
            _ => NamedAudience::Connections,
        }
    }
}
