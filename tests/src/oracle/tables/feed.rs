//! Posts, and the relations that decide who sees them.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::{Partition, event::v1::Audience, id};
use uuid::Uuid;

use super::{Table, or_dash};
use crate::{
    link::LinkKind,
    oracle::{Oracle, audience_code, audience_tags},
};

pub fn rows(oracle: &Oracle) -> Vec<Table> {
    let mut tables = posts(oracle);
    tables.extend(audiences(oracle));
    tables.extend(relations(oracle));
    tables.extend(tags(oracle));
    tables
}

fn posts(oracle: &Oracle) -> Vec<Table> {
    let posts = oracle.posts.iter().map(|(id, post)| {
        let likes = oracle.count_links_to(LinkKind::Like, *id);
        let replies = oracle.count_replies(*id);
        let (author, parent) = (post.author, or_dash(post.reply_to));
        let (at, text) = (id::millis(*id), &post.text);
        let root = oracle.root(*id);
        let thread = oracle.thread_of(*id);
        let root_author = thread.author;
        // A reply has none of its own.
        let audience = match post.reply_to {
            None => audience_code(&thread.audience).1,
            Some(_) => 0,
        };
        let edited = post
            .edited_at
            .map_or_else(|| "-".to_owned(), |at| at.to_string());
        format!(
            "{id} {author} {parent} {root} {root_author} {audience} {likes} {replies} {at} {edited} {text}"
        )
    });
    let mut totals: BTreeMap<u8, usize> = BTreeMap::new();
    for id in oracle.posts.keys() {
        *totals.entry(Partition::of(*id).number()).or_default() += 1;
    }
    let totals = totals.iter();
    let totals = totals.map(|(partition, posts)| format!("{partition} {posts}"));
    let deleted = oracle.deleted.iter();
    let deleted_replies = deleted.filter_map(|(id, post)| Some(format!("{id} {}", post.reply_to?)));
    let likes = oracle.links(LinkKind::Like);
    let likes = likes.map(|(user, post, at)| format!("{post} {user} {at}"));
    let bookmarks = oracle.links(LinkKind::Bookmark);
    let bookmarks = bookmarks.map(|(user, post, at)| format!("{post} {user} {at}"));
    vec![
        Table {
            name: "posts",
            select: "SELECT concat_ws(' ', id, author, coalesce(reply_to::text, '-'), root, root_author, audience,
                like_count, reply_count, (extract(epoch FROM created_at) * 1000)::bigint,
                coalesce((extract(epoch FROM edited_at) * 1000)::bigint::text, '-'), text) FROM posts",
            rows: posts.collect(),
        },
        Table {
            name: "post_totals",
            select: "SELECT concat_ws(' ', partition, posts) FROM post_totals",
            rows: totals.collect(),
        },
        Table {
            name: "deleted_replies",
            select: "SELECT concat_ws(' ', id, reply_to) FROM deleted_replies",
            rows: deleted_replies.collect(),
        },
        Table {
            name: "likes",
            select: "SELECT concat_ws(' ', post_id, user_id,
                (extract(epoch FROM liked_at) * 1000)::bigint) FROM likes",
            rows: likes.collect(),
        },
        Table {
            name: "bookmarks",
            select: "SELECT concat_ws(' ', post_id, user_id,
                (extract(epoch FROM bookmarked_at) * 1000)::bigint) FROM bookmarks",
            rows: bookmarks.collect(),
        },
    ]
}

/// Who sees threads, and what follows from it.
fn audiences(oracle: &Oracle) -> Vec<Table> {
    let limited = oracle.threads.iter();
    let limited = limited.filter(|(_, thread)| thread.audience != Audience::Public);
    let audiences = limited.map(|(root, thread)| {
        let (_, audience) = audience_code(&thread.audience);
        let tags = audience_tags(&thread.audience).unwrap_or_default();
        let tags: Vec<_> = tags.iter().map(Uuid::to_string).collect();
        format!("{root} {} {audience} {{{}}}", thread.author, tags.join(","))
    });
    // Of posts and tags that stand.
    let tag_posts = oracle.threads.iter().flat_map(|(root, thread)| {
        let tags = audience_tags(&thread.audience).unwrap_or_default();
        let tags = tags.iter().filter(|tag| {
            let exists = oracle.tags.get(**tag).is_some();
            exists && oracle.posts.contains_key(root)
        });
        tags.map(move |tag| format!("{tag} {root}"))
    });
    let mut counts: BTreeMap<Uuid, usize> = BTreeMap::new();
    for (id, post) in &oracle.posts {
        if oracle.thread_of(*id).audience == Audience::Public {
            *counts.entry(post.author).or_default() += 1;
        }
    }
    let counts = counts.iter();
    let counts = counts.map(|(author, posts)| format!("{author} {posts}"));
    vec![
        Table {
            name: "audiences",
            // A thread that was not public once has a row, too.
            select: "SELECT concat_ws(' ', root, author, audience, tags::text) FROM audiences WHERE audience <> 0",
            rows: audiences.collect(),
        },
        Table {
            name: "tag_posts",
            select: "SELECT concat_ws(' ', tag, post) FROM tag_posts",
            rows: tag_posts.collect(),
        },
        Table {
            name: "post_counts",
            select: "SELECT concat_ws(' ', author, posts) FROM post_counts",
            rows: counts.collect(),
        },
    ]
}

/// Between two accounts: whose posts come to whose feed, mutes and blocks.
fn relations(oracle: &Oracle) -> Vec<Table> {
    let follows = oracle.links(LinkKind::Follow);
    let follows = follows.map(|(viewer, author, _)| (viewer, author));
    let connections = oracle.connections.sides();
    let connections = connections.map(|(author, viewer, _)| (viewer, author));
    let links: Vec<_> = follows.chain(connections).collect();
    let mut followers: BTreeMap<Uuid, usize> = BTreeMap::new();
    for (_, author) in &links {
        *followers.entry(*author).or_default() += 1;
    }
    let muted = oracle.links(LinkKind::Mute);
    let muted = muted.map(|(viewer, author, _)| (viewer, author));
    let blocks = oracle.blocks.iter();
    let blocked = blocks.flat_map(|(blocker, blocked, _)| [(blocker, blocked), (blocked, blocker)]);
    let related: BTreeSet<_> = links.iter().copied().chain(muted).chain(blocked).collect();
    let related = related.into_iter().map(|(viewer, author)| {
        let count = links.iter().filter(|link| **link == (viewer, author));
        let (links, muted) = (count.count(), oracle.mutes(viewer, author));
        let connected = oracle.connections.are_connected(author, viewer);
        let blocks = oracle.blocks.blocks(author, viewer);
        let blocked = oracle.blocks.blocks(viewer, author);
        format!("{viewer} {author} {links} {muted} {connected} {blocks} {blocked}")
    });
    let blocks = oracle.blocks.iter();
    let blocks = blocks.map(|(blocker, blocked, at)| format!("{blocked} {blocker} {at}"));
    let mutes = oracle.links(LinkKind::Mute);
    let mutes = mutes.map(|(muter, muted, at)| format!("{muter} {muted} {at}"));
    let followers = followers.iter();
    let followers = followers.map(|(author, count)| format!("{author} {count}"));
    let marks = oracle.feed_marks.iter();
    let marks = marks.map(|(user, mark)| format!("{user} {mark}"));
    vec![
        Table {
            name: "feed_marks",
            select: "SELECT concat_ws(' ', viewer, up_to) FROM feed_marks",
            rows: marks.collect(),
        },
        Table {
            name: "feed_follows",
            select: "SELECT concat_ws(' ', viewer, author, links, muted::text, connected::text, blocks::text,
                blocked::text) FROM feed_follows",
            rows: related.collect(),
        },
        Table {
            name: "feed_followers",
            select: "SELECT concat_ws(' ', author, followers) FROM feed_followers",
            rows: followers.collect(),
        },
        Table {
            name: "blocks",
            select: "SELECT concat_ws(' ', blocked, blocker,
                (extract(epoch FROM blocked_at) * 1000)::bigint) FROM blocks",
            rows: blocks.collect(),
        },
        Table {
            name: "mutes",
            select: "SELECT concat_ws(' ', muter, muted,
                (extract(epoch FROM muted_at) * 1000)::bigint) FROM mutes",
            rows: mutes.collect(),
        },
    ]
}

fn tags(oracle: &Oracle) -> Vec<Table> {
    let tags = oracle.tags.iter();
    let tags = tags.map(|(id, tag)| {
        let (owner, members, name) = (tag.owner, tag.members.len(), &tag.name);
        format!("{id} {owner} {members} {name}")
    });
    let tag_members = oracle.tags.iter().flat_map(|(id, tag)| {
        let members = tag.members.iter();
        members.map(move |(member, at)| format!("{id} {member} {at}"))
    });
    vec![
        Table {
            name: "tags",
            select: "SELECT concat_ws(' ', id, owner, members, name) FROM tags",
            rows: tags.collect(),
        },
        Table {
            name: "tag_members",
            select: "SELECT concat_ws(' ', tag, member,
                (extract(epoch FROM added_at) * 1000)::bigint) FROM tag_members",
            rows: tag_members.collect(),
        },
    ]
}
