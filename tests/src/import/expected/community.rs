//! Feeds, digests, inboxes and counts.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Checker;
use crate::kit::Target;

pub async fn compare(target: &Target, checker: &mut Checker<'_>, expected: &Value) -> Result<()> {
    let names = checker.names;
    let week = expected["week"][0].as_str().context("a week")?;
    let date = &week[..10];
    let users = expected["users"].as_object().context("users")?;
    let mut any_user = None;
    for (user, answers) in users {
        let id = names.id("account", user)?;
        any_user = Some(id);
        one_user(target, checker, user, id, answers, date).await?;
    }
    let client = target.client_of(any_user.context("at least one user")?);
    for (post, answers) in expected["posts"].as_object().context("posts")? {
        let path = format!("/v1/posts/{}", names.id("post", post)?);
        let found = client.get(&path).await.json();
        for what in ["like_count", "reply_count"] {
            checker.compare(post, what, &answers[what], &found[what]);
        }
    }
    Ok(())
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

    checker.compare_feed(user, &client, answers).await?;

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
