//! Every read of a running Feedmill, compared with the oracle: all lists from their first item to their last, at
//! several page sizes, and things that do not exist.

use anyhow::{Result, bail};
use chrono::NaiveDate;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::Client,
    kit::Target,
    oracle::{Oracle, Period},
};

/// How much is compared.
pub struct Scope<'a> {
    /// The accounts that read.
    pub viewers: &'a [Uuid],
    /// Page sizes. A viewer's own lists are read with all of them, other lists with one of them in turn.
    pub limits: &'a [usize],
    /// Days whose digests, and whose weeks' digests, are read.
    pub days: &'a [NaiveDate],
    /// About how many posts and how many conversations are read one by one.
    pub sample: usize,
}

/// Concurrent reads: enough to keep two processors busy.
const CONCURRENCY: usize = 8;

/// Differences to report at most.
const MAX_DIFFERENCES: usize = 5;

/// A read and its expected answer.
pub struct Read {
    pub path: String,
    pub expected: Expected,
}

pub enum Expected {
    /// This body; none means 404.
    One(Option<Value>),
    /// These items, none means 404; and the fields beside the list.
    List(Option<Vec<Value>>, Value),
    /// The same for a list of the viewer's own.
    OwnList(Vec<Value>, Value),
}

/// Every read that this viewer can make, with its expected answer. About `sample` posts and conversations are
/// included.
pub fn reads(oracle: &Oracle, viewer: Uuid, days: &[NaiveDate], sample: usize) -> Vec<Read> {
    let mut reads = Vec::new();
    let mut add = |path: &str, expected| {
        let path = path.to_owned();
        reads.push(Read { path, expected });
    };
    let one = Expected::One;
    let list = |items| Expected::List(items, json!({}));
    let counted = |found: Option<(Vec<Value>, usize)>| {
        let (items, total) = found.unzip();
        Expected::List(items, json!({"total": total}))
    };
    let own_counted = |items: Vec<Value>| {
        let total = json!({"total": items.len()});
        Expected::OwnList(items, total)
    };
    let step = |count: usize| (count / sample.max(1)).max(1);

    add("/v1/me", one(oracle.me(viewer)));
    add_own_posts(oracle, viewer, &mut add);
    let (feed, unread) = oracle.feed(viewer);
    let beside = json!({"unread_count": unread});
    add("/v1/feed", Expected::OwnList(feed, beside));
    let bookmarks = oracle.bookmarks(viewer);
    add("/v1/bookmarks", Expected::OwnList(bookmarks, json!({})));
    add(
        "/v1/tags",
        Expected::OwnList(oracle.tag_list(viewer), json!({})),
    );
    for (tag, _) in oracle.tags.iter() {
        let path = format!("/v1/tags/{tag}");
        add(&path, one(oracle.tag(viewer, tag)));
        let members = oracle.tag_members(viewer, tag);
        let members = members.map(|members| (members.clone(), members.len()));
        add(&format!("{path}/members"), counted(members));
    }
    add("/v1/mutes", own_counted(oracle.mute_list(viewer)));
    add("/v1/blocks", own_counted(oracle.block_list(viewer)));
    for (direction, incoming) in [("incoming", true), ("outgoing", false)] {
        let requests = oracle.connection_requests(viewer, incoming);
        let path = format!("/v1/connections/requests?direction={direction}");
        add(&path, own_counted(requests));
    }
    let likes = oracle.likes(viewer);
    add("/v1/likes", Expected::OwnList(likes, json!({})));
    let (conversations, unread) = oracle.conversations(viewer);
    let beside = json!({"total": conversations.len(), "unread_total": unread});
    add(
        "/v1/conversations",
        Expected::OwnList(conversations, beside),
    );
    let (notifications, unread) = oracle.notifications(viewer);
    let beside = json!({"total": notifications.len(), "unread_count": unread});
    add(
        "/v1/notifications",
        Expected::OwnList(notifications, beside),
    );
    add("/v1/counts", one(Some(oracle.counts(viewer))));
    for day in days {
        for period in [Period::Day(*day), Period::Week(*day)] {
            let path = format!("/v1/digest?period={}&date={}", period.name(), period.date());
            add(&path, one(Some(oracle.digest(viewer, period))));
        }
    }
    let conversations = oracle.conversations.keys();
    for conversation in conversations.step_by(step(oracle.conversations.len())) {
        let path = format!("/v1/conversations/{conversation}");
        add(&path, one(oracle.conversation(viewer, *conversation)));
        let messages = oracle.messages(viewer, *conversation);
        add(&format!("{path}/messages"), list(messages));
    }
    let messages = || {
        oracle
            .conversations
            .iter()
            .flat_map(|(conversation, found)| {
                let messages = found.messages.keys().chain(&found.deleted);
                messages.map(move |message| (*conversation, *message))
            })
    };
    for (conversation, message) in messages().step_by(step(messages().count())) {
        let path = format!("/v1/conversations/{conversation}/messages/{message}");
        let message = oracle.one_message(viewer, conversation, message);
        add(&path, one(message));
    }
    let count = oracle.posts.len() + oracle.deleted.len();
    let posts = oracle.posts.keys().chain(oracle.deleted.keys());
    for post in posts.step_by(step(count)) {
        let path = format!("/v1/posts/{post}");
        add(&path, one(oracle.post(viewer, *post)));
        let replies = oracle.replies(viewer, *post);
        add(&format!("{path}/replies"), list(replies));
        let ancestors = oracle.ancestors_of(viewer, *post);
        add(&format!("{path}/ancestors"), list(ancestors));
        let likes = oracle.likes_of_post(viewer, *post);
        add(&format!("{path}/likes"), counted(likes));
    }
    for (user, account) in &oracle.accounts {
        let path = format!("/v1/users/{user}");
        let profile = oracle.profile(viewer, *user);
        let by_handle = format!("/v1/users/@{}", account.handle);
        add(&path, one(profile.clone()));
        add(&by_handle, one(profile));
        let posts = oracle.user_posts(viewer, *user);
        add(&format!("{path}/posts"), list(posts));
        let followers = oracle.followers(viewer, *user);
        add(&format!("{path}/followers"), counted(followers));
        let following = oracle.following(viewer, *user);
        add(&format!("{path}/following"), counted(following));
        let connections = oracle.connections(viewer, *user);
        add(&format!("{path}/connections"), counted(connections));
        let tags = oracle.tags_of_user(viewer, *user);
        add(&format!("{path}/tags"), list(tags));
    }
    let users: Vec<Uuid> = oracle.accounts.keys().copied().take(100).collect();
    let ids: Vec<String> = users.iter().map(|user| format!("id={user}")).collect();
    let relationships = oracle.relationships(viewer, &users);
    let path = format!("/v1/relationships?{}", ids.join("&"));
    add(&path, one(Some(relationships)));
    reads
}

/// The viewer's own posts as they, a stranger and every account see them.
fn add_own_posts(oracle: &Oracle, viewer: Uuid, add: &mut impl FnMut(&str, Expected)) {
    let path = "/v1/me/posts";
    for (path, seen_by) in [
        (path.to_owned(), Some(viewer)),
        (format!("{path}?as=public"), None),
    ] {
        let posts = oracle.own_posts(viewer, seen_by);
        add(
            &path,
            Expected::OwnList(posts.unwrap_or_default(), json!({})),
        );
    }
    for (user, account) in &oracle.accounts {
        let posts = oracle.own_posts(viewer, Some(*user));
        for name in [user.to_string(), format!("@{}", account.handle)] {
            let expected = Expected::List(posts.clone(), json!({}));
            add(&format!("{path}?as={name}"), expected);
        }
    }
}

/// Compares every read of the scope. Returns the number of reads; the error has the first differences. `client`
/// knows the positions to wait for. The viewers take the instances of read-api in turn.
pub async fn every_read(
    target: &Target,
    client: &Client,
    oracle: &Oracle,
    scope: &Scope<'_>,
) -> Result<usize> {
    let mut all = Vec::new();
    for (index, viewer) in scope.viewers.iter().enumerate() {
        let instance = &target.read[index % target.read.len()];
        let viewer = Viewer {
            client: client
                .with_read(instance)
                .with_token(&target.signer.token(*viewer)),
            name: format!("{viewer} (@{})", oracle.accounts[viewer].handle),
            id: *viewer,
        };
        let mut limits = scope.limits.iter().copied().cycle().skip(index);
        for read in reads(oracle, viewer.id, scope.days, scope.sample) {
            let limits = match read.expected {
                Expected::OwnList(..) => scope.limits.to_vec(),
                _ => limits.next().into_iter().collect(),
            };
            all.push((viewer.clone(), read, limits));
        }
    }
    let checks = stream::iter(all).map(|(viewer, read, limits)| async move {
        match viewer.check(&read, &limits).await {
            Ok(reads) => (reads, None),
            Err(error) => (0, Some(format!("{error:#}"))),
        }
    });
    let mut checks = checks.buffer_unordered(CONCURRENCY);
    let (mut reads, mut differences) = (0, Vec::new());
    while let Some((count, difference)) = checks.next().await {
        reads += count;
        differences.extend(difference);
        if differences.len() == MAX_DIFFERENCES {
            break;
        }
    }
    if differences.is_empty() {
        Ok(reads)
    } else {
        bail!("{}", differences.join("\n"))
    }
}

#[derive(Clone)]
struct Viewer {
    client: Client,
    id: Uuid,
    /// For messages.
    name: String,
}

impl Viewer {
    /// Returns how many reads it made.
    async fn check(&self, read: &Read, limits: &[usize]) -> Result<usize> {
        let path = &read.path;
        let (items, beside) = match &read.expected {
            Expected::One(expected) => {
                self.one(path, expected.as_ref()).await?;
                return Ok(1);
            }
            Expected::List(None, _) => {
                self.one(path, None).await?;
                return Ok(1);
            }
            Expected::List(Some(items), beside) | Expected::OwnList(items, beside) => {
                (items, beside)
            }
        };
        for limit in limits {
            self.list(path, *limit, items, beside).await?;
        }
        Ok(limits.len())
    }

    async fn one(&self, path: &str, expected: Option<&Value>) -> Result<()> {
        let answer = self.client.get(path).await;
        match expected {
            None if answer.status == 404 => Ok(()),
            Some(expected) if answer.status == 200 => self.equal(path, expected, answer.json()),
            expected => bail!(
                "GET {path} as {}: {answer:?} instead of {expected:?}",
                self.name
            ),
        }
    }

    async fn list(
        &self,
        path: &str,
        limit: usize,
        expected: &[Value],
        beside: &Value,
    ) -> Result<()> {
        let pages = self.client.pages(path, limit).await?;
        let path = format!("{path}, limit {limit}");
        self.equal(&path, beside, pages.first)?;
        for (index, (expected, actual)) in expected.iter().zip(&pages.items).enumerate() {
            self.equal(&format!("{path} item {index}"), expected, actual.clone())?;
        }
        if expected.len() != pages.items.len() {
            let ids = |items: &[Value]| {
                let ids = items.iter().map(|item| item["id"].to_string());
                ids.collect::<Vec<_>>()
            };
            bail!(
                "GET {path} as {}: {} items instead of {}\nexpected {:?}\nanswered {:?}",
                self.name,
                pages.items.len(),
                expected.len(),
                ids(expected),
                ids(&pages.items)
            );
        }
        Ok(())
    }

    fn equal(&self, path: &str, expected: &Value, mut actual: Value) -> Result<()> {
        sort_members(&mut actual);
        if *expected == actual {
            return Ok(());
        }
        bail!(
            "GET {path} as {}\nexpected {expected}\nanswered {actual}",
            self.name
        )
    }
}

/// The members of a conversation have no order.
fn sort_members(conversation: &mut Value) {
    if let Some(members) = conversation
        .get_mut("members")
        .and_then(Value::as_array_mut)
    {
        members.sort_by_key(|member| member["id"].as_str().map(str::to_owned));
    }
}
