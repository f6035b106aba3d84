//! A workload of limited posts that hardly any of their readers see.

use std::io::{self, Write};

use chrono::DateTime;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::{DAYS, END, line, time};
use crate::text;

/// The handle of an author with [`POSTS`] limited posts, all of them for tags.
pub const AUTHOR: &str = "author";
/// The handle of a follower and connection of [`AUTHOR`], who sees the [`VISIBLE`] oldest posts.
pub const FRIEND: &str = "friend";
/// The handle of a follower of [`AUTHORS`] accounts with [`POSTS`] limited posts together, who sees none of them.
pub const FOLLOWER: &str = "follower";

pub const POSTS: usize = 100_000;
pub const VISIBLE: usize = 20;
pub const AUTHORS: usize = 500;

/// Of the authors that [`FOLLOWER`] follows, half post for connections, which the follower is not. The others post for a tag; the
/// follower is connected with them and a member of another tag of theirs. So there is something to look up in every case.
pub fn write(out: &mut impl Write) -> io::Result<()> {
    let end = DateTime::parse_from_rfc3339(END)
        .map_err(io::Error::other)?
        .timestamp_millis();
    let mut times = (end - DAYS * 86_400_000)..;
    let mut rng = StdRng::seed_from_u64(8);
    let mut write = |mut record: Value| {
        record["at"] = json!(times.next().map(time));
        line(out, &record)
    };

    let authors: Vec<String> = (0..AUTHORS).map(|index| format!("u{index}")).collect();
    let accounts = [AUTHOR, FRIEND, FOLLOWER, "member"].map(str::to_owned);
    for handle in accounts.iter().chain(&authors) {
        write(json!({"type": "account", "id": handle, "handle": handle, "display_name": handle}))?;
    }
    let follow = |from: &str, to: &str| json!({"type": "follow", "from": from, "to": to});
    let connection = |from: &str, to: &str| json!({"type": "connection", "from": from, "to": to});
    let tag = |id: &str, owner: &str| json!({"type": "tag", "id": id, "owner": owner, "name": id});
    let tag_member =
        |tag: &str, user: &str| json!({"type": "tag_member", "tag": tag, "user": user});

    write(follow(FRIEND, AUTHOR))?;
    for (user, id) in [(FRIEND, "seen"), ("member", "unseen")] {
        write(connection(user, AUTHOR))?;
        write(tag(id, AUTHOR))?;
        write(tag_member(id, user))?;
    }
    for (index, author) in authors.iter().enumerate() {
        write(follow(FOLLOWER, author))?;
        if shares_with_tag(index) {
            write(connection(FOLLOWER, author))?;
            let other = format!("{author}_other");
            write(tag(&other, author))?;
            write(tag_member(&other, FOLLOWER))?;
            write(tag(&format!("{author}_tag"), author))?;
        }
    }

    let mut post = |id: String, author: &str| json!({"type": "post", "id": id, "author": author, "text": text::sentence(&mut rng, 12)});
    for index in 0..POSTS {
        let mut record = post(format!("p{index}"), AUTHOR);
        record["audience"] = json!("tags");
        record["tags"] = json!([if index < VISIBLE { "seen" } else { "unseen" }]);
        write(record)?;
    }
    for index in 0..POSTS {
        let author = &authors[index % AUTHORS];
        let mut record = post(format!("q{index}"), author);
        if shares_with_tag(index % AUTHORS) {
            record["audience"] = json!("tags");
            record["tags"] = json!([format!("{author}_tag")]);
        } else {
            record["audience"] = json!("connections");
        }
        write(record)?;
    }
    out.flush()
}

/// Whether the author with this number posts for a tag.
fn shares_with_tag(author: usize) -> bool {
    author % 2 == 1
}
