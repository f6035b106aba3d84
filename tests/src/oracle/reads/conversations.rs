//! Conversations and their messages.

use feedmill_events::id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::time;
use crate::oracle::{Conversation, Oracle};

impl Oracle {
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
            .filter(|(_, _, found)| !found.members[&user].muted && !self.is_closed(found));
        let total = loud.map(|(_, _, found)| found.unread(user)).sum();
        (views.collect(), total)
    }

    /// With the read marks of its members, but for the other's in a conversation of two with a block; none if the user is not one
    /// of them.
    pub fn conversation(&self, user: Uuid, conversation: Uuid) -> Option<Value> {
        let found = self.conversations.get(&conversation)?;
        found.members.contains_key(&user).then_some(())?;
        let members = found.members.iter().map(|(account, member)| {
            let mut view = self.account_summary(*account);
            let is_shown = *account == user || !self.is_closed(found);
            view["read_up_to"] = json!(member.read_up_to.filter(|_| is_shown));
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
