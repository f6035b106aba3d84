//! Who sees what. `hidden` is 404, or that an account is left out of the relationships.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Checker;
use crate::{client::Client, kit::Target};

pub async fn compare(target: &Target, checker: &mut Checker<'_>, expected: &Value) -> Result<()> {
    let mut comparison = Comparison { target, checker };
    let week = expected["week"]["from"].as_str().context("a week")?;
    for (user, answers) in expected["users"].as_object().context("users")? {
        comparison.user(user, answers, week).await?;
    }
    for row in rows(expected, "lists")? {
        comparison.list(row).await?;
    }
    for row in rows(expected, "sees")? {
        comparison.post(row).await?;
    }
    for row in rows(expected, "replies")? {
        comparison.replies(row).await?;
    }
    for row in rows(expected, "relationships")? {
        comparison.relationship(row).await?;
    }
    Ok(())
}

fn rows<'a>(expected: &'a Value, list: &'static str) -> Result<&'a Vec<Value>> {
    expected[list].as_array().context(list)
}

fn field<'a>(row: &'a Value, name: &'static str) -> Result<&'a str> {
    row[name].as_str().context(name)
}

struct Comparison<'a, 'b> {
    target: &'a Target,
    checker: &'a mut Checker<'b>,
}

impl Comparison<'_, '_> {
    fn client(&self, user: &str) -> Result<Client> {
        let id = self.checker.names.id("account", user)?;
        Ok(self.target.client_of(id))
    }

    /// What an account reads of its own.
    async fn user(&mut self, user: &str, answers: &Value, date: &str) -> Result<()> {
        let client = self.client(user)?;
        let profile = client.get(&format!("/v1/users/@{user}")).await.json();
        for what in [
            "connections_count",
            "following_count",
            "followers_count",
            "posts_count",
        ] {
            self.checker
                .compare(user, what, &answers[what], &profile[what]);
        }
        self.checker.compare_feed(user, &client, answers).await?;

        let path = format!("/v1/digest?period=week&date={date}");
        let digest = client.get(&path).await.json();
        let posts = &digest["counters"]["posts"];
        let of_digest = &answers["digest"];
        self.checker
            .compare(user, "digest posts", &of_digest["posts"], posts);
        let top = digest["top_posts"].as_array().cloned().unwrap_or_default();
        let top = self.checker.names_of(&top);
        self.checker
            .compare(user, "digest top_posts", &of_digest["top_posts"], &top);

        for (what, path) in [("blocks", "/v1/blocks"), ("mutes", "/v1/mutes")] {
            let listed = client.pages(path, 100).await?.items.len();
            self.checker
                .compare(user, what, &answers[what], &json!(listed));
        }
        let tags = client.pages("/v1/tags", 100).await?.items;
        let tags = tags.iter().map(|tag| {
            let name = self.checker.names.name(tag["id"].as_str().unwrap_or("?"));
            (name, tag["members_count"].clone())
        });
        let tags = Value::Object(tags.collect());
        self.checker.compare(user, "tags", &answers["tags"], &tags);
        Ok(())
    }

    /// The posts of an author, as a viewer reads them.
    async fn list(&mut self, row: &Value) -> Result<()> {
        let (viewer, author) = (field(row, "viewer")?, field(row, "author")?);
        let client = self.client(viewer)?;
        let path = format!(
            "/v1/users/{}/posts",
            self.checker.names.id("account", author)?
        );
        let whose = format!("{author} as {viewer}");
        let expected = without(row, &["viewer", "author"]);
        let actual = if client.get(&path).await.status == 404 {
            json!({"hidden": true})
        } else {
            let posts = client.pages(&path, 100).await?.items;
            let first = self.checker.names_of(&posts[..posts.len().min(20)]);
            json!({"length": posts.len(), "first_20": first})
        };
        self.checker.compare(&whose, "lists", &expected, &actual);
        Ok(())
    }

    async fn post(&mut self, row: &Value) -> Result<()> {
        let (viewer, post) = (field(row, "viewer")?, field(row, "post")?);
        let client = self.client(viewer)?;
        let path = format!("/v1/posts/{}", self.checker.names.id("post", post)?);
        let answer = client.get(&path).await;
        let whose = format!("{post} as {viewer}");
        let expected = without(row, &["viewer", "post"]);
        let actual = match answer.status.as_u16() {
            404 => json!({"hidden": true}),
            200 => {
                let found = answer.json();
                let (likes, replies) = (&found["like_count"], &found["reply_count"]);
                json!({"hidden": false, "like_count": likes, "reply_count": replies})
            }
            status => json!({"status": status}),
        };
        self.checker.compare(&whose, "sees", &expected, &actual);
        Ok(())
    }

    async fn replies(&mut self, row: &Value) -> Result<()> {
        let (viewer, post) = (field(row, "viewer")?, field(row, "post")?);
        let client = self.client(viewer)?;
        let path = format!("/v1/posts/{}/replies", self.checker.names.id("post", post)?);
        let whose = format!("{post} as {viewer}");
        let replies = client.pages(&path, 100).await?.items;
        let replies = self.checker.names_of(&replies);
        self.checker
            .compare(&whose, "replies", &row["replies"], &replies);
        Ok(())
    }

    async fn relationship(&mut self, row: &Value) -> Result<()> {
        let (viewer, other) = (field(row, "viewer")?, field(row, "id")?);
        let client = self.client(viewer)?;
        let id = self.checker.names.id("account", other)?;
        let answer = client.get(&format!("/v1/relationships?id={id}")).await;
        let whose = format!("{other} as {viewer}");
        let expected = without(row, &["viewer", "id"]);
        let actual = match answer.json()["items"].as_array() {
            Some(items) if items.is_empty() => json!({"hidden": true}),
            Some(items) => without(&items[0], &["id"]),
            None => json!({"status": answer.status.as_u16()}),
        };
        self.checker
            .compare(&whose, "relationships", &expected, &actual);
        Ok(())
    }
}

/// An object without these fields.
fn without(object: &Value, fields: &[&str]) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.retain(|name, _| !fields.contains(&name.as_str()));
    }
    object
}
