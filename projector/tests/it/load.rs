//! How fast a real import is projected. Not part of the suite: it takes minutes, and wants the file that
//! `make_import.py` makes.
//!
//! `FEEDMILL_IMPORT=…/import.ndjson cargo test -p projector --test it -- --ignored --nocapture load`

use std::{
    collections::HashMap,
    io::BufRead as _,
    time::{Duration, Instant},
};

use chrono::DateTime;
use feedmill_events::{
    Envelope, Event, Partition,
    event::v1::{
        AccountCreated, AccountFollowed, AccountUnfollowed, ConversationCreated, ConversationRead,
        MessageSent, Parent, PostCreated, PostLiked,
    },
    id,
};
use projector::projection::{self, Context};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{database::Database, nats::Nats, running::Running, setting};

#[derive(Default)]
struct Import {
    counter: u16,
    ids: HashMap<String, Uuid>,
    authors: HashMap<Uuid, Uuid>,
    follows: HashMap<(Uuid, Uuid), i64>,
}

impl Import {
    fn new_id(&mut self, name: &str, at: i64, partition: Option<Partition>) -> Uuid {
        self.counter = (self.counter + 1) % 4096;
        let id = id::compose(at, self.counter, id::fnv1a(name.bytes()), partition);
        self.ids.insert(name.to_owned(), id);
        id
    }

    fn envelope(&mut self, record: &Value) -> Envelope {
        let text = |field: &str| record[field].as_str().unwrap().to_owned();
        let at = DateTime::parse_from_rfc3339(&text("at"))
            .unwrap()
            .timestamp_millis();
        let known = |import: &Self, field: &str| import.ids[record[field].as_str().unwrap()];
        let event = match record["type"].as_str().unwrap() {
            "account" => Event::AccountCreated(AccountCreated {
                account: self.new_id(&text("id"), at, None),
                handle: text("handle"),
                display_name: text("display_name"),
            }),
            "follow" => {
                let (follower, followee) = (known(self, "from"), known(self, "to"));
                self.follows.insert((follower, followee), at);
                Event::AccountFollowed(AccountFollowed { follower, followee })
            }
            "unfollow" => {
                let (follower, followee) = (known(self, "from"), known(self, "to"));
                let followed_at = self.follows.remove(&(follower, followee)).unwrap();
                Event::AccountUnfollowed(AccountUnfollowed {
                    follower,
                    followee,
                    followed_at,
                })
            }
            "post" => {
                let author = known(self, "author");
                let parent = record["reply_to"].as_str().map(|name| self.ids[name]);
                let reply_to = parent.map(|post| Parent {
                    post,
                    author: self.authors[&post],
                });
                let home = Partition::of(parent.unwrap_or(author));
                let post = self.new_id(&text("id"), at, Some(home));
                self.authors.insert(post, author);
                Event::PostCreated(PostCreated {
                    post,
                    author,
                    reply_to,
                    text: text("text"),
                })
            }
            "like" => {
                let post = known(self, "post");
                Event::PostLiked(PostLiked {
                    post,
                    author: self.authors[&post],
                    user: known(self, "user"),
                })
            }
            "conversation" => {
                let members = record["members"].as_array().unwrap();
                let members = members
                    .iter()
                    .map(|name| self.ids[name.as_str().unwrap()])
                    .collect();
                let title = record["title"].as_str().map(ToOwned::to_owned);
                let conversation = self.new_id(&text("id"), at, None);
                Event::ConversationCreated(ConversationCreated {
                    conversation,
                    members,
                    title,
                })
            }
            "message" => {
                let conversation = known(self, "conversation");
                Event::MessageSent(MessageSent {
                    conversation,
                    message: self.new_id(&text("id"), at, Some(Partition::of(conversation))),
                    sender: known(self, "sender"),
                    text: text("text"),
                })
            }
            "read" => Event::ConversationRead(ConversationRead {
                conversation: known(self, "conversation"),
                user: known(self, "user"),
                up_to: known(self, "up_to"),
            }),
            other => panic!("{other}"),
        };
        Envelope { at, event }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and wants a file"]
async fn load_an_import() {
    let database = Database::new().await;
    let path = setting("FEEDMILL_IMPORT", "the file that make_import.py makes");
    let mut lines = std::io::BufReader::new(std::fs::File::open(path).unwrap())
        .lines()
        .peekable();
    let mut import = Import::default();
    let mut total = 0;
    while lines.peek().is_some() {
        let envelopes: Vec<Envelope> = (&mut lines)
            .take(4_000)
            .map(|line| import.envelope(&serde_json::from_str(&line.unwrap()).unwrap()))
            .collect();
        total += envelopes.len();
        database.append(&envelopes).await;
    }
    drop(import);
    println!("{total} events in the log");
    let start = Instant::now();
    let nats = Nats::absent();
    let mut running = vec![];
    for projection in projection::ALL {
        running.push(Running::start(projection, Context::default(), &database, &nats.url).await);
    }
    for projection in projection::ALL {
        database
            .caught_up(projection, Duration::from_mins(10))
            .await;
        println!("{}: done after {:.1?}", projection.name, start.elapsed());
    }
    let entries: i64 = sqlx::query_scalar("SELECT count(*) FROM feed.feed_entries")
        .fetch_one(&database.admin)
        .await
        .unwrap();
    println!(
        "{entries} feed entries, {:.0} events/s",
        total as f64 / start.elapsed().as_secs_f64()
    );
    for worker in running {
        worker.stop().await;
    }
    let mut statements: Vec<String> = feedmill_service::telemetry::metrics()
        .render()
        .lines()
        .filter(|line| {
            line.starts_with("sql_duration_seconds_sum") || line.contains("batch_duration_seconds_")
        })
        .filter(|line| !line.contains("bucket"))
        .map(ToOwned::to_owned)
        .collect();
    statements.sort();
    println!("{}", statements.join("\n"));
    if setting("FEEDMILL_KEEP", "yes or no").eq("yes") {
        std::mem::forget(database);
    }
}
