//! The answers in an `expected.json`, compared with those over HTTP. It was computed with plain loops over the same
//! records, and calls things by their names in the records.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Names;
use crate::kit::Target;

/// An answer that is not the expected one.
#[derive(Debug)]
pub struct Difference {
    pub whose: String,
    pub what: &'static str,
    pub how: String,
}

/// How often each kind of answer was compared, and the differences.
pub type Compared = (BTreeMap<&'static str, usize>, Vec<Difference>);

struct Checker<'a> {
    names: &'a Names,
    counts: BTreeMap<&'static str, usize>,
    differences: Vec<Difference>,
}

impl Checker<'_> {
    fn compare(&mut self, whose: &str, what: &'static str, expected: &Value, actual: &Value) {
        *self.counts.entry(what).or_default() += 1;
        if expected != actual {
            let how = format!("expected {expected}, answered {actual}");
            self.differences.push(Difference {
                whose: whose.to_owned(),
                what,
                how,
            });
        }
    }

    fn names_of(&self, items: &[Value]) -> Value {
        items
            .iter()
            .map(|item| self.names.name(item["id"].as_str().unwrap_or("?")))
            .collect()
    }
}

/// Compares every answer. The projector must have caught up.
pub async fn compare_expected(
    target: &Target,
    expected: &Value,
    names: &Names,
) -> Result<Compared> {
    let mut checker = Checker {
        names,
        counts: BTreeMap::new(),
        differences: Vec::new(),
    };
    let week = expected["week"][0].as_str().context("a week")?;
    let date = &week[..10];
    let users = expected["users"].as_object().context("users")?;
    let mut any_user = None;
    for (user, answers) in users {
        let id = names.id("account", user)?;
        any_user = Some(id);
        one_user(target, &mut checker, user, id, answers, date).await?;
    }
    let client = target.client_of(any_user.context("at least one user")?);
    for (post, answers) in expected["posts"].as_object().context("posts")? {
        let path = format!("/v1/posts/{}", names.id("post", post)?);
        let found = client.get(&path).await.json();
        for what in ["like_count", "reply_count"] {
            checker.compare(post, what, &answers[what], &found[what]);
        }
    }
    Ok((checker.counts, checker.differences))
}

async fn one_user(
    target: &Target,
    checker: &mut Checker<'_>,
    user: &str,
    id: Uuid,
    answers: &Value,
    date: &str,
) -> Result<()> {
    let client = target.client_of(id);
    let profile = client.get(&format!("/v1/users/@{user}")).await.json();
    for what in ["followers_count", "following_count", "posts_count"] {
        checker.compare(user, what, &answers[what], &profile[what]);
    }

    let feed = client.pages("/v1/feed", 100).await?.items;
    let last = &feed[feed.len().saturating_sub(20)..];
    checker.compare(
        user,
        "feed_length",
        &answers["feed_length"],
        &json!(feed.len()),
    );
    let first = checker.names_of(&feed[..feed.len().min(60)]);
    checker.compare(user, "feed_first_60", &answers["feed_first_60"], &first);
    checker.compare(
        user,
        "feed_last_20",
        &answers["feed_last_20"],
        &checker.names_of(last),
    );

    let digest = client
        .get(&format!("/v1/digest?period=week&date={date}"))
        .await
        .json();
    let counters = [
        "posts",
        "likes_received",
        "replies_received",
        "new_followers",
        "messages_received",
    ];
    for what in counters {
        checker.compare(
            user,
            what,
            &answers["digest"][what],
            &digest["counters"][what],
        );
    }
    let top = digest["top_posts"].as_array().cloned().unwrap_or_default();
    checker.compare(
        user,
        "top_posts",
        &answers["digest"]["top_posts"],
        &checker.names_of(&top),
    );

    let inbox = client.pages("/v1/conversations", 100).await?;
    let total = json!(inbox.items.len());
    checker.compare(
        user,
        "conversations_total",
        &answers["conversations_total"],
        &total,
    );
    checker.compare(
        user,
        "unread_total",
        &answers["unread_total"],
        &inbox.first["unread_total"],
    );
    let name = |id: &Value| checker.names.name(id.as_str().unwrap_or("?"));
    let shown = inbox.items.iter().take(20).map(|found| {
        json!({
            "id": name(&found["id"]),
            "message_count": found["message_count"],
            "unread_count": found["unread_count"],
            "last_message": name(&found["last_message"]["id"]),
        })
    });
    let shown: Value = shown.collect();
    checker.compare(
        user,
        "conversations_first_20",
        &answers["conversations_first_20"],
        &shown,
    );
    Ok(())
}
