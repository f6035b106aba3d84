//! One command: what is sent, what the model says of it, and what was answered.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use feedmill_events::id;
use serde_json::json;
use uuid::Uuid;

use super::{Run, pick};
use crate::{
    client::Answer,
    property::action::{Action, Pick},
    token,
};

/// What is sent, and what is kept of it.
fn text(index: usize) -> (String, String) {
    match index % 5 {
        0 => (
            format!("  spaces around {index}\n"),
            format!("spaces around {index}"),
        ),
        1 => (
            format!("two\nlines \"{index}\" \\ </b>"),
            format!("two\nlines \"{index}\" \\ </b>"),
        ),
        2 => (format!("cafe\u{301} {index}"), format!("caf\u{e9} {index}")),
        3 => (format!("東京 🌾 {index}"), format!("東京 🌾 {index}")),
        _ => (format!("plain {index}"), format!("plain {index}")),
    }
}

impl Run<'_> {
    pub(super) async fn step(&mut self, action: Action) -> Result<()> {
        if action == Action::Account {
            let handle = format!("{}_{}", self.prefix, self.accounts.len());
            let answer = self.client.create_account(&handle, "New here").await;
            let id = made(&answer, 201)?;
            self.model.create_account(id, &handle, "New here");
            self.accounts.push(id);
            return Ok(());
        }
        let who = |index: Pick| pick(&self.accounts, index);
        match action {
            Action::Account | Action::Compare => {}
            Action::Rename { who: index, taken } => {
                let Some(who) = who(index) else { return Ok(()) };
                let somebody = taken.and_then(|index| pick(&self.accounts, index));
                let handle = match somebody {
                    Some(somebody) => self.model.accounts[&somebody].handle.clone(),
                    None => format!("{}_n{}", self.prefix, self.steps),
                };
                let status = if somebody.is_some_and(|somebody| somebody != who) {
                    409
                } else {
                    200
                };
                // Capitals are the same handle.
                let sent = handle.to_uppercase();
                let answer = self
                    .client_of(who)
                    .change_profile(json!({"handle": sent}))
                    .await;
                expect(&answer, status)?;
                if status == 200 {
                    self.account(who).handle = handle;
                }
            }
            Action::DisplayName { who: index, name } => {
                let Some(who) = who(index) else { return Ok(()) };
                let name = format!("Named {name}");
                expect(
                    &self
                        .client_of(who)
                        .change_profile(json!({"display_name": name}))
                        .await,
                    200,
                )?;
                self.account(who).display_name = name;
            }
            Action::Bio {
                who: index,
                text: index_of_text,
            } => {
                let Some(who) = who(index) else { return Ok(()) };
                let (sent, kept) = text(index_of_text);
                expect(
                    &self
                        .client_of(who)
                        .change_profile(json!({"bio": sent}))
                        .await,
                    200,
                )?;
                self.account(who).bio = kept;
            }
            Action::Post { who: index, text } => {
                let Some(who) = who(index) else { return Ok(()) };
                self.post(who, text, None).await?;
            }
            Action::Reply {
                who: index,
                post,
                text,
            } => {
                let (Some(who), Some(post)) = (who(index), pick(&self.posts, post)) else {
                    return Ok(());
                };
                self.post(who, text, Some(post)).await?;
            }
            Action::Delete {
                who: index,
                post,
                own,
            } => {
                let Some(who) = who(index) else { return Ok(()) };
                let own: Vec<_> = self.posts_of(who, own);
                let Some(post) = pick(&own, post) else {
                    return Ok(());
                };
                let status = match self.model.posts.get(&post) {
                    None => 404,
                    Some(found) if found.author == who => 204,
                    Some(_) => 403,
                };
                expect(&self.client_of(who).delete_post(post).await, status)?;
                if status == 204 {
                    self.model.delete_post(post);
                }
            }
            Action::Like { who: index, post } | Action::Unlike { who: index, post } => {
                let (Some(who), Some(post)) = (who(index), pick(&self.posts, post)) else {
                    return Ok(());
                };
                let liked = matches!(action, Action::Like { .. });
                let stands = self.model.posts.contains_key(&post);
                expect(
                    &self.client_of(who).like(post, liked).await,
                    if stands { 204 } else { 404 },
                )?;
                match (stands, liked) {
                    (true, true) => self.model.like(who, post, 0),
                    (true, false) => self.model.unlike(who, post),
                    (false, _) => {}
                }
            }
            Action::Follow { who: index, whom } | Action::Unfollow { who: index, whom } => {
                let (Some(who), Some(whom)) = (who(index), pick(&self.accounts, whom)) else {
                    return Ok(());
                };
                let follows = matches!(action, Action::Follow { .. });
                let status = if follows && who == whom { 422 } else { 204 };
                expect(&self.client_of(who).follow(whom, follows).await, status)?;
                match (status, follows) {
                    (204, true) => self.model.follow(who, whom, 0),
                    (204, false) => self.model.unfollow(who, whom),
                    _ => {}
                }
            }
            Action::Pair { who: index, with } => {
                let (Some(who), Some(with)) = (who(index), pick(&self.accounts, with)) else {
                    return Ok(());
                };
                self.converse(who, &[with], None).await?;
            }
            Action::Group {
                who: index,
                with,
                titled,
            } => {
                let Some(who) = who(index) else { return Ok(()) };
                let with: Vec<_> = with
                    .iter()
                    .filter_map(|index| pick(&self.accounts, *index))
                    .collect();
                self.converse(who, &with, titled.then_some("The mill"))
                    .await?;
            }
            Action::Message {
                who: index,
                conversation,
                own,
                text: index_of_text,
            } => {
                let Some(who) = who(index) else { return Ok(()) };
                let Some(conversation) = pick(&self.conversations_of(who, own), conversation)
                else {
                    return Ok(());
                };
                let (sent, kept) = text(index_of_text);
                let answer = self.client_of(who).send_message(conversation, &sent).await;
                if !self.is_member(who, conversation) {
                    return expect(&answer, 404);
                }
                let id = made(&answer, 201)?;
                self.model.send_message(conversation, id, who, &kept);
                self.messages.push(id);
            }
            Action::MarkRead {
                who: index,
                conversation,
                message,
                own,
                foreign,
            } => {
                let Some(who) = who(index) else { return Ok(()) };
                let Some(conversation) = pick(&self.conversations_of(who, own), conversation)
                else {
                    return Ok(());
                };
                let inside: Vec<_> = self.model.conversations[&conversation]
                    .messages
                    .keys()
                    .copied()
                    .collect();
                let Some(message) = pick(if foreign { &self.messages } else { &inside }, message)
                else {
                    return Ok(());
                };
                let legal = self.is_member(who, conversation) && inside.contains(&message);
                let answer = self.client_of(who).mark_read(conversation, message).await;
                expect(&answer, if legal { 204 } else { 404 })?;
                if legal {
                    self.model.mark_read(conversation, who, message);
                }
            }
            Action::MarkNotifications {
                who: index,
                notification,
                unseen,
                future,
            } => {
                let Some(who) = who(index) else { return Ok(()) };
                self.mark_notifications(who, notification, unseen, future)
                    .await?;
            }
        }
        Ok(())
    }

    async fn post(
        &mut self,
        who: Uuid,
        index_of_text: usize,
        reply_to: Option<Uuid>,
    ) -> Result<()> {
        let (sent, kept) = text(index_of_text);
        let answer = self.client_of(who).post(&sent, reply_to).await;
        if reply_to.is_some_and(|parent| !self.model.posts.contains_key(&parent)) {
            return expect(&answer, 404);
        }
        let id = made(&answer, 201)?;
        self.model.create_post(id, who, &kept, reply_to);
        self.posts.push(id);
        ensure!(
            answer.json()["text"] == kept,
            "{answer:?} instead of {kept:?}"
        );
        ensure!(
            answer
                .header("location")
                .is_some_and(|at| at.ends_with(&id.to_string())),
            "{answer:?}"
        );
        Ok(())
    }

    async fn mark_notifications(
        &mut self,
        who: Uuid,
        notification: Pick,
        unseen: bool,
        future: bool,
    ) -> Result<()> {
        let client = self.client_of(who);
        if future {
            let later = id::first_of(token::now().timestamp_millis() + 60_000);
            return expect(&client.mark_notifications_read(later).await, 422);
        }
        let mut places = self.posts.clone();
        if !unseen {
            let page = client.get("/v1/notifications?limit=100").await;
            expect(&page, 200)?;
            let seen = page.json()["items"].as_array().cloned().unwrap_or_default();
            let ids = seen
                .iter()
                .filter_map(|item| item["id"].as_str()?.parse().ok());
            places = ids.collect();
        }
        let Some(up_to) = pick(&places, notification) else {
            return Ok(());
        };
        expect(&client.mark_notifications_read(up_to).await, 204)?;
        self.model.mark_notifications_read(who, up_to);
        Ok(())
    }

    async fn converse(&mut self, who: Uuid, with: &[Uuid], title: Option<&str>) -> Result<()> {
        let members: BTreeSet<_> = with.iter().copied().chain([who]).collect();
        let answer = self.client_of(who).create_conversation(with, title).await;
        if members.len() < 2 {
            return expect(&answer, 422);
        }
        if let Some(known) = self.model.pair(&members) {
            let found = made(&answer, 200)?;
            ensure!(found == known, "{found} instead of {known}");
            return Ok(());
        }
        let id = made(&answer, 201)?;
        self.model
            .create_conversation(id, &members.into_iter().collect::<Vec<_>>(), title);
        self.conversations.push(id);
        Ok(())
    }
}

fn expect(answer: &Answer, status: u16) -> Result<()> {
    ensure!(answer.status == status, "{answer:?} instead of {status}");
    Ok(())
}

fn made(answer: &Answer, status: u16) -> Result<Uuid> {
    expect(answer, status)?;
    ensure!(
        answer.header("feedmill-position").is_some() || status == 200,
        "no position: {answer:?}"
    );
    Ok(answer.id())
}
