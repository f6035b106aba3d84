//! The decisions on posts.

use feedmill_events::{
    Event, Partition,
    event::{
        v1::{Audience, AudienceChanged, Parent, PostDeleted, PostEdited},
        v2::PostCreated,
    },
};
use uuid::Uuid;

use super::{Post, Posts, TextHash};
use crate::domain::{
    account::Actor,
    audience::{ShownAudience, Visibility},
    clock::Moment,
    decision::{Decision, Outcome, Rejection, Resource},
    text::PostText,
};

/// A root post.
pub fn publish(
    visibility: Visibility<'_>,
    author: Actor<'_>,
    moment: Moment,
    text: &PostText,
    audience: &Audience,
) -> Result<Decision, Rejection> {
    check_tags(visibility, author.id, audience)?;
    let event = PostCreated {
        post: moment.id(Partition::of(author.id)),
        author: author.id,
        reply_to: None,
        text: text.as_str().to_owned(),
        root_author: Some(author.id),
        audience: Some(audience.clone()),
    };
    let shown = ShownAudience::of(audience, true);
    Ok(created(event, author, moment, shown))
}

pub fn reply(
    posts: &Posts,
    visibility: Visibility<'_>,
    author: Actor<'_>,
    moment: Moment,
    text: &PostText,
    parent: Uuid,
) -> Result<Decision, Rejection> {
    let not_found = Rejection::field_not_found(Resource::Post, "reply_to");
    let found = posts.rows.get(&parent).ok_or(not_found)?;
    let access = visibility.access(author.id, found);
    access.require(Some("reply_to"))?;
    let event = PostCreated {
        post: moment.id(Partition::of(parent)),
        author: author.id,
        reply_to: Some(Parent {
            post: parent,
            author: found.author,
        }),
        text: text.as_str().to_owned(),
        root_author: Some(found.root_author),
        audience: None,
    };
    let audience = visibility.audiences.of(found.root);
    let shown = ShownAudience::of(audience, author.id == found.root_author);
    Ok(created(event, author, moment, shown))
}

fn created(
    event: PostCreated,
    author: Actor<'_>,
    moment: Moment,
    audience: ShownAudience,
) -> Decision {
    let outcome = Outcome::Post {
        id: event.post,
        author: author.account.summary(author.id),
        text: event.text.clone(),
        reply_to: event.reply_to.map(|parent| parent.post),
        created_at: moment.at(),
        audience,
    };
    Decision::new(Event::PostCreated(event), outcome)
}

pub fn edit(id: Uuid, post: Post, text: Option<&PostText>) -> Decision {
    let changed = text.filter(|text| post.text != Some(TextHash::of(text.as_str())));
    let Some(text) = changed else {
        return Decision::unchanged(Outcome::Done);
    };
    Decision::done(Event::PostEdited(PostEdited {
        post: id,
        author: post.author,
        text: text.as_str().to_owned(),
    }))
}

pub fn set_audience(
    id: Uuid,
    post: Post,
    visibility: Visibility<'_>,
    audience: &Audience,
) -> Result<Decision, Rejection> {
    if post.root != id {
        return Err(Rejection::NotARootPost);
    }
    check_tags(visibility, post.author, audience)?;
    if visibility.audiences.of(id) == audience {
        return Ok(Decision::unchanged(Outcome::Done));
    }
    let event = AudienceChanged {
        post: id,
        author: post.author,
        audience: audience.clone(),
    };
    Ok(Decision::done(Event::AudienceChanged(event)))
}

pub fn delete(id: Uuid, post: Post) -> Decision {
    Decision::done(Event::PostDeleted(PostDeleted {
        post: id,
        author: post.author,
        reply_to: post.reply_to,
    }))
}

/// The tags of an audience must exist and belong to the author.
fn check_tags(
    visibility: Visibility<'_>,
    author: Uuid,
    audience: &Audience,
) -> Result<(), Rejection> {
    match audience {
        Audience::Tags(tags) if !visibility.tags.are_own(tags, author) => {
            Err(Rejection::field_not_found(Resource::Tag, "tags"))
        }
        _ => Ok(()),
    }
}
