//! A workload in which many posts and readers depend on one tag, membership or connection.

use std::io::{self, Write};

use chrono::DateTime;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::{DAYS, END, line, time};
use crate::text;

/// The owner of [`TAGS`] tags with [`MEMBERS`] members each, the same ones, and with a post for each tag.
pub const OWNER: &str = "owner";
pub const MEMBERS: usize = 5_000;
pub const TAGS: usize = 40;

/// An author of [`POSTS`] posts for one tag. [`FRIEND`] is a connection, and not a member.
pub const AUTHOR: &str = "author";
pub const POSTS: usize = 10_000;
pub const FRIEND: &str = "friend";

/// Pairs of accounts of which the one follows the other, who has written one post.
pub const PAIRS: usize = 40;

pub fn member(index: usize) -> String {
    format!("member{index}")
}

pub fn follower(pair: usize) -> String {
    format!("follower{pair}")
}

pub fn followee(pair: usize) -> String {
    format!("followee{pair}")
}

/// The name of one of [`OWNER`]'s tags, and its post's text.
pub fn tag(index: usize) -> String {
    format!("tag{index}")
}

/// The name of [`AUTHOR`]'s tag, and the text of the newest post for it.
pub const TAG: &str = "authortag";

pub fn write(out: &mut impl Write) -> io::Result<()> {
    let end = DateTime::parse_from_rfc3339(END)
        .map_err(io::Error::other)?
        .timestamp_millis();
    let mut times = (end - DAYS * 86_400_000)..;
    let mut rng = StdRng::seed_from_u64(9);
    let mut write = |mut record: Value| {
        record["at"] = json!(times.next().map(time));
        line(out, &record)
    };
    let connection = |from: &str, to: &str| json!({"type": "connection", "from": from, "to": to});
    let tag_of =
        |id: &str, owner: &str| json!({"type": "tag", "id": id, "owner": owner, "name": id});
    let post = |id: &str, author: &str, text: &str| json!({"type": "post", "id": id, "author": author, "text": text});
    let post_for = |tag: &str, id: &str, author: &str, text: &str| {
        let mut record = post(id, author, text);
        (record["audience"], record["tags"]) = (json!("tags"), json!([tag]));
        record
    };

    let accounts = [OWNER, AUTHOR, FRIEND].map(str::to_owned);
    let accounts = accounts.into_iter().chain((0..MEMBERS).map(member));
    let pairs = (0..PAIRS).flat_map(|pair| [follower(pair), followee(pair)]);
    for handle in accounts.chain(pairs) {
        write(json!({"type": "account", "id": handle, "handle": handle, "display_name": handle}))?;
    }
    for index in 0..MEMBERS {
        write(connection(&member(index), OWNER))?;
    }
    for tag in (0..TAGS).map(tag) {
        write(tag_of(&tag, OWNER))?;
        for index in 0..MEMBERS {
            write(json!({"type": "tag_member", "tag": tag, "user": member(index)}))?;
        }
        write(post_for(&tag, &format!("p{tag}"), OWNER, &tag))?;
    }
    write(connection(FRIEND, AUTHOR))?;
    write(tag_of(TAG, AUTHOR))?;
    for index in 1..POSTS {
        let text = text::sentence(&mut rng, 12);
        write(post_for(TAG, &format!("p{index}"), AUTHOR, &text))?;
    }
    write(post_for(TAG, "p0", AUTHOR, TAG))?;
    for pair in 0..PAIRS {
        let (follower, followee) = (follower(pair), followee(pair));
        write(json!({"type": "follow", "from": follower, "to": followee}))?;
        write(post(&format!("p{followee}"), &followee, &followee))?;
    }
    out.flush()
}
