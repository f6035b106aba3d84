//! Commands about posts.

use anyhow::{Result, ensure};
use uuid::Uuid;

use super::{
    random::{Kind, Pick, Theme, pick, text, usually},
    state::{State, choose, created_id, expect_status},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostCommand {
    Create {
        text: Pick,
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
    /// One of the account's own posts, or any.
    Delete {
        post: Pick,
        own: bool,
    },
}

pub fn kinds() -> Vec<Kind<PostCommand>> {
    vec![
        Kind::new("post", 15.0, Theme::Feed, |rng| PostCommand::Create {
            text: pick(rng),
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
        PostCommand::Create { text } => create(state, who, text, None).await,
        PostCommand::Reply { to, text } => match state.post(to) {
            Some(parent) => create(state, who, text, Some(parent)).await,
            None => Ok(()),
        },
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
    let status = match state.oracle.posts.get(&post) {
        None => 404,
        Some(found) if found.author == who => 204,
        Some(_) => 403,
    };
    Some((post, status))
}

async fn create(
    state: &mut State<'_>,
    who: Uuid,
    pick: Pick,
    reply_to: Option<Uuid>,
) -> Result<()> {
    let (sent, stored) = text(pick);
    let answer = state.client_of(who).post(&sent, reply_to).await;
    if reply_to.is_some_and(|parent| !state.oracle.posts.contains_key(&parent)) {
        return expect_status(&answer, 404);
    }
    let id = created_id(&answer, 201)?;
    state.oracle.create_post(id, who, &stored, reply_to);
    state.posts.push(id);
    ensure!(
        answer.json()["text"] == stored,
        "{answer:?} instead of {stored:?}"
    );
    let location = answer.header("location");
    ensure!(
        location.is_some_and(|location| location.ends_with(&id.to_string())),
        "{answer:?}"
    );
    Ok(())
}
