//! A batch's net changes to accounts, follows and counts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use feedmill_events::{Event, event::v1::SettingsChanged};
use uuid::Uuid;

use crate::{batch::Batch, projection::links::Links};

#[derive(Debug, Default)]
pub struct Changes<'a> {
    pub accounts: BTreeMap<Uuid, Account<'a>>,
    /// By followee and follower, with the time of the follow.
    pub follows: Links<DateTime<Utc>>,
    /// By account and other account, with the time at which they connected.
    pub connections: Links<DateTime<Utc>>,
    /// By recipient and requester, with the time of the request.
    pub requests: Links<DateTime<Utc>>,
    pub counts: BTreeMap<Uuid, Counts>,
    /// By account: the settings after the batch.
    pub settings: BTreeMap<Uuid, &'a SettingsChanged>,
}

/// An account after the batch.
#[derive(Debug)]
pub struct Account<'a> {
    /// None if the account existed before the batch.
    pub created_at: Option<DateTime<Utc>>,
    pub handle: &'a str,
    pub display_name: &'a str,
    pub bio: &'a str,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub followers: i64,
    pub following: i64,
    pub connections: i64,
    pub requests_received: i64,
    pub requests_sent: i64,
}

impl Counts {
    /// Whether a number changes that the profile shows.
    pub fn changes_profile(&self) -> bool {
        [self.followers, self.following, self.connections] != [0; 3]
    }

    pub fn is_decrease(&self) -> bool {
        let Self {
            followers,
            following,
            connections,
            requests_received,
            requests_sent,
        } = self;
        let all = [
            followers,
            following,
            connections,
            requests_received,
            requests_sent,
        ];
        all.into_iter().any(|change| *change < 0)
    }
}

impl<'a> Changes<'a> {
    pub fn of(batch: &'a Batch) -> Self {
        let mut changes = Self::default();
        for logged in &batch.events {
            match &logged.event {
                Event::AccountCreated(e) => {
                    changes.accounts.insert(
                        e.account,
                        Account {
                            created_at: Some(logged.at),
                            handle: &e.handle,
                            display_name: &e.display_name,
                            bio: "",
                        },
                    );
                }
                Event::ProfileChanged(e) => {
                    let created_at = changes
                        .accounts
                        .get(&e.account)
                        .and_then(|known| known.created_at);
                    changes.accounts.insert(
                        e.account,
                        Account {
                            created_at,
                            handle: &e.handle,
                            display_name: &e.display_name,
                            bio: &e.bio,
                        },
                    );
                }
                Event::AccountFollowed(e) => {
                    changes.follows.start((e.followee, e.follower), logged.at);
                    changes.counts(e.followee).followers += 1;
                    changes.counts(e.follower).following += 1;
                }
                Event::AccountUnfollowed(e) => {
                    changes.follows.stop((e.followee, e.follower));
                    changes.counts(e.followee).followers -= 1;
                    changes.counts(e.follower).following -= 1;
                }
                Event::ConnectionRequested(e) => {
                    changes.requests.start((e.to, e.from), logged.at);
                    changes.counts(e.to).requests_received += 1;
                    changes.counts(e.from).requests_sent += 1;
                }
                Event::ConnectionRequestEnded(e) => changes.end_request(e.to, e.from),
                Event::ConnectionMade(e) => {
                    // The event of the account that accepted is in the partition of the request.
                    if e.requested_at.is_some() && e.requester == e.other {
                        changes.end_request(e.account, e.other);
                    }
                    changes.connections.start((e.account, e.other), logged.at);
                    changes.counts(e.account).connections += 1;
                }
                Event::ConnectionEnded(e) => {
                    changes.connections.stop((e.account, e.other));
                    changes.counts(e.account).connections -= 1;
                }
                Event::SettingsChanged(e) => {
                    changes.settings.insert(e.account, e);
                }
                _ => {}
            }
        }
        changes
    }

    fn end_request(&mut self, recipient: Uuid, requester: Uuid) {
        self.requests.stop((recipient, requester));
        self.counts(recipient).requests_received -= 1;
        self.counts(requester).requests_sent -= 1;
    }

    fn counts(&mut self, account: Uuid) -> &mut Counts {
        self.counts.entry(account).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_do_not_change_the_profile() {
        let requests = Counts {
            requests_received: 1,
            requests_sent: -1,
            ..Counts::default()
        };
        assert!(!requests.changes_profile());
        let connected = Counts {
            connections: 1,
            ..requests
        };
        assert!(connected.changes_profile());
    }
}
