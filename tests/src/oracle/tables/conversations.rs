//! Conversations, their members and messages.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::id;
use uuid::Uuid;

use super::{Table, or_dash};
use crate::oracle::Oracle;

pub fn rows(oracle: &Oracle) -> Vec<Table> {
    let (mut conversations, mut members, mut messages) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut counts: BTreeMap<Uuid, usize> = BTreeMap::new();
    for (id, found) in &oracle.conversations {
        let title = found.title.as_deref().unwrap_or("-");
        let last = found.last_message();
        let count = found.messages.len();
        let (last, is_pair) = (or_dash(last), found.is_pair);
        conversations.insert(format!("{id} {title} {is_pair} {count} {last}"));
        for (message, said) in &found.messages {
            let (sender, at, text) = (said.sender, id::millis(*message), &said.text);
            messages.insert(format!("{id} {message} {sender} {at} {text}"));
        }
        for (account, member) in &found.members {
            *counts.entry(*account).or_default() += 1;
            let activity = found.activity(*id, *account);
            let (since, hidden) = (
                or_dash(member.since),
                count - found.visible(*account).count(),
            );
            let (mark, unread) = (or_dash(member.read_up_to), found.unread(*account));
            let muted = member.muted;
            members.insert(format!(
                "{account} {id} {activity} {mark} {unread} {muted} {since} {hidden}"
            ));
        }
    }
    vec![
        Table {
            name: "conversations",
            select: "SELECT concat_ws(' ', id, coalesce(title, '-'), pair::text, message_count,
                coalesce(last_message::text, '-')) FROM conversations",
            rows: conversations,
        },
        Table {
            name: "messages",
            select: "SELECT concat_ws(' ', conversation, id, sender,
                (extract(epoch FROM created_at) * 1000)::bigint, text) FROM messages",
            rows: messages,
        },
        Table {
            name: "members",
            select: "SELECT concat_ws(' ', user_id, conversation, activity, coalesce(read_up_to::text, '-'),
                unread_count, CASE WHEN muted THEN 'true' ELSE 'false' END,
                coalesce(since::text, '-'), hidden_count) FROM members",
            rows: members,
        },
        Table {
            name: "conversation_counts",
            select: "SELECT concat_ws(' ', user_id, conversations) FROM conversation_counts",
            rows: counts
                .iter()
                .map(|(user, count)| format!("{user} {count}"))
                .collect(),
        },
    ]
}
