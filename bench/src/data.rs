//! The workload as an import file, which depends only on its size.
//!
//! [`hidden`] and [`rights`] are workloads of their own.

mod circles;
pub mod hidden;
pub mod rights;

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};

use self::circles::Circles;
use crate::text;

/// The end of the period, in the past, so that digests of complete weeks exist.
pub const END: &str = "2025-11-30T00:00:00Z";
/// The digest rows read the week of this day.
pub const DIGEST_DATE: &str = "2025-11-19";
/// Posts, likes and messages are spread over this many days before [`END`].
const DAYS: i64 = 28;
/// The number of accounts with a full inbox.
const INBOXES: usize = 20;
/// The number of conversations in a full inbox.
const CONVERSATIONS: usize = 200;

/// The size of a community.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Size {
    /// Number of accounts
    #[arg(long, default_value_t = 10_000)]
    pub accounts: usize,
    /// Number of accounts that each account follows
    #[arg(long, default_value_t = 50)]
    pub followees: usize,
    /// Number of posts, one fifth of which are replies
    #[arg(long, default_value_t = 200_000)]
    pub posts: usize,
}

/// Writes the records in order of time. Accounts and follows come first, so that projecting a post fans it out to all
/// followers of its author. The follows depend only on the number of accounts.
///
/// Popularity is skewed: the first account has about 100 times as many followers as the median.
///
/// With `limited`, accounts have connections and tags, and half of the root posts an audience. Otherwise all are public.
pub fn write(size: Size, limited: bool, out: &mut impl Write) -> io::Result<()> {
    let end = DateTime::parse_from_rfc3339(END)
        .map_err(io::Error::other)?
        .timestamp_millis();
    let start = end - DAYS * 86_400_000;
    let mut rng = StdRng::seed_from_u64(4);
    let follows = accounts_and_follows(size, start - 86_400_000, &mut rng, out)?;
    let circles = if limited {
        let mut rng = StdRng::seed_from_u64(6);
        let circles = Circles::new(size.accounts, &follows, &mut rng);
        circles.write(start - 43_200_000, out)?;
        Some(circles)
    } else {
        None
    };
    let mut rng = StdRng::seed_from_u64(5);
    let mut activity = Activity::new(size, circles, &mut rng);
    let count = activity.remaining();
    let step = (end - start) as f64 / count as f64;
    for index in 0..count {
        let at = start + (index as f64 * step) as i64;
        let mut record = activity.next(&mut rng);
        record["at"] = json!(time(at));
        line(out, &record)?;
    }
    out.flush()
}

fn line(out: &mut impl Write, record: &Value) -> io::Result<()> {
    writeln!(out, "{record}")
}

fn time(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Gives all follows: the followed accounts of each account.
fn accounts_and_follows(
    size: Size,
    at: i64,
    rng: &mut StdRng,
    out: &mut impl Write,
) -> io::Result<Vec<Vec<usize>>> {
    for index in 0..size.accounts {
        let name = format!(
            "{} {}",
            text::capitalize(text::word(rng)),
            text::capitalize(text::word(rng))
        );
        line(
            out,
            &json!({"type": "account", "id": account(index), "handle": account(index),
                "display_name": name, "at": time(at)}),
        )?;
    }
    let followees = size.followees.min(size.accounts.saturating_sub(1));
    let mut follows = Vec::with_capacity(size.accounts);
    for follower in 0..size.accounts {
        let mut chosen = Vec::with_capacity(followees);
        while chosen.len() < followees {
            let skewed = rng.r#gen::<f64>().powf(1.5) * size.accounts as f64;
            let followee = skewed as usize;
            if followee != follower && !chosen.contains(&followee) {
                chosen.push(followee);
            }
        }
        for (index, followee) in chosen.iter().enumerate() {
            let at = at + 1_000 + (follower * followees + index) as i64;
            line(
                out,
                &json!({"type": "follow", "from": account(follower), "to": account(*followee), "at": time(at)}),
            )?;
        }
        follows.push(chosen);
    }
    Ok(follows)
}

fn account(index: usize) -> String {
    format!("u{index}")
}

/// The account with the inbox `index`: spread evenly over all accounts.
fn inbox_owner(index: usize, size: Size) -> usize {
    index * (size.accounts / INBOXES.min(size.accounts))
}

/// The generator of posts, likes and messages.
struct Activity {
    size: Size,
    /// The remaining records, the next one last.
    kinds: Vec<Kind>,
    circles: Option<Circles>,
    /// The root post of each post's thread.
    posts: Vec<Root>,
    conversations: Vec<Conversation>,
    messages: usize,
}

/// A conversation of two, with the number of its last message.
struct Conversation {
    owner: usize,
    other: usize,
    last_message: Option<usize>,
}

/// A root post.
#[derive(Clone, Copy)]
struct Root {
    author: usize,
    audience: Audience,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Audience {
    Public,
    Connections,
    /// One of the author's tags.
    Tag(usize),
}

#[derive(Clone, Copy)]
enum Kind {
    Post,
    Reply,
    Like,
    Conversation,
    Message,
    Read,
}

impl Activity {
    fn new(size: Size, circles: Option<Circles>, rng: &mut StdRng) -> Self {
        let conversations = INBOXES * CONVERSATIONS.min(size.accounts / 2);
        let mut kinds = vec![Kind::Reply; size.posts / 5];
        kinds.resize(size.posts, Kind::Post);
        let more = [
            (Kind::Like, size.posts),
            (Kind::Message, conversations * 5),
            (Kind::Read, conversations),
        ];
        for (kind, count) in more {
            kinds.resize(kinds.len() + count, kind);
        }
        kinds.shuffle(rng);
        // They are taken from the end: conversations and a first post, which other records refer to.
        kinds.push(Kind::Post);
        kinds.resize(kinds.len() + conversations, Kind::Conversation);
        Self {
            size,
            kinds,
            circles,
            posts: Vec::new(),
            conversations: Vec::new(),
            messages: 0,
        }
    }

    fn remaining(&self) -> usize {
        self.kinds.len()
    }

    fn next(&mut self, rng: &mut StdRng) -> Value {
        let someone = rng.gen_range(0..self.size.accounts);
        match self.kinds.pop().unwrap_or(Kind::Post) {
            Kind::Post => self.post(someone, None, rng),
            Kind::Reply => {
                // To a recent post, as is usual.
                let parent = self.recent_post(rng);
                let someone = self.someone_who_sees(parent, someone, rng);
                self.post(someone, Some(parent), rng)
            }
            Kind::Like => {
                let post = self.recent_post(rng);
                let someone = self.someone_who_sees(post, someone, rng);
                json!({"type": "like", "user": account(someone), "post": format!("p{post}")})
            }
            Kind::Conversation => self.conversation(rng),
            Kind::Message => {
                let conversation = rng.gen_range(0..self.conversations.len());
                self.message(conversation, rng)
            }
            Kind::Read => {
                let conversation = rng.gen_range(0..self.conversations.len());
                self.read(conversation, rng)
            }
        }
    }

    fn recent_post(&self, rng: &mut StdRng) -> usize {
        self.posts.len() - 1 - rng.gen_range(0..self.posts.len().min(5_000))
    }

    /// The given account if everybody sees the post, otherwise another one that does.
    fn someone_who_sees(&self, post: usize, someone: usize, rng: &mut StdRng) -> usize {
        let Root { author, audience } = self.posts[post];
        match &self.circles {
            Some(circles) if audience != Audience::Public => {
                circles.someone_in(author, audience, rng)
            }
            _ => someone,
        }
    }

    fn post(&mut self, author: usize, reply_to: Option<usize>, rng: &mut StdRng) -> Value {
        let length = rng.gen_range(4..32);
        let mut record = json!({"type": "post", "id": format!("p{}", self.posts.len()),
            "author": account(author), "text": text::sentence(rng, length)});
        let root = if let Some(parent) = reply_to {
            record["reply_to"] = json!(format!("p{parent}"));
            self.posts[parent]
        } else {
            let circles = self.circles.as_ref();
            let audience =
                circles.map_or(Audience::Public, |circles| circles.audience(author, rng));
            circles::add_audience(&mut record, author, audience);
            Root { author, audience }
        };
        self.posts.push(root);
        record
    }

    fn conversation(&mut self, rng: &mut StdRng) -> Value {
        let index = self.conversations.len();
        let owner = inbox_owner(index % INBOXES, self.size);
        let other = (owner + 1 + index / INBOXES) % self.size.accounts;
        self.conversations.push(Conversation {
            owner,
            other,
            last_message: None,
        });
        let mut record = json!({"type": "conversation", "id": format!("c{index}"),
            "members": [account(owner), account(other)]});
        if index.is_multiple_of(3) {
            record["title"] = json!(text::sentence(rng, 3));
        }
        record
    }

    fn message(&mut self, conversation: usize, rng: &mut StdRng) -> Value {
        let number = self.messages;
        self.messages += 1;
        let Conversation {
            owner,
            other,
            last_message,
        } = &mut self.conversations[conversation];
        *last_message = Some(number);
        let sender = if rng.gen_bool(0.6) { other } else { owner };
        let length = rng.gen_range(2..16);
        json!({"type": "message", "id": format!("m{number}"), "conversation": format!("c{conversation}"),
            "sender": account(*sender), "text": text::sentence(rng, length)})
    }

    /// The owner reads up to the last message, or sends one if there is none.
    fn read(&mut self, conversation: usize, rng: &mut StdRng) -> Value {
        match self.conversations[conversation].last_message {
            None => self.message(conversation, rng),
            Some(last) => json!({"type": "read", "conversation": format!("c{conversation}"),
                "user": account(self.conversations[conversation].owner), "up_to": format!("m{last}")}),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn generated(limited: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let size = Size {
            accounts: 100,
            followees: 10,
            posts: 500,
        };
        write(size, limited, &mut out).unwrap();
        out
    }

    #[test]
    fn the_same_size_gives_the_same_file_in_order_of_time() {
        let text = generated(true);
        assert_eq!(text, generated(true));
        let records = String::from_utf8(text).unwrap();
        let mut counts = BTreeMap::<String, usize>::new();
        let mut audiences = BTreeMap::<String, usize>::new();
        let mut last = String::new();
        for record in records.lines() {
            let record: Value = serde_json::from_str(record).unwrap();
            let at = record["at"].as_str().unwrap().to_owned();
            assert!(last <= at, "{record}");
            last = at;
            if record["type"] == "post" && record["reply_to"].is_null() {
                let audience = record["audience"].as_str().unwrap_or("public");
                *audiences.entry(audience.to_owned()).or_default() += 1;
            }
            *counts
                .entry(record["type"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        assert_eq!(counts["account"], 100);
        assert_eq!(counts["follow"], 1_000);
        assert_eq!(counts["post"], 501);
        assert_eq!(counts["conversation"], 20 * 50);
        assert_eq!(counts["tag"], 400);
        assert!((450..500).contains(&counts["connection"]), "{counts:?}");
        assert!((150..250).contains(&audiences["public"]), "{audiences:?}");
        assert!(
            (80..160).contains(&audiences["connections"]),
            "{audiences:?}"
        );
        assert!((40..120).contains(&audiences["tags"]), "{audiences:?}");
    }

    #[test]
    fn without_audiences_there_are_no_connections_and_tags() {
        let records = String::from_utf8(generated(false)).unwrap();
        for word in ["connection", "tag", "audience"] {
            assert!(!records.contains(&format!("\"{word}")), "{word}");
        }
    }
}
