//! Blocks and settings.

use feedmill_events::{
    Event,
    event::v1::{
        AccountBlocked, AccountUnblocked, Audience, ConnectionEnded, ConnectionRequestEnded,
        SettingsChanged, TagMemberRemoved, WhoMayMessage,
    },
};
use feedmill_tests::link::LinkKind;
use rand::Rng as _;
use uuid::Uuid;

use super::World;

impl World {
    /// Both sides of a block and what it cuts, or the end of both sides.
    pub(super) fn block_or_unblock(&mut self) -> Option<Event> {
        let blocks: Vec<_> = self.oracle.blocks.iter().collect();
        let ends = self.rng().gen_bool(0.4);
        if ends {
            let (blocker, blocked, blocked_at) = self.any(&blocks)?;
            for (account, other) in [(blocker, blocked), (blocked, blocker)] {
                self.next
                    .push_back(Event::AccountUnblocked(AccountUnblocked {
                        account,
                        other,
                        blocker,
                        blocked_at,
                    }));
            }
        } else {
            let (blocker, blocked) = (self.any_account()?, self.any_account()?);
            if blocker != blocked && !self.oracle.blocks.blocks(blocker, blocked) {
                self.block(blocker, blocked);
            }
        }
        self.next.pop_front()
    }

    fn block(&mut self, blocker: Uuid, blocked: Uuid) {
        for (account, other) in [(blocker, blocked), (blocked, blocker)] {
            let cuts = self.cuts(account, other);
            self.next.extend(cuts);
        }
        for (account, other) in [(blocker, blocked), (blocked, blocker)] {
            self.next.push_back(Event::AccountBlocked(AccountBlocked {
                account,
                other,
                blocker,
            }));
        }
    }

    /// The ends of what is in the partition of `account` between the two.
    fn cuts(&self, account: Uuid, other: Uuid) -> Vec<Event> {
        let tags = self.oracle.tags.of(account, other);
        let memberships = tags.map(|(tag, found)| {
            Event::TagMemberRemoved(TagMemberRemoved {
                tag,
                owner: account,
                member: other,
                added_at: found.members[&other],
            })
        });
        let sides = self.oracle.connections.of(account);
        let sides = sides.filter(|(with, _)| *with == other);
        let connections = sides.map(|(other, side)| {
            Event::ConnectionEnded(ConnectionEnded {
                account,
                other,
                requester: side.requester,
                connected_at: side.connected_at,
            })
        });
        let follow = self.oracle.linked_since(LinkKind::Follow, other, account);
        let follow =
            follow.map(|since| self.link_event(LinkKind::Follow, other, account, Some(since)));
        let request = self.oracle.connections.requested_at(other, account);
        let request = request.map(|requested_at| {
            Event::ConnectionRequestEnded(ConnectionRequestEnded {
                from: other,
                to: account,
                requested_at,
                declined: false,
            })
        });
        memberships
            .chain(connections)
            .chain(follow)
            .chain(request)
            .collect()
    }

    pub(super) fn change_settings(&mut self) -> Option<Event> {
        let account = self.any_account()?;
        let rng = self.rng();
        let default_audience = match rng.gen_range(0..3) {
            0 => Audience::Public,
            1 => Audience::Connections,
            _ => Audience::Me,
        };
        let who_may_message = if rng.gen_bool(0.5) {
            WhoMayMessage::Everyone
        } else {
            WhoMayMessage::Connections
        };
        let known = self.oracle.accounts[&account].settings();
        let changes = (&known.default_audience, known.who_may_message)
            != (&default_audience, who_may_message);
        changes.then_some(Event::SettingsChanged(SettingsChanged {
            account,
            default_audience,
            who_may_message,
        }))
    }
}
