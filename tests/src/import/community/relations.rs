//! Links, connections, blocks and tags.

use std::collections::BTreeSet;

use rand::{
    Rng,
    rngs::StdRng,
    seq::{IteratorRandom, SliceRandom},
};

use super::Community;
use crate::{
    import::record::What,
    link::{LinkKind, LinkTarget},
};

impl Community {
    /// A new link, or the end of one. Sometimes the last one again, perhaps at the same time.
    pub fn link(&mut self, kind: LinkKind, rng: &mut StdRng) -> Option<What> {
        if rng.gen_bool(0.3)
            && let Some((from, to)) = self.last_links.get(&kind).cloned()
        {
            return self.toggle(kind, from, to);
        }
        let from = self.someone(rng);
        // One account mutes nobody, so that the read models' total of its notifications is used.
        if kind == LinkKind::Mute && from == "user 0" {
            return None;
        }
        let to = match kind.target() {
            LinkTarget::Account => Some(self.someone(rng)).filter(|to| *to != from),
            LinkTarget::Post => {
                let recent = &self.posts[self.posts.len().saturating_sub(20)..];
                recent.choose(rng).map(|post| post.id.clone())
            }
        }?;
        let link = (kind, from.clone(), to.clone());
        if self.links.contains(&link) && rng.gen_bool(0.5) {
            return None;
        }
        self.toggle(kind, from, to)
    }

    /// Makes the link, if it may be made, or undoes it.
    fn toggle(&mut self, kind: LinkKind, from: String, to: String) -> Option<What> {
        let link = (kind, from.clone(), to.clone());
        let make = !self.links.remove(&link);
        if make {
            let is_refused = match kind {
                LinkKind::Like | LinkKind::Bookmark => !self.sees(&from, &to),
                LinkKind::Follow => self.is_blocked(&from, &to),
                LinkKind::Mute => false,
            };
            if is_refused {
                return None;
            }
            self.links.insert(link);
        }
        self.last_links.insert(kind, (from.clone(), to.clone()));
        Some(What::Link {
            kind,
            make,
            from,
            to,
        })
    }

    /// Blocks an account, which cuts what connects the two; or unblocks one.
    pub fn block(&mut self, rng: &mut StdRng) -> Option<What> {
        let ended = self.blocks.iter().choose(rng).cloned();
        if let Some((from, to)) = ended.filter(|_| rng.gen_bool(0.4)) {
            self.blocks.remove(&(from.clone(), to.clone()));
            let block = false;
            return Some(What::Block { block, from, to });
        }
        let (from, to) = (self.someone(rng), self.someone(rng));
        // One account has no blocks, so that the read models' total of its notifications is used.
        if from == to || [&from, &to].iter().any(|user| *user == "user 0") {
            return None;
        }
        for (a, b) in [(&from, &to), (&to, &from)] {
            let follow = (LinkKind::Follow, a.clone(), b.clone());
            self.links.remove(&follow);
            self.connections.remove(&(a.clone(), b.clone()));
        }
        self.end_memberships(&from, &to);
        self.blocks.insert((from.clone(), to.clone()));
        let block = true;
        Some(What::Block { block, from, to })
    }

    /// In the tags of either of the two.
    fn end_memberships(&mut self, a: &String, b: &String) {
        for (owner, members) in self.tags.values_mut() {
            if owner == a {
                members.remove(b);
            } else if owner == b {
                members.remove(a);
            }
        }
    }

    /// A new connection, or the end of one.
    pub fn connection(&mut self, rng: &mut StdRng) -> Option<What> {
        let ended = self.connections.iter().choose(rng).cloned();
        if let Some((from, to)) = ended.filter(|_| rng.gen_bool(0.25)) {
            self.connections.remove(&(from.clone(), to.clone()));
            self.end_memberships(&from, &to);
            let connect = false;
            return Some(What::Connection { connect, from, to });
        }
        let (from, to) = (self.someone(rng), self.someone(rng));
        let known = [(from.clone(), to.clone()), (to.clone(), from.clone())];
        let is_known = known.iter().any(|pair| self.connections.contains(pair));
        if from == to || is_known || self.is_blocked(&from, &to) {
            return None;
        }
        self.connections.insert((from.clone(), to.clone()));
        let connect = true;
        Some(What::Connection { connect, from, to })
    }

    /// A new tag, the end of one, a new member, or the end of a membership.
    pub fn tag(&mut self, rng: &mut StdRng) -> Option<What> {
        let found = self.tags.keys().choose(rng).cloned();
        let Some(tag) = found.filter(|_| rng.gen_bool(0.7)) else {
            let (id, name) = (
                format!("tag {}", self.tag_count),
                format!("Nº {}", self.tag_count),
            );
            self.tag_count += 1;
            // Of somebody who has a connection.
            let (owner, _) = self.connections.iter().choose(rng)?.clone();
            self.tags
                .insert(id.clone(), (owner.clone(), BTreeSet::new()));
            return Some(What::Tag { id, owner, name });
        };
        if rng.gen_bool(0.05) {
            self.tags.remove(&tag);
            return Some(What::TagDeleted { id: tag });
        }
        let (owner, members) = self.tags.get_mut(&tag)?;
        if rng.gen_bool(0.3) {
            let user = members.iter().choose(rng)?.clone();
            members.remove(&user);
            let add = false;
            return Some(What::TagMember { add, tag, user });
        }
        let of_owner = self.connections.iter().filter_map(|(from, to)| {
            let other = if from == owner {
                Some(to)
            } else {
                (to == owner).then_some(from)
            };
            other.cloned()
        });
        let user = of_owner.choose(rng)?;
        let add = true;
        members
            .insert(user.clone())
            .then_some(What::TagMember { add, tag, user })
    }
}
