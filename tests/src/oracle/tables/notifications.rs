//! Notifications.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::id;
use uuid::Uuid;

use super::{Table, or_dash};
use crate::{link::LinkKind, oracle::Oracle};

/// With the time of a notification's id in place of the id, whose other part is a hash.
pub fn rows(oracle: &Oracle) -> Vec<Table> {
    let mut rows = BTreeSet::new();
    let mut totals: BTreeMap<Uuid, usize> = BTreeMap::new();
    let mut notify = |viewer: Uuid,
                      at: i64,
                      actor: Uuid,
                      post: Option<Uuid>,
                      reply: Option<Uuid>,
                      connection| {
        if viewer != actor {
            *totals.entry(viewer).or_default() += 1;
            let own_thread = reply.is_some_and(|reply| oracle.thread_of(reply).author == viewer);
            let (post, reply) = (or_dash(post), or_dash(reply));
            rows.insert(format!(
                "{viewer} {at} {actor} {post} {reply} {own_thread} {connection}"
            ));
        }
    };
    for (to, from, at) in oracle.connections.requests() {
        notify(to, at, from, None, None, "1");
    }
    for (account, other, found) in oracle.connections.sides() {
        if found.requester == account {
            notify(account, found.connected_at, other, None, None, "2");
        }
    }
    for (follower, followee, at) in oracle.links(LinkKind::Follow) {
        notify(followee, at, follower, None, None, "-");
    }
    for (user, post, at) in oracle.links(LinkKind::Like) {
        let author = oracle.posts[&post].author;
        notify(author, at, user, Some(post), None, "-");
    }
    for (id, reply) in &oracle.posts {
        if let Some(parent) = reply.reply_to
            && let Some(found) = oracle.posts.get(&parent)
        {
            let at = id::millis(*id);
            let (post, reply_id) = (Some(parent), Some(*id));
            notify(found.author, at, reply.author, post, reply_id, "-");
        }
    }
    let marks = oracle.notification_marks.iter();
    let marks = marks.map(|(user, mark)| format!("{user} {mark}"));
    vec![
        Table {
            name: "notifications",
            select: "SELECT concat_ws(' ', viewer,
                ('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint, actor,
                coalesce(post::text, '-'), coalesce(reply::text, '-'), own_thread::text,
                coalesce(connection::text, '-'))
                FROM notifications",
            rows,
        },
        Table {
            name: "notification_totals",
            select: "SELECT concat_ws(' ', viewer, total) FROM notification_totals",
            rows: totals
                .iter()
                .map(|(viewer, total)| format!("{viewer} {total}"))
                .collect(),
        },
        Table {
            name: "notification_marks",
            select: "SELECT concat_ws(' ', viewer, up_to) FROM notification_marks",
            rows: marks.collect(),
        },
    ]
}
