//! Whom an account can start a conversation with, or add to a group.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use feedmill_events::event::v1::WhoMayMessage;
use uuid::Uuid;

use crate::domain::{
    account::Accounts,
    block::Blocks,
    connection::Connections,
    decision::{Rejection, Resource},
};

/// Accounts, with what is between them.
#[derive(Debug, Clone, Copy)]
pub struct Contacts<'s> {
    pub accounts: &'s Accounts,
    pub connections: &'s Connections,
    pub blocks: &'s Blocks,
}

impl Contacts<'_> {
    /// Rejects an account that does not exist for the actor, or that the actor blocks. `field` is the field of the body that names
    /// the account.
    pub fn require(
        self,
        actor: Uuid,
        account: Uuid,
        field: Option<&'static str>,
    ) -> Result<(), Rejection> {
        let not_found = not_found(field);
        if self.accounts.get(account).is_none() {
            return Err(not_found);
        }
        self.blocks.check(actor, account, not_found)
    }

    /// The same for several accounts. An account that does not exist is rejected before one that the actor blocks: otherwise the
    /// answer would tell whether an account blocks the actor or does not exist.
    pub fn require_all(
        self,
        actor: Uuid,
        accounts: &BTreeSet<Uuid>,
        field: Option<&'static str>,
    ) -> Result<(), Rejection> {
        let rejection = |account: &Uuid| self.require(actor, *account, field).err();
        let rejections: Vec<Rejection> = accounts.iter().filter_map(rejection).collect();
        let not_found = not_found(field);
        if rejections.contains(&not_found) {
            return Err(not_found);
        }
        rejections.into_iter().next().map_or(Ok(()), Err)
    }

    /// Rejects an account that accepts messages from its connections only, if the actor is none of them.
    pub fn require_acceptance(
        self,
        actor: Uuid,
        account: Uuid,
        field: Option<&'static str>,
    ) -> Result<(), Rejection> {
        let found = self.accounts.get(account);
        let who_may_message = found.map(|found| found.settings.who_may_message);
        let accepts = account == actor
            || who_may_message != Some(WhoMayMessage::Connections)
            || self.connections.are_connected(actor, account);
        if accepts {
            Ok(())
        } else {
            Err(Rejection::MessagesNotAccepted { field })
        }
    }
}

fn not_found(field: Option<&'static str>) -> Rejection {
    Rejection::NotFound {
        resource: Resource::Account,
        field,
    }
}
