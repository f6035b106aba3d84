//! Commands about posts.

use anyhow::{Context as _, Result, ensure};
use uuid::Uuid;

use super::{
    access::{expect_refusal, refusal_of_post},
    audiences::{self, AudienceChoice},
    random::{Kind, Pick, Theme, pick, text, usually},
    state::{State, choose, created_id, expect_status},
};
use crate::client::Answer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostCommand {
    /// With an audience, or with the account's default one.
    Create {
        text: Pick,
        audience: Option<AudienceChoice>,
    },
    Reply {
        to: Pick,
        text: Pick,
    },
    /// One of the account's own posts, or any; to another text, or to the same.
    Edit {
        post: Pick,
        own: bool,
        text: Option<Pick>,
    },
    /// Of one of the account's own posts, or of any.
    ChangeAudience {
        post: Pick,
        own: bool,
        audience: AudienceChoice,
    },
    /// One of the account's own posts, or any.
    Delete {
        post: Pick,
        own: bool,
    },
}

pub fn kinds() -> Vec<Kind<PostCommand>> {
    vec![
        Kind::new("post", 10.0, Theme::Feed, |rng| PostCommand::Create {
            text: pick(rng),
            audience: None,
        }),
        Kind::new("post to an audience", 8.0, Theme::Feed, |rng| {
            PostCommand::Create {
                text: pick(rng),
                audience: Some(AudienceChoice::draw(rng)),
            }
        }),
        Kind::new("change audience", 4.0, Theme::Feed, |rng| {
            PostCommand::ChangeAudience {
                post: pick(rng),
                own: usually(rng),
                audience: AudienceChoice::draw(rng),
            }
        }),
        Kind::new("reply", 8.0, Theme::Feed, |rng| PostCommand::Reply {
            to: pick(rng),
            text: pick(rng),
        }),
        Kind::new("edit post", 6.0, Theme::Feed, |rng| PostCommand::Edit {
            post: pick(rng),
            own: usually(rng),
            text: usually(rng).then(|| pick(rng)),
        }),
        Kind::new("delete post", 6.0, Theme::Feed, |rng| PostCommand::Delete {
            post: pick(rng),
            own: usually(rng),
        }),
    ]
}

pub async fn perform(state: &mut State<'_>, who: Uuid, command: PostCommand) -> Result<()> {
    match command {
        PostCommand::Create { text, audience } => create(state, who, text, audience).await,
        PostCommand::Reply { to, text } => match state.post(to) {
            Some(parent) => reply(state, who, text, parent).await,
            None => Ok(()),
        },
        PostCommand::ChangeAudience {
            post,
            own,
            audience,
        } => change_audience(state, who, post, own, audience).await,
        PostCommand::Edit {
            post,
            own,
            text: new,
        } => {
            let Some((post, status)) = authored(state, who, post, own) else {
                return Ok(());
            };
            let present = state.oracle.posts.get(&post);
            let present = present.map_or_else(|| "gone".to_owned(), |post| post.text.clone());
            let (sent, stored) = new.map_or_else(|| (present.clone(), present), text);
            expect_status(&state.client_of(who).edit_post(post, &sent).await, status)?;
            if status == 204 {
                // The time comes from the log before each comparison.
                state.oracle.edit_post(post, &stored, 0);
            }
            Ok(())
        }
        PostCommand::Delete { post, own } => {
            let Some((post, status)) = authored(state, who, post, own) else {
                return Ok(());
            };
            expect_status(&state.client_of(who).delete_post(post).await, status)?;
            if status == 204 {
                state.oracle.delete_post(post);
            }
            Ok(())
        }
    }
}

/// The picked one of the account's own posts, or of all, and the answer to a command that only its author may give.
fn authored(state: &State<'_>, who: Uuid, pick: Pick, own: bool) -> Option<(Uuid, u16)> {
    let mut posts = state.posts.clone();
    posts.retain(|post| !own || state.oracle.is_author(who, *post));
    let post = choose(&posts, pick)?;
    let status = if !state.oracle.visible(who, post) {
        404
    } else if state.oracle.is_author(who, post) {
        204
    } else {
        403
    };
    Some((post, status))
}

async fn create(
    state: &mut State<'_>,
    who: Uuid,
    pick: Pick,
    choice: Option<AudienceChoice>,
) -> Result<()> {
    let (sent, stored) = text(pick);
    let client = state.client_of(who);
    let (answer, audience) = match choice {
        None => {
            let audience = state.oracle.settings(who).default_audience;
            (client.post(&sent, None).await, audience)
        }
        Some(choice) => {
            let Some(audience) = choice.audience(state, who) else {
                return Ok(());
            };
            let answer = client.post_to(&audience, &sent).await;
            if !state.oracle.may_share_with(who, &audience) {
                return expect_status(&answer, 404);
            }
            (answer, audiences::stored(audience))
        }
    };
    let id = created_id(&answer, 201)?;
    state.oracle.create_post(id, who, &stored, audience);
    created(state, who, id, &answer)
}

async fn reply(state: &mut State<'_>, who: Uuid, pick: Pick, parent: Uuid) -> Result<()> {
    let (sent, stored) = text(pick);
    let answer = state.client_of(who).post(&sent, Some(parent)).await;
    if let Some(status) = refusal_of_post(&state.oracle, who, parent) {
        return expect_status(&answer, status);
    }
    let id = created_id(&answer, 201)?;
    state.oracle.create_reply(id, who, &stored, parent);
    created(state, who, id, &answer)
}

/// Checks the answer to a command that created this post.
fn created(state: &mut State<'_>, who: Uuid, id: Uuid, answer: &Answer) -> Result<()> {
    state.posts.push(id);
    let expected = state.oracle.post(who, id).context("one's own post")?;
    for field in ["text", "audience", "tags"] {
        ensure!(
            answer.json()[field] == expected[field],
            "{answer:?} instead of {expected}"
        );
    }
    let location = answer.header("location");
    ensure!(
        location.is_some_and(|location| location.ends_with(&id.to_string())),
        "{answer:?}"
    );
    Ok(())
}

async fn change_audience(
    state: &mut State<'_>,
    who: Uuid,
    post: Pick,
    own: bool,
    choice: AudienceChoice,
) -> Result<()> {
    let chosen = authored(state, who, post, own);
    let (Some((post, status)), Some(audience)) = (chosen, choice.audience(state, who)) else {
        return Ok(());
    };
    let answer = state.client_of(who).change_audience(post, &audience).await;
    let mut refusals = Vec::new();
    if status != 204 {
        refusals.push(status);
    } else if !state.oracle.threads.contains_key(&post) {
        refusals.push(409);
    }
    if !state.oracle.may_share_with(who, &audience) {
        refusals.push(404);
    }
    if !refusals.is_empty() {
        return expect_refusal(&answer, &refusals);
    }
    expect_status(&answer, 204)?;
    let audience = audiences::stored(audience);
    state.oracle.change_audience(post, audience);
    Ok(())
}
