//! Decisions: what is there, and what somebody wants, become events or a rejection.

use feedmill_events::Event;
use uuid::Uuid;

use super::{
    Command, Moment, Outcome, Rejection, State, account, conversation, notification, post,
};

/// What an accepted command comes to. No events means that it already was so.
#[derive(Debug)]
pub struct Decision {
    pub events: Vec<Event>,
    pub outcome: Outcome,
}

impl Decision {
    /// It already was so.
    pub(super) fn nothing_to_do() -> Self {
        Self {
            events: Vec::new(),
            outcome: Outcome::Done,
        }
    }

    pub(super) fn done(event: Event) -> Self {
        Self {
            events: vec![event],
            outcome: Outcome::Done,
        }
    }
}

/// Decides one command. `state` holds what [`Needs`](super::Needs) asked for; a thing that is not in it is not
/// there. `moment` is when this happens and makes the id of what it creates.
pub fn decide(
    state: &State,
    actor: Uuid,
    command: &Command,
    moment: Moment,
) -> Result<Decision, Rejection> {
    match command {
        Command::CreateAccount {
            handle,
            display_name,
            ..
        } => {
            let partition = command.partition(actor);
            return account::create(
                state,
                moment.id(partition),
                handle.as_str(),
                display_name.as_str(),
            );
        }
        Command::EnsureAccount {
            account,
            handle_hint,
            name_hint,
        } => {
            return account::ensure(
                state,
                *account,
                handle_hint.as_deref(),
                name_hint.as_deref(),
            );
        }
        _ => {}
    }
    let me = state.accounts.get(&actor).ok_or(Rejection::UnknownActor)?;
    match command {
        Command::CreateAccount { .. } | Command::EnsureAccount { .. } => {
            Err(Rejection::UnknownActor)
        }
        Command::ChangeProfile {
            handle,
            display_name,
            bio,
        } => {
            let handle = handle.as_ref().map(super::Handle::as_str);
            let display_name = display_name.as_ref().map(super::DisplayName::as_str);
            let bio = bio.as_ref().map(super::Bio::as_str);
            account::change(state, actor, me, handle, display_name, bio)
        }
        Command::CreatePost { text, reply_to } => {
            let id = moment.id(command.partition(actor));
            post::create(
                state,
                (actor, me),
                id,
                moment.at(),
                text.as_str(),
                *reply_to,
            )
        }
        Command::DeletePost { post } => post::delete(state, actor, *post),
        Command::Like { post } => post::like(state, actor, *post),
        Command::Unlike { post } => post::unlike(state, actor, *post),
        Command::Follow { user } => account::follow(state, actor, *user),
        Command::Unfollow { user } => account::unfollow(state, actor, *user),
        Command::StartConversation {
            members,
            title,
            creator,
        } => {
            let id = moment.id(command.partition(actor));
            let title = title.as_ref().map(super::Title::as_str);
            conversation::start(state, actor, id, members, title, *creator)
        }
        Command::SendMessage { conversation, text } => {
            let id = moment.id(command.partition(actor));
            conversation::send(state, actor, *conversation, id, moment.at(), text.as_str())
        }
        Command::MarkRead {
            conversation,
            up_to,
        } => conversation::mark_read(state, actor, *conversation, *up_to),
        Command::MarkNotificationsRead { up_to } => {
            notification::mark_read(state, actor, *up_to, moment.millis)
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
