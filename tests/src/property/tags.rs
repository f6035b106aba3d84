//! Commands about audience tags and their members.

use anyhow::Result;
use rand::Rng;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::{
    access::refusal_of_account,
    random::{Kind, Pick, Theme, pick, usually},
    state::{State, choose, created_id, expect_status},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagCommand {
    /// Names are few, so that some are taken.
    Create {
        name: Pick,
    },
    Rename {
        tag: Pick,
        name: Pick,
    },
    Delete {
        tag: Pick,
        own: bool,
    },
    AddMember {
        tag: Pick,
        own: bool,
        member: Pick,
    },
    RemoveMember {
        tag: Pick,
        own: bool,
        member: Pick,
    },
}

pub fn kinds() -> Vec<Kind<TagCommand>> {
    let theme = Theme::Feed;
    vec![
        Kind::new("create tag", 2.5, theme, |rng| TagCommand::Create {
            name: rng.gen_range(0..6),
        }),
        Kind::new("rename tag", 0.5, theme, |rng| TagCommand::Rename {
            tag: pick(rng),
            name: rng.gen_range(0..6),
        }),
        Kind::new("delete tag", 0.7, theme, |rng| TagCommand::Delete {
            tag: pick(rng),
            own: usually(rng),
        }),
        Kind::new("add tag member", 5.0, theme, |rng| TagCommand::AddMember {
            tag: pick(rng),
            own: usually(rng),
            member: pick(rng),
        }),
        Kind::new("remove tag member", 1.5, theme, |rng| {
            TagCommand::RemoveMember {
                tag: pick(rng),
                own: usually(rng),
                member: pick(rng),
            }
        }),
    ]
}

fn name(pick: Pick) -> String {
    format!("Tag {pick}")
}

/// One of the account's tags, or of all.
fn any_tag(state: &State<'_>, who: Uuid, own: bool, pick: Pick) -> Option<Uuid> {
    let tags = state.oracle.tags.iter();
    let tags = tags.filter(|(_, tag)| !own || tag.owner == who);
    choose(&tags.map(|(id, _)| id).collect::<Vec<_>>(), pick)
}

pub async fn perform(state: &mut State<'_>, who: Uuid, command: TagCommand) -> Result<()> {
    let client = state.client_of(who);
    match command {
        TagCommand::Create { name: pick } => {
            let name = name(pick);
            let answer = client.create_tag(&name).await;
            if !state.oracle.tags.is_free(Uuid::nil(), who, &name) {
                return expect_status(&answer, 409);
            }
            let tag = created_id(&answer, 201)?;
            state.oracle.tags.create(tag, who, &name);
            state.tags.push(tag);
        }
        TagCommand::Rename { tag, name: pick } => {
            let Some(tag) = any_tag(state, who, true, tag) else {
                return Ok(());
            };
            let name = name(pick);
            let body = json!({"name": name});
            let path = format!("/v1/tags/{tag}");
            let answer = client.command(Method::PATCH, &path, Some(body)).await;
            let same = state
                .oracle
                .tags
                .get(tag)
                .is_some_and(|tag| tag.name == name);
            if !same && !state.oracle.tags.is_free(Uuid::nil(), who, &name) {
                return expect_status(&answer, 409);
            }
            expect_status(&answer, 200)?;
            state.oracle.tags.rename(tag, &name);
        }
        TagCommand::Delete { tag, own } => {
            let Some(tag) = any_tag(state, who, own, tag) else {
                return Ok(());
            };
            let path = format!("/v1/tags/{tag}");
            let answer = client.command(Method::DELETE, &path, None).await;
            expect_status(&answer, 204)?;
            if state.oracle.tags.is_owner(who, tag) {
                state.oracle.tags.delete(tag);
            }
        }
        TagCommand::AddMember { tag, own, member } => {
            let (tag, member) = (any_tag(state, who, own, tag), state.account(member));
            let (Some(tag), Some(member)) = (tag, member) else {
                return Ok(());
            };
            let answer = client.tag_member(tag, member, true).await;
            if !state.oracle.tags.is_owner(who, tag) {
                return expect_status(&answer, 404);
            }
            if let Some(status) = refusal_of_account(&state.oracle, who, member) {
                return expect_status(&answer, status);
            }
            if !state.oracle.connections.are_connected(who, member) {
                return expect_status(&answer, 409);
            }
            expect_status(&answer, 204)?;
            // The time comes from the state tables before each comparison.
            state.oracle.tags.add(tag, member, 0);
        }
        TagCommand::RemoveMember { tag, own, member } => {
            let (tag, member) = (any_tag(state, who, own, tag), state.account(member));
            let (Some(tag), Some(member)) = (tag, member) else {
                return Ok(());
            };
            let answer = client.tag_member(tag, member, false).await;
            expect_status(&answer, 204)?;
            if state.oracle.tags.is_owner(who, tag) {
                state.oracle.tags.remove(tag, member);
            }
        }
    }
    Ok(())
}
