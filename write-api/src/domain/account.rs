//! Accounts, their profiles, and who follows whom.

use feedmill_events::{
    Event,
    event::v1::{AccountCreated, AccountFollowed, AccountUnfollowed, ProfileChanged},
};
use uuid::Uuid;

use super::{Account, Card, Decision, DisplayName, Handle, Outcome, Rejection, State, Thing};

pub(super) fn card(id: Uuid, account: &Account) -> Card {
    Card {
        id,
        handle: account.handle.clone(),
        display_name: account.display_name.clone(),
    }
}

pub(super) fn create(
    state: &State,
    id: Uuid,
    handle: &str,
    display_name: &str,
) -> Result<Decision, Rejection> {
    if state.handles.contains_key(handle) {
        return Err(Rejection::HandleTaken);
    }
    let card = Card {
        id,
        handle: handle.to_owned(),
        display_name: display_name.to_owned(),
    };
    Ok(Decision {
        events: vec![Event::AccountCreated(AccountCreated {
            account: id,
            handle: card.handle.clone(),
            display_name: card.display_name.clone(),
        })],
        outcome: Outcome::Account {
            card,
            bio: String::new(),
        },
    })
}

/// The handles that an account of another identity provider may get, best first. The last is made of the id
/// and is as good as never taken.
pub(super) fn handles_to_try(account: Uuid, hint: Option<&str>) -> Vec<String> {
    let own = format!("u_{}", &account.simple().to_string()[8..32]);
    let hinted = hint.and_then(|hint| Handle::try_from(hint.to_owned()).ok());
    hinted.map(String::from).into_iter().chain([own]).collect()
}

pub(super) fn ensure(
    state: &State,
    id: Uuid,
    handle_hint: Option<&str>,
    name_hint: Option<&str>,
) -> Result<Decision, Rejection> {
    if let Some(account) = state.accounts.get(&id) {
        let outcome = Outcome::Account {
            card: card(id, account),
            bio: account.bio.clone(),
        };
        return Ok(Decision {
            events: Vec::new(),
            outcome,
        });
    }
    let handle = handles_to_try(id, handle_hint)
        .into_iter()
        .find(|handle| !state.handles.contains_key(handle))
        .ok_or(Rejection::HandleTaken)?;
    let name = name_hint.and_then(|hint| DisplayName::try_from(hint.to_owned()).ok());
    create(
        state,
        id,
        &handle,
        name.as_ref().map_or(&*handle, DisplayName::as_str),
    )
}

pub(super) fn change(
    state: &State,
    id: Uuid,
    me: &Account,
    handle: Option<&str>,
    display_name: Option<&str>,
    bio: Option<&str>,
) -> Result<Decision, Rejection> {
    if let Some(handle) = handle
        && state.handles.get(handle).is_some_and(|owner| *owner != id)
    {
        return Err(Rejection::HandleTaken);
    }
    let new = Account {
        handle: handle.unwrap_or(&me.handle).to_owned(),
        display_name: display_name.unwrap_or(&me.display_name).to_owned(),
        bio: bio.unwrap_or(&me.bio).to_owned(),
    };
    let events = if new == *me {
        Vec::new()
    } else {
        vec![Event::ProfileChanged(ProfileChanged {
            account: id,
            handle: new.handle.clone(),
            display_name: new.display_name.clone(),
            bio: new.bio.clone(),
        })]
    };
    Ok(Decision {
        events,
        outcome: Outcome::Account {
            card: card(id, &new),
            bio: new.bio,
        },
    })
}

pub(super) fn follow(state: &State, follower: Uuid, followee: Uuid) -> Result<Decision, Rejection> {
    if follower == followee {
        return Err(Rejection::SelfFollow);
    }
    if !state.accounts.contains_key(&followee) {
        return Err(Rejection::NotFound {
            thing: Thing::Account,
            field: None,
        });
    }
    if state.follows.contains_key(&(followee, follower)) {
        return Ok(Decision::nothing_to_do());
    }
    Ok(Decision::done(Event::AccountFollowed(AccountFollowed {
        follower,
        followee,
    })))
}

pub(super) fn unfollow(
    state: &State,
    follower: Uuid,
    followee: Uuid,
) -> Result<Decision, Rejection> {
    if !state.accounts.contains_key(&followee) {
        return Err(Rejection::NotFound {
            thing: Thing::Account,
            field: None,
        });
    }
    match state.follows.get(&(followee, follower)) {
        None => Ok(Decision::nothing_to_do()),
        Some(&followed_at) => Ok(Decision::done(Event::AccountUnfollowed(
            AccountUnfollowed {
                follower,
                followee,
                followed_at,
            },
        ))),
    }
}
