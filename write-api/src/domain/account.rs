//! Accounts and their profiles.

pub mod freed;
pub mod sql;
#[cfg(test)]
mod tests;

use feedmill_events::{
    Event, Partition,
    event::v1::{AccountCreated, Audience, ProfileChanged, SettingsChanged, WhoMayMessage},
    id,
};
use feedmill_service::tokens::default_handle;
use uuid::Uuid;

use self::freed::{FreedHandle, FreedHandles};

use super::{
    clock::Moment,
    decision::{AccountSummary, Decision, Outcome, Rejection, Resource},
    stored_outcome::StoredOutcome,
    table::Table,
    text::{Bio, ChosenHandle, DisplayName, Handle},
};

#[derive(Debug, Clone)]
pub enum AccountCommand {
    /// The actor is nil. `account` is the id if an identity provider vouches for an imported account; if it exists already,
    /// nothing changes. Otherwise the moment gives the id. An imported account may have no password.
    Create {
        account: Option<Uuid>,
        handle: Handle,
        display_name: DisplayName,
        password_hash: Option<String>,
    },
    /// Creates an account of an external identity provider when its token is first seen. Hints that are no valid
    /// handle or name are ignored.
    Ensure {
        account: Uuid,
        handle_hint: Option<String>,
        name_hint: Option<String>,
    },
    /// Changes the actor's profile and settings.
    ChangeProfile(AccountChange),
}

/// None leaves a field as it is.
#[derive(Debug, Default, Clone)]
pub struct AccountChange {
    pub handle: Option<Handle>,
    pub display_name: Option<DisplayName>,
    pub bio: Option<Bio>,
    /// Never tags.
    pub default_audience: Option<Audience>,
    pub who_may_message: Option<WhoMayMessage>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The audience of root posts that name none. Never tags.
    pub default_audience: Audience,
    /// Who can start a conversation with the account, or add it to a group.
    pub who_may_message: WhoMayMessage,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_audience: Audience::Public,
            who_may_message: WhoMayMessage::Everyone,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub handle: String,
    pub display_name: String,
    pub bio: String,
    /// Unix milliseconds.
    pub created_at: i64,
    pub settings: Settings,
}

impl Account {
    /// The account after a change.
    fn with(&self, change: &AccountChange) -> Self {
        let handle = change.handle.as_ref().map(Handle::as_str);
        let name = change.display_name.as_ref().map(DisplayName::as_str);
        let bio = change.bio.as_ref().map(Bio::as_str);
        let settings = &self.settings;
        let audience = change.default_audience.as_ref();
        Self {
            handle: handle.unwrap_or(&self.handle).to_owned(),
            display_name: name.unwrap_or(&self.display_name).to_owned(),
            bio: bio.unwrap_or(&self.bio).to_owned(),
            created_at: self.created_at,
            settings: Settings {
                default_audience: audience.unwrap_or(&settings.default_audience).clone(),
                who_may_message: change.who_may_message.unwrap_or(settings.who_may_message),
            },
        }
    }

    pub fn summary(&self, id: Uuid) -> AccountSummary {
        AccountSummary {
            id,
            handle: self.handle.clone(),
            display_name: self.display_name.clone(),
        }
    }
}

/// The account that gives a command.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    pub id: Uuid,
    pub account: &'a Account,
}

#[derive(Debug, Default)]
pub struct Accounts {
    rows: Table<Uuid, Account>,
    /// The account of each handle: an index on `rows`, of which nothing is saved.
    handles: Table<String, Uuid>,
    freed: FreedHandles,
    /// New password hashes by account. None are loaded.
    password_hashes: Table<Uuid, String>,
}

impl Accounts {
    pub fn request(&mut self, id: Uuid) {
        self.rows.request(id);
    }

    /// The ids and the handles that were requested.
    pub fn take_requested(&mut self) -> (Vec<Uuid>, Vec<String>) {
        (self.rows.take_requested(), self.handles.take_requested())
    }

    pub fn load(&mut self, id: Uuid, account: Account) {
        self.handles.load(account.handle.clone(), id);
        self.rows.load(id, account);
    }

    pub fn get(&self, id: Uuid) -> Option<&Account> {
        self.rows.get(&id)
    }

    pub fn actor(&self, id: Uuid) -> Result<Actor<'_>, Rejection> {
        let account = self.get(id).ok_or(Rejection::UnknownActor)?;
        Ok(Actor { id, account })
    }

    /// Rejects an account that does not exist, named by the path of a request.
    pub fn require(&self, id: Uuid) -> Result<(), Rejection> {
        let found = self.get(id).map(|_| ());
        found.ok_or(Rejection::not_found(Resource::Account))
    }

    fn request_handle(&mut self, handle: String) {
        self.freed.request(handle.clone());
        self.handles.request(handle);
    }

    /// Whether another account has the handle, or had it until lately. `now` is in Unix milliseconds.
    fn is_taken(&self, handle: &str, by_other_than: Uuid, now: i64) -> bool {
        let owner = self.handles.get(&handle.to_owned()).copied();
        let owner = owner.or_else(|| self.freed.owner(handle, now));
        owner.is_some_and(|owner| owner != by_other_than)
    }

    /// `at` is in Unix milliseconds.
    pub fn created(&mut self, at: i64, event: &AccountCreated) {
        let account = Account {
            handle: event.handle.clone(),
            display_name: event.display_name.clone(),
            bio: String::new(),
            created_at: at,
            settings: Settings::default(),
        };
        self.freed.taken(&account.handle);
        self.handles.insert(account.handle.clone(), event.account);
        self.rows.insert(event.account, account);
    }

    /// `at` is in Unix milliseconds.
    pub fn profile_changed(&mut self, at: i64, event: &ProfileChanged) {
        let Some(old) = self.rows.get(&event.account) else {
            return;
        };
        let account = Account {
            handle: event.handle.clone(),
            display_name: event.display_name.clone(),
            bio: event.bio.clone(),
            created_at: old.created_at,
            settings: old.settings.clone(),
        };
        if old.handle != event.handle {
            let freed = FreedHandle {
                owner: event.account,
                at,
            };
            self.freed.freed(old.handle.clone(), freed);
            self.freed.taken(&event.handle);
            self.handles.remove(&old.handle.clone());
            self.handles.insert(event.handle.clone(), event.account);
        }
        self.rows.insert(event.account, account);
    }

    pub fn settings_changed(&mut self, event: &SettingsChanged) {
        if let Some(account) = self.rows.get(&event.account).cloned() {
            let settings = Settings {
                default_audience: event.default_audience.clone(),
                who_may_message: event.who_may_message,
            };
            let changed = Account {
                settings,
                ..account
            };
            self.rows.insert(event.account, changed);
        }
    }

    pub fn add_password_hash(&mut self, account: Uuid, hash: String) {
        self.password_hashes.insert(account, hash);
    }
}

impl AccountCommand {
    pub fn partition(&self, actor: Uuid) -> Partition {
        match self {
            Self::Create {
                account: Some(account),
                ..
            }
            | Self::Ensure { account, .. } => Partition::of(*account),
            // Two accounts that are created with one handle at once meet in one partition.
            Self::Create { handle, .. } => id::partition_of_key(handle.as_str().bytes()),
            Self::ChangeProfile(_) => Partition::of(actor),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create_account",
            Self::Ensure { .. } => "ensure_account",
            Self::ChangeProfile(_) => "change_profile",
        }
    }

    pub fn request(&self, accounts: &mut Accounts) {
        match self {
            Self::Create {
                account, handle, ..
            } => {
                if let Some(account) = account {
                    accounts.request(*account);
                }
                accounts.request_handle(handle.as_str().to_owned());
            }
            Self::Ensure {
                account,
                handle_hint,
                ..
            } => {
                accounts.request(*account);
                for handle in candidate_handles(*account, handle_hint.as_deref()) {
                    accounts.request_handle(handle);
                }
            }
            Self::ChangeProfile(change) => {
                if let Some(handle) = &change.handle {
                    accounts.request_handle(handle.as_str().to_owned());
                }
            }
        }
    }

    pub fn decide(
        &self,
        accounts: &Accounts,
        actor: Uuid,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        match self {
            Self::Create {
                account,
                handle,
                display_name,
                password_hash,
            } => {
                let id = account.unwrap_or_else(|| moment.id(self.partition(actor)));
                if let Some(existing) = accounts.get(id) {
                    return Ok(unchanged(id, existing));
                }
                let now = moment.millis;
                let mut decision =
                    create(accounts, id, handle.as_str(), display_name.as_str(), now)?;
                decision.password_hash = password_hash.clone().map(|hash| (id, hash));
                Ok(decision)
            }
            Self::Ensure {
                account,
                handle_hint,
                name_hint,
            } => ensure(
                accounts,
                *account,
                handle_hint.as_deref(),
                name_hint.as_deref(),
                moment.millis,
            ),
            Self::ChangeProfile(change) => {
                let Actor { id, account } = accounts.actor(actor)?;
                if let Some(handle) = &change.handle
                    && handle.is_reserved()
                    && handle.as_str() != account.handle
                {
                    return Err(Rejection::HandleReserved);
                }
                let new = account.with(change);
                change_profile(accounts, id, account, new, moment.millis)
            }
        }
    }

    /// See [`Command::restore`](super::Command::restore). What the command set is as it set it.
    pub fn restore(
        &self,
        stored: StoredOutcome,
        accounts: &Accounts,
        actor: Uuid,
    ) -> Option<Outcome> {
        match (self, stored) {
            (
                Self::Create {
                    handle,
                    display_name,
                    ..
                },
                StoredOutcome::Account { card },
            ) => Some(Outcome::Account {
                account: AccountSummary {
                    id: card.id,
                    handle: handle.as_str().to_owned(),
                    display_name: display_name.as_str().to_owned(),
                },
                bio: String::new(),
                settings: Settings::default(),
            }),
            (
                Self::ChangeProfile(change),
                StoredOutcome::Account { .. } | StoredOutcome::Unchanged,
            ) => Some(profile(actor, &accounts.get(actor)?.with(change))),
            _ => None,
        }
    }
}

fn profile(id: Uuid, account: &Account) -> Outcome {
    Outcome::Account {
        account: account.summary(id),
        bio: account.bio.clone(),
        settings: account.settings.clone(),
    }
}

fn unchanged(id: Uuid, account: &Account) -> Decision {
    Decision::unchanged(profile(id, account))
}

fn create(
    accounts: &Accounts,
    id: Uuid,
    handle: &str,
    display_name: &str,
    now: i64,
) -> Result<Decision, Rejection> {
    if accounts.is_taken(handle, id, now) {
        return Err(Rejection::HandleTaken);
    }
    let account = AccountSummary {
        id,
        handle: handle.to_owned(),
        display_name: display_name.to_owned(),
    };
    let event = AccountCreated {
        account: id,
        handle: handle.to_owned(),
        display_name: display_name.to_owned(),
    };
    let outcome = Outcome::Account {
        account,
        bio: String::new(),
        settings: Settings::default(),
    };
    Ok(Decision::new(Event::AccountCreated(event), outcome))
}

/// The handles that an external account may get, best first.
fn candidate_handles(account: Uuid, hint: Option<&str>) -> Vec<String> {
    let hinted = hint.and_then(|hint| ChosenHandle::try_from(hint.to_owned()).ok());
    hinted
        .map(|ChosenHandle(handle)| String::from(handle))
        .into_iter()
        .chain([default_handle(account)])
        .collect()
}

fn ensure(
    accounts: &Accounts,
    id: Uuid,
    handle_hint: Option<&str>,
    name_hint: Option<&str>,
    now: i64,
) -> Result<Decision, Rejection> {
    if let Some(existing) = accounts.get(id) {
        return Ok(unchanged(id, existing));
    }
    let handle = candidate_handles(id, handle_hint)
        .into_iter()
        .find(|handle| !accounts.is_taken(handle, id, now))
        .ok_or(Rejection::HandleTaken)?;
    let name = name_hint.and_then(|hint| DisplayName::try_from(hint.to_owned()).ok());
    let name = name.as_ref().map_or(&*handle, DisplayName::as_str);
    create(accounts, id, &handle, name, now)
}

fn change_profile(
    accounts: &Accounts,
    id: Uuid,
    old: &Account,
    new: Account,
    now: i64,
) -> Result<Decision, Rejection> {
    if accounts.is_taken(&new.handle, id, now) {
        return Err(Rejection::HandleTaken);
    }
    let outcome = profile(id, &new);
    let mut events = Vec::new();
    if (&new.handle, &new.display_name, &new.bio) != (&old.handle, &old.display_name, &old.bio) {
        events.push(Event::ProfileChanged(ProfileChanged {
            account: id,
            handle: new.handle,
            display_name: new.display_name,
            bio: new.bio,
        }));
    }
    if new.settings != old.settings {
        events.push(Event::SettingsChanged(SettingsChanged {
            account: id,
            default_audience: new.settings.default_audience,
            who_may_message: new.settings.who_may_message,
        }));
    }
    Ok(Decision::several(events, outcome))
}
