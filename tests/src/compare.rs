//! Every read of a stack against the model: all lists from their first item to their last, at several page
//! sizes, and everything that is not there as well.

use anyhow::{Result, bail};
use chrono::NaiveDate;
use futures::{StreamExt, future::BoxFuture, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::Client,
    harness::Stack,
    model::{Model, Period},
};

/// What is compared.
pub struct Scope<'a> {
    /// The accounts that look.
    pub viewers: &'a [Uuid],
    /// Page sizes. Everybody's own lists are read with all of them, other people's with one each in turn.
    pub limits: &'a [usize],
    /// The days whose digests, and whose weeks' digests, are read.
    pub days: &'a [NaiveDate],
    /// About how many posts and how many conversations are looked at one by one, of those that there are.
    pub sample: usize,
}

/// Reads at once. Enough to keep two processors busy.
const AT_ONCE: usize = 8;

type Check<'a> = BoxFuture<'a, Result<()>>;

/// Compares; returns how many reads were made, or the first few differences. `client` knows the positions
/// to wait for; every instance of read-api is asked in turn.
pub async fn every_read(
    stack: &Stack,
    client: &Client,
    model: &Model,
    scope: &Scope<'_>,
) -> Result<usize> {
    let mut checks = Vec::new();
    for (index, viewer) in scope.viewers.iter().enumerate() {
        let instance = &stack.read[index % stack.read.len()];
        let client = client
            .with_read(instance)
            .with_token(&stack.signer.token(*viewer));
        checks.extend(checks_of(&Viewer {
            client,
            model,
            scope,
            id: *viewer,
            index,
        }));
    }
    let count = checks.len();
    let wrong: Vec<_> = stream::iter(checks)
        .buffer_unordered(AT_ONCE)
        .filter_map(|result| async { result.err().map(|error| format!("{error:#}")) })
        .take(5)
        .collect()
        .await;
    if wrong.is_empty() {
        Ok(count)
    } else {
        bail!("{}", wrong.join("\n"))
    }
}

#[derive(Clone)]
struct Viewer<'a> {
    client: Client,
    model: &'a Model,
    scope: &'a Scope<'a>,
    id: Uuid,
    index: usize,
}

fn checks_of<'a>(viewer: &Viewer<'a>) -> Vec<Check<'a>> {
    let Viewer {
        model,
        scope,
        id,
        index,
        ..
    } = *viewer;
    let mut checks: Vec<Check<'_>> = Vec::new();
    let mut turn = scope.limits.iter().copied().cycle().skip(index);
    let mut one = || turn.next().expect("a page size");

    checks.push(viewer.one("/v1/me".to_owned(), model.profile(id)));
    let (inbox, unread) = model.conversations(id);
    let (notifications, unread_notifications) = model.notifications(id);
    for limit in scope.limits {
        checks.push(viewer.list(
            "/v1/feed".to_owned(),
            *limit,
            Some(model.feed(id)),
            json!({}),
        ));
        let total = json!({"unread_total": unread});
        checks.push(viewer.list(
            "/v1/conversations".to_owned(),
            *limit,
            Some(inbox.clone()),
            total,
        ));
        checks.push(viewer.list(
            "/v1/notifications".to_owned(),
            *limit,
            Some(notifications.clone()),
            json!({"unread_count": unread_notifications}),
        ));
    }
    for period in scope
        .days
        .iter()
        .flat_map(|day| [Period::Day(*day), Period::Week(*day)])
    {
        let path = format!("/v1/digest?period={}&date={}", period.name(), period.date());
        checks.push(viewer.one(path, Some(model.digest(id, period))));
    }
    let apart = |count: usize| (count / scope.sample.max(1)).max(1);
    for conversation in model
        .conversations
        .keys()
        .step_by(apart(model.conversations.len()))
    {
        let path = format!("/v1/conversations/{conversation}/messages");
        checks.push(viewer.list(path, one(), model.messages(id, *conversation), json!({})));
    }
    let count = model.posts.len() + model.deleted.len();
    for post in model
        .posts
        .keys()
        .chain(&model.deleted)
        .step_by(apart(count))
    {
        let view = model.post(id, *post);
        let replies = model.replies(id, *post);
        checks.push(viewer.one(format!("/v1/posts/{post}"), view));
        checks.push(viewer.list(
            format!("/v1/posts/{post}/replies"),
            one(),
            replies,
            json!({}),
        ));
    }
    for (user, account) in &model.accounts {
        let path = format!("/v1/users/{user}");
        checks.push(viewer.one(path.clone(), model.profile(*user)));
        checks.push(viewer.one(
            format!("/v1/users/@{}", account.handle),
            model.profile(*user),
        ));
        let posts = model.user_posts(id, *user);
        checks.push(viewer.list(format!("{path}/posts"), one(), Some(posts), json!({})));
        let followers = model.followers(*user);
        checks.push(viewer.list(
            format!("{path}/followers"),
            one(),
            Some(followers),
            json!({}),
        ));
        let following = model.following(*user);
        checks.push(viewer.list(
            format!("{path}/following"),
            one(),
            Some(following),
            json!({}),
        ));
    }
    checks
}

impl<'a> Viewer<'a> {
    /// A read of one thing; none means 404.
    fn one(&self, path: String, expected: Option<Value>) -> Check<'a> {
        let viewer = self.clone();
        Box::pin(async move {
            let answer = viewer.client.get(&path).await;
            match expected {
                None if answer.status == 404 => Ok(()),
                Some(expected) if answer.status == 200 => {
                    viewer.same(&path, &expected, answer.json())
                }
                expected => bail!(
                    "{}: {answer:?} instead of {expected:?}",
                    viewer.names(&path)
                ),
            }
        })
    }

    fn list(
        &self,
        path: String,
        limit: usize,
        expected: Option<Vec<Value>>,
        beside: Value,
    ) -> Check<'a> {
        let viewer = self.clone();
        Box::pin(async move {
            let Some(expected) = expected else {
                return viewer.one(path, None).await;
            };
            let pages = viewer.client.pages(&path, limit).await?;
            let path = format!("{path}?limit={limit}");
            viewer.same(&path, &beside, pages.first)?;
            for (index, (expected, actual)) in expected.iter().zip(&pages.items).enumerate() {
                viewer.same(&format!("{path} item {index}"), expected, actual.clone())?;
            }
            if expected.len() != pages.items.len() {
                let ids = |items: &[Value]| {
                    items
                        .iter()
                        .map(|item| item["id"].to_string())
                        .collect::<Vec<_>>()
                };
                bail!(
                    "{}: {} items instead of {}\nexpected {:?}\nanswered {:?}",
                    viewer.names(&path),
                    pages.items.len(),
                    expected.len(),
                    ids(&expected),
                    ids(&pages.items)
                );
            }
            Ok(())
        })
    }

    fn same(&self, path: &str, expected: &Value, mut actual: Value) -> Result<()> {
        sort_members(&mut actual);
        if *expected == actual {
            return Ok(());
        }
        bail!(
            "{}\nexpected {expected}\nanswered {actual}",
            self.names(path)
        )
    }

    fn names(&self, path: &str) -> String {
        format!(
            "GET {path} as {} (@{})",
            self.id, self.model.accounts[&self.id].handle
        )
    }
}

/// Members have no order of their own.
fn sort_members(conversation: &mut Value) {
    if let Some(members) = conversation
        .get_mut("members")
        .and_then(Value::as_array_mut)
    {
        members.sort_by_key(|member| member["id"].as_str().map(str::to_owned));
    }
}
