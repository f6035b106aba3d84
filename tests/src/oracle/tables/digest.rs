//! The counters of a digest.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use feedmill_events::id;
use uuid::Uuid;

use super::{Table, day, or_dash};
use crate::{link::LinkKind, oracle::Oracle};

/// What a viewer received on a day.
#[derive(Default)]
struct Received {
    likes: u64,
    replies: u64,
    followers: u64,
    connections: u64,
    messages: u64,
}

pub fn rows(oracle: &Oracle) -> Vec<Table> {
    let mut days: BTreeMap<(Uuid, NaiveDate), Received> = BTreeMap::new();
    let mut posts: BTreeMap<(Uuid, NaiveDate), Received> = BTreeMap::new();
    // By others, to a post that stands.
    let mut receive = |post: Uuid, actor: Uuid, at: i64, add: fn(&mut Received)| {
        let author = oracle.posts.get(&post).map(|post| post.author);
        if let Some(author) = author.filter(|author| *author != actor) {
            add(posts.entry((post, day(at))).or_default());
            add(days.entry((author, day(at))).or_default());
        }
    };
    for (user, post, at) in oracle.links(LinkKind::Like) {
        receive(post, user, at, |received| received.likes += 1);
    }
    for (id, reply) in &oracle.posts {
        if let Some(parent) = reply.reply_to {
            let at = id::millis(*id);
            receive(parent, reply.author, at, |received| received.replies += 1);
        }
    }
    for (_, followee, at) in oracle.links(LinkKind::Follow) {
        days.entry((followee, day(at))).or_default().followers += 1;
    }
    for (account, _, found) in oracle.connections.sides() {
        let day = day(found.connected_at);
        days.entry((account, day)).or_default().connections += 1;
    }
    for conversation in oracle.conversations.values() {
        for account in conversation.participants() {
            for message in conversation.received(account) {
                let day = day(id::millis(message));
                days.entry((account, day)).or_default().messages += 1;
            }
        }
    }
    let members = oracle.conversations.iter();
    let members = members.flat_map(|(id, found)| {
        let members = found.members.iter();
        members.map(move |(account, member)| format!("{id} {account} {}", or_dash(member.since)))
    });
    let former = oracle.conversations.iter();
    let former = former.flat_map(|(id, found)| {
        let former = found.former.iter();
        let spans = former.filter(|former| former.since < Some(former.until));
        spans.map(move |former| {
            let since = or_dash(former.since);
            format!("{id} {} {since} {}", former.account, former.until)
        })
    });
    let days = days.iter().map(|((viewer, day), received)| {
        let Received {
            likes,
            replies,
            followers,
            connections,
            messages,
        } = received;
        format!("{viewer} {day} {likes} {replies} {followers} {connections} {messages}")
    });
    let posts = posts.iter().map(|((post, day), received)| {
        let (author, likes, replies) =
            (oracle.posts[post].author, received.likes, received.replies);
        format!("{post} {day} {author} {likes} {replies}")
    });
    vec![
        Table {
            name: "digest_days",
            select:
                "SELECT concat_ws(' ', viewer, day, likes_received, replies_received, new_followers,
                new_connections, messages_received) FROM digest_days",
            rows: days.collect(),
        },
        Table {
            name: "digest_received",
            select: "SELECT concat_ws(' ', post_id, day, author, likes, replies) FROM digest_received",
            rows: posts.collect(),
        },
        Table {
            name: "digest_members",
            select: "SELECT concat_ws(' ', conversation, member, coalesce(since::text, '-')) FROM digest_members",
            rows: members.collect(),
        },
        Table {
            name: "digest_former_members",
            select: "SELECT concat_ws(' ', conversation, member, coalesce(since::text, '-'), until)
                FROM digest_former_members",
            rows: former.collect(),
        },
    ]
}
