//! A batch's net changes to accounts, follows and counts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use feedmill_events::Event;
use uuid::Uuid;

use crate::{batch::Batch, projection::links::Links};

#[derive(Debug, Default)]
pub struct Changes<'a> {
    pub accounts: BTreeMap<Uuid, Account<'a>>,
    /// By followee and follower, with the time of the follow.
    pub follows: Links<DateTime<Utc>>,
    pub counts: BTreeMap<Uuid, Counts>,
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
    pub posts: i64,
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
                Event::PostCreated(e) => changes.counts(e.author).posts += 1,
                Event::PostDeleted(e) => changes.counts(e.author).posts -= 1,
                _ => {}
            }
        }
        changes
    }

    fn counts(&mut self, account: Uuid) -> &mut Counts {
        self.counts.entry(account).or_default()
    }
}
