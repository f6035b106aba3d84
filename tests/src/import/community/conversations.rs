//! Conversations, their messages and read marks.

use std::collections::BTreeSet;

use rand::{
    Rng,
    rngs::StdRng,
    seq::{IteratorRandom as _, SliceRandom},
};

use super::Community;
use crate::import::record::What;

impl Community {
    pub fn conversation(&mut self, rng: &mut StdRng) -> Option<What> {
        let size = if rng.gen_bool(0.3) { 3 } else { 2 };
        let members: BTreeSet<_> = (0..size).map(|_| self.someone(rng)).collect();
        let members = Vec::from_iter(members);
        let mut known = self.conversations.values();
        // Two people have one conversation of their own.
        if members.len() < 2 || members.len() == 2 && known.any(|(known, _)| *known == members) {
            return None;
        }
        let mut pairs = members
            .iter()
            .flat_map(|a| members.iter().map(move |b| (a, b)));
        if pairs.any(|(a, b)| self.is_blocked(a, b)) {
            return None;
        }
        let id = format!("conversation {}", self.conversations.len());
        let title = (members.len() > 2).then(|| "Three of us".to_owned());
        self.conversations
            .insert(id.clone(), (members.clone(), Vec::new()));
        Some(What::Conversation { id, members, title })
    }

    pub fn message(&mut self, rng: &mut StdRng) -> Option<What> {
        let (conversation, (members, messages)) = self.conversations.iter().choose(rng)?;
        let is_closed = members.len() == 2 && self.is_blocked(&members[0], &members[1]);
        if is_closed {
            return None;
        }
        let (conversation, sender) = (conversation.clone(), members.choose(rng)?.clone());
        let id = format!("{conversation}, message {}", messages.len());
        let (_, messages) = self.conversations.get_mut(&conversation)?;
        messages.push(id.clone());
        Some(What::Message {
            text: format!("Hello from {id}"),
            id,
            conversation,
            sender,
        })
    }

    pub fn read(&mut self, rng: &mut StdRng) -> Option<What> {
        let all: Vec<_> = self.conversations.iter().collect();
        let (conversation, (members, messages)) = all.choose(rng)?;
        Some(What::Read {
            up_to: messages.choose(rng)?.clone(),
            conversation: (*conversation).clone(),
            user: members.choose(rng)?.clone(),
        })
    }
}
