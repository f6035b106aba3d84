//! Tests of decisions: given these events, when an account gives a command, then these events follow.

use feedmill_events::{
    Event,
    event::{v1, v2},
};
use uuid::Uuid;

use super::{Command, Moment, Rejection, State, decision::Decision};

/// The time of the given events, in Unix milliseconds.
pub const AT: i64 = 1_700_000_000_000;
/// The time of the command.
pub const NOW: i64 = AT + 1_000;

pub fn id(n: u64) -> Uuid {
    feedmill_events::id::compose(AT, 0, n, None)
}

/// Account `n` with the handle `user<n>`.
pub fn account(n: u64) -> Event {
    let handle = format!("user{n}");
    Event::AccountCreated(v1::AccountCreated {
        account: id(n),
        display_name: handle.clone(),
        handle,
    })
}

/// A public root post.
pub fn post(n: u64, author: u64) -> Event {
    post_to(n, author, v1::Audience::Public)
}

/// A root post with an audience.
pub fn post_to(n: u64, author: u64, audience: v1::Audience) -> Event {
    Event::PostCreated(v2::PostCreated {
        post: id(n),
        author: id(author),
        reply_to: None,
        text: "text".to_owned(),
        root_author: Some(id(author)),
        audience: Some(audience),
    })
}

/// A reply to a post, which is given as its number and its author.
pub fn reply(n: u64, author: u64, (post, parent_author): (u64, u64), root_author: u64) -> Event {
    Event::PostCreated(v2::PostCreated {
        post: id(n),
        author: id(author),
        reply_to: Some(v1::Parent {
            post: id(post),
            author: id(parent_author),
        }),
        text: "text".to_owned(),
        root_author: Some(id(root_author)),
        audience: None,
    })
}

/// The events of these commands, each given by an account, after the given events. With the given events.
pub fn after(given: &[Event], commands: &[(u64, Command)]) -> Vec<Event> {
    let mut given = given.to_vec();
    for (actor, command) in commands {
        given.extend(events(&given, *actor, command.clone()));
    }
    given
}

pub fn conversation(n: u64, members: &[u64]) -> Event {
    Event::ConversationCreated(v2::ConversationCreated {
        conversation: id(n),
        members: members.iter().map(|member| id(*member)).collect(),
        title: None,
        creator: None,
    })
}

pub fn message(n: u64, conversation: u64, sender: u64) -> Event {
    Event::MessageSent(v1::MessageSent {
        conversation: id(conversation),
        message: id(n),
        sender: id(sender),
        text: "text".to_owned(),
    })
}

pub fn decide(
    given: &[Event],
    actor: u64,
    command: impl Into<Command>,
) -> Result<Decision, Rejection> {
    decide_at(NOW, given, actor, command)
}

/// The same at another time, in Unix milliseconds.
pub fn decide_at(
    now: i64,
    given: &[Event],
    actor: u64,
    command: impl Into<Command>,
) -> Result<Decision, Rejection> {
    let mut state = State::default();
    for event in given {
        state.apply(AT, event);
    }
    let moment = Moment {
        millis: now,
        counter: 0,
        random: 42,
    };
    command.into().decide(&state, id(actor), moment)
}

/// The events of a command that is accepted.
pub fn events(given: &[Event], actor: u64, command: impl Into<Command>) -> Vec<Event> {
    decide(given, actor, command).unwrap().events
}

pub fn rejection(given: &[Event], actor: u64, command: impl Into<Command>) -> Rejection {
    decide(given, actor, command).unwrap_err()
}
