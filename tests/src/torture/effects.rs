//! The effects of the answers, compared with the log. Every account belongs to one client, which sends one command
//! after the other. So the answers determine exactly which events there must be.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use feedmill_events::{Envelope, Event};
use sqlx::PgPool;
use uuid::Uuid;

use super::operation::{HistoryEntry, Operation, Outcome};
use crate::{
    link::{LinkChange, LinkKind},
    oracle::{Oracle, audience_code, who_may_message_code},
};

/// How often each effect occurs, by its description.
pub type EffectCounts = BTreeMap<String, usize>;

fn sorted(members: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    let members: BTreeSet<_> = members.into_iter().collect();
    members.into_iter().collect()
}

fn describe_link(kind: LinkKind, make: bool, from: Uuid, to: Uuid) -> String {
    format!("{} {to} by {from}", kind.record_type(make))
}

fn describe_block(block: bool, blocker: Uuid, blocked: Uuid) -> String {
    let verb = if block { "block" } else { "unblock" };
    format!("{verb} {blocked} by {blocker}")
}

/// The effects of all acknowledged operations, but for profiles, settings, follows and connections. `entries` are in the order of their account's
/// answers.
pub fn expected<'a>(entries: impl Iterator<Item = &'a HistoryEntry>) -> EffectCounts {
    let entries: Vec<_> = entries.collect();
    let members = members_from_the_start(&entries);
    let mut effects = EffectCounts::new();
    let mut links = BTreeSet::new();
    // By conversation and account; notifications count as the nil conversation, and the feed as the greatest.
    let mut marks: BTreeMap<(Uuid, Uuid), Uuid> = BTreeMap::new();
    // Of accounts and of root posts.
    let mut default_audiences: BTreeMap<Uuid, &str> = BTreeMap::new();
    let mut audiences: BTreeMap<Uuid, &str> = BTreeMap::new();
    let mut blocks = BTreeSet::new();
    // Conversation and account.
    let mut mutes = BTreeSet::new();
    let mut sent = BTreeSet::new();
    let mut added = BTreeSet::new();
    let mut left = BTreeSet::new();
    for entry in entries {
        let Outcome::Acknowledged { id, created } = entry.outcome else {
            continue;
        };
        let (account, id) = (entry.account, id.unwrap_or_default());
        let mut add = |effect: String| *effects.entry(effect).or_default() += 1;
        let mut is_later = |conversation: Uuid, up_to: Uuid| {
            let mark = marks.entry((conversation, account)).or_default();
            let is_later = *mark < up_to;
            *mark = up_to.max(*mark);
            is_later
        };
        match &entry.operation {
            Operation::CreateAccount { handle } => add(format!("account {id} {handle}")),
            Operation::ChangeProfile { field, value } => {
                if *field == "default_audience" {
                    default_audiences.insert(account, value);
                }
            }
            // What a command about a connection or a follow does depends on what the other account does at the same time: a block
            // ends both. That its events are legal is checked by the oracle.
            Operation::Connection { .. }
            | Operation::Link {
                kind: LinkKind::Follow,
                ..
            } => {}
            // An event in the partition of each of the two.
            Operation::Block { other, block } => {
                let key = (account, *other);
                let changes = if *block {
                    blocks.insert(key)
                } else {
                    blocks.remove(&key)
                };
                if changes {
                    add(describe_block(*block, account, *other));
                    add(describe_block(*block, account, *other));
                }
            }
            Operation::Post {
                text,
                reply_to,
                audience,
            } => {
                let default = || default_audiences.get(&account).copied().unwrap_or("public");
                let audience = match reply_to {
                    None => Some(audience.unwrap_or_else(default)),
                    Some(_) => None,
                };
                audiences.extend(audience.map(|audience| (id, audience)));
                add(format!(
                    "post {id} {account} {reply_to:?} {audience:?} {text}"
                ));
            }
            Operation::ChangeAudience { post, audience } => {
                if audiences.insert(*post, audience) != Some(*audience) {
                    add(format!("audience {post} {audience}"));
                }
            }
            Operation::EditPost { post, text } => add(format!("edited {post} {account} {text}")),
            Operation::DeletePost { post } => add(format!("deleted {post} {account}")),
            Operation::Link { kind, to, make } => {
                let link = (*kind, account, *to);
                let changes = if *make {
                    links.insert(link)
                } else {
                    links.remove(&link)
                };
                if changes {
                    add(describe_link(*kind, *make, account, *to));
                }
            }
            Operation::MarkFeedRead { up_to } => {
                if is_later(Uuid::max(), *up_to) {
                    add(format!("feed read {account} {up_to}"));
                }
            }
            // The pair had a conversation already.
            Operation::CreateConversation { .. } if !created => {}
            Operation::CreateConversation { with, title } => {
                let members = sorted(with.iter().copied().chain([account]));
                add(format!("conversation {id} {members:?} {title:?}"));
            }
            Operation::SendMessage { conversation, text } => {
                sent.insert((id, account));
                add(format!("message {id} {conversation} {account} {text}"));
            }
            Operation::MarkRead {
                conversation,
                up_to,
            } => {
                if is_later(*conversation, *up_to) {
                    add(format!("read {conversation} {account} {up_to}"));
                }
            }
            // Only the first time, and only by the sender, who is told the same of any other message that is not visible.
            Operation::DeleteMessage {
                conversation,
                message,
            } => {
                if sent.remove(&(*message, account)) {
                    add(format!("message {message} {conversation} deleted"));
                }
            }
            Operation::SetMuted {
                conversation,
                muted,
            } => {
                let key = (*conversation, account);
                let changes = if *muted {
                    mutes.insert(key)
                } else {
                    mutes.remove(&key)
                };
                if changes {
                    add(format!("muted {conversation} {account} {muted}"));
                }
            }
            // Several clients may add the same account. Members from the start are not added.
            Operation::AddMember {
                conversation,
                account,
            } => {
                let key = (*conversation, *account);
                if added.insert(key) && !members.contains(&key) {
                    add(format!("added {conversation} {account}"));
                }
            }
            // Nobody comes back.
            Operation::Leave {
                conversation,
                account,
            } => {
                mutes.remove(&(*conversation, *account));
                if left.insert((*conversation, *account)) {
                    add(format!("left {conversation} {account}"));
                }
            }
            Operation::Rename {
                conversation,
                title,
            } => add(format!(
                "renamed {conversation} {account} {:?}",
                Some(title)
            )),
            Operation::MarkNotificationsRead { up_to } => {
                if is_later(Uuid::nil(), *up_to) {
                    add(format!("notifications read {account} {up_to}"));
                }
            }
        }
    }
    effects
}

/// Conversation and account.
fn members_from_the_start(entries: &[&HistoryEntry]) -> BTreeSet<(Uuid, Uuid)> {
    let started = entries
        .iter()
        .filter_map(|entry| match (&entry.operation, entry.outcome) {
            (
                Operation::CreateConversation { with, .. },
                Outcome::Acknowledged { id: Some(id), .. },
            ) => {
                let members = with.iter().copied().chain([entry.account]);
                Some(members.map(move |member| (id, member)))
            }
            _ => None,
        });
    started.flatten().collect()
}

/// The effects in the log, but for follows and connections, and for profiles and settings, of which only the last change counts.
pub async fn logged(pool: &PgPool) -> Result<EffectCounts> {
    let bodies: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT body FROM write.events")
        .fetch_all(pool)
        .await?;
    let mut effects = EffectCounts::new();
    for (body,) in bodies {
        let envelope = Envelope::decode(&body).map_err(|error| anyhow!("{error}"))?;
        if let Some(effect) = describe(envelope.event) {
            *effects.entry(effect).or_default() += 1;
        }
    }
    Ok(effects)
}

fn describe(event: Event) -> Option<String> {
    if let Some(link) = LinkChange::of(&event) {
        if link.kind == LinkKind::Follow {
            return None;
        }
        let make = link.undone_since.is_none();
        return Some(describe_link(link.kind, make, link.from, link.to));
    }
    Some(match event {
        Event::AccountCreated(e) => format!("account {} {}", e.account, e.handle),
        Event::PostCreated(e) => {
            let parent = e.reply_to.map(|parent| parent.post);
            let audience = e
                .audience
                .as_ref()
                .map(|audience| audience_code(audience).0);
            format!(
                "post {} {} {parent:?} {audience:?} {}",
                e.post, e.author, e.text
            )
        }
        Event::AudienceChanged(e) => {
            format!("audience {} {}", e.post, audience_code(&e.audience).0)
        }
        Event::AccountBlocked(e) => {
            let blocked = other_of([e.account, e.other], e.blocker);
            describe_block(true, e.blocker, blocked)
        }
        Event::AccountUnblocked(e) => {
            let blocked = other_of([e.account, e.other], e.blocker);
            describe_block(false, e.blocker, blocked)
        }
        Event::PostEdited(e) => format!("edited {} {} {}", e.post, e.author, e.text),
        Event::PostDeleted(e) => format!("deleted {} {}", e.post, e.author),
        Event::ConversationCreated(e) => {
            let members = sorted(e.members);
            format!("conversation {} {members:?} {:?}", e.conversation, e.title)
        }
        Event::MessageSent(e) => {
            let (message, conversation) = (e.message, e.conversation);
            format!("message {message} {conversation} {} {}", e.sender, e.text)
        }
        Event::ConversationRead(e) => format!("read {} {} {}", e.conversation, e.user, e.up_to),
        Event::FeedRead(e) => format!("feed read {} {}", e.user, e.up_to),
        Event::MessageDeleted(e) => {
            format!("message {} {} deleted", e.message, e.conversation)
        }
        Event::ConversationMuted(e) => format!("muted {} {} true", e.conversation, e.user),
        Event::ConversationUnmuted(e) => format!("muted {} {} false", e.conversation, e.user),
        Event::ConversationRenamed(e) => {
            format!("renamed {} {} {:?}", e.conversation, e.user, e.title)
        }
        Event::MemberAdded(e) => format!("added {} {}", e.conversation, e.user),
        Event::MemberLeft(e) => format!("left {} {}", e.conversation, e.user),
        Event::NotificationsRead(e) => format!("notifications read {} {}", e.user, e.up_to),
        Event::ProfileChanged(_)
        | Event::SettingsChanged(_)
        | Event::ConnectionRequested(_)
        | Event::ConnectionRequestEnded(_)
        | Event::ConnectionMade(_)
        | Event::ConnectionEnded(_)
        | Event::TagMemberRemoved(_) => return None,
        other => format!("{other:?}"),
    })
}

/// The one of the two that is not this one.
fn other_of([a, b]: [Uuid; 2], one: Uuid) -> Uuid {
    if a == one { b } else { a }
}

/// Effects that do not occur as often in the log as in the answers. Undoing a link to a post is acknowledged, too, when the post
/// was deleted just before, and its links with it.
pub fn differences(expected: &EffectCounts, logged: &EffectCounts) -> Vec<String> {
    let count = |effects: &EffectCounts, effect: &String| effects.get(effect).copied().unwrap_or(0);
    let all: BTreeSet<_> = expected.keys().chain(logged.keys()).collect();
    let deleted = logged
        .keys()
        .filter_map(|effect| effect.strip_prefix("deleted "));
    let deleted: BTreeSet<_> = deleted
        .filter_map(|effect| effect.split(' ').next())
        .collect();
    let may_be_undone_before = |effect: &str| {
        let mut words = effect.split(' ');
        let verb = words.next();
        let undoes = LinkKind::ALL
            .into_iter()
            .any(|kind| verb == Some(kind.record_type(false)));
        undoes && words.next().is_some_and(|to| deleted.contains(to))
    };
    all.into_iter()
        .map(|effect| (effect, count(expected, effect), count(logged, effect)))
        .filter(|(effect, expected, logged)| {
            let is_late = *expected == *logged + 1 && may_be_undone_before(effect);
            expected != logged && !is_late
        })
        .map(|(effect, expected, logged)| {
            format!("acknowledged {expected} times, {logged} times in the log: {effect}")
        })
        .collect()
}

/// Profiles that are not what the account's last acknowledged changes made of them. A handle that was refused after
/// an attempt with an unknown outcome may have been taken by that attempt.
pub fn profile_differences<'a>(
    entries: impl Iterator<Item = &'a HistoryEntry>,
    oracle: &Oracle,
) -> Vec<String> {
    let mut last: BTreeMap<(Uuid, &str), Vec<&str>> = BTreeMap::new();
    for entry in entries {
        match (&entry.operation, entry.outcome) {
            (Operation::CreateAccount { handle }, Outcome::Acknowledged { id: Some(id), .. }) => {
                last.insert((id, "handle"), vec![handle]);
                last.insert((id, "display_name"), vec![handle]);
                last.insert((id, "bio"), vec![""]);
                last.insert((id, "default_audience"), vec!["public"]);
                last.insert((id, "who_may_message"), vec!["everyone"]);
            }
            (Operation::ChangeProfile { field, value }, Outcome::Acknowledged { .. }) => {
                last.insert((entry.account, field), vec![value]);
            }
            (
                Operation::ChangeProfile { field, value },
                Outcome::Refused { in_doubt: true, .. },
            ) => {
                let possible = last.entry((entry.account, field)).or_default();
                possible.push(value);
            }
            _ => {}
        }
    }
    let difference = |((id, field), possible): ((Uuid, &str), Vec<&str>)| {
        let settings = oracle.settings(id);
        let actual = oracle.accounts.get(&id).map(|account| match field {
            "handle" => account.handle.as_str(),
            "display_name" => &account.display_name,
            "default_audience" => audience_code(&settings.default_audience).0,
            "who_may_message" => who_may_message_code(settings.who_may_message).0,
            _ => &account.bio,
        });
        let is_possible = actual.is_some_and(|actual| possible.contains(&actual));
        (!is_possible).then(|| format!("{field} of {id} is {actual:?} instead of {possible:?}"))
    };
    last.into_iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(operation: Operation, outcome: Outcome) -> HistoryEntry {
        HistoryEntry {
            account: Uuid::from_u128(1),
            operation,
            outcome,
        }
    }

    #[test]
    fn lost_doubled_and_invented_effects_are_found() {
        let acknowledged = |id| Outcome::Acknowledged {
            id: Some(Uuid::from_u128(id)),
            created: true,
        };
        let refused = Outcome::Refused {
            status: 404,
            in_doubt: false,
        };
        let post = |text: &str| Operation::Post {
            text: text.to_owned(),
            reply_to: None,
            audience: None,
        };
        let like = |make| Operation::Link {
            kind: LinkKind::Like,
            to: Uuid::from_u128(7),
            make,
        };
        let entries = [
            entry(post("accepted"), acknowledged(2)),
            entry(post("refused"), refused),
            entry(like(true), acknowledged(0)),
            entry(like(true), acknowledged(0)),
            entry(like(false), acknowledged(0)),
        ];
        let expected = expected(entries.iter());
        assert_eq!(expected.len(), 3, "{expected:?}");
        assert_eq!(differences(&expected, &expected), Vec::<String>::new());

        let mut log = expected.clone();
        let (lost, _) = log.pop_first().expect("three effects");
        *log.values_mut().next().expect("two effects") = 2;
        log.insert("invented".to_owned(), 1);
        let wrong = differences(&expected, &log);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong.iter().any(|line| line.contains(&lost)));
    }

    #[test]
    fn undoing_a_link_to_a_deleted_post_may_have_no_effect() {
        let acknowledged = Outcome::Acknowledged {
            id: None,
            created: false,
        };
        let (post, kind) = (Uuid::from_u128(7), LinkKind::Like);
        let like = |make| Operation::Link {
            kind,
            to: post,
            make,
        };
        let operations = [like(true), like(false), Operation::DeletePost { post }];
        let entries = operations.map(|operation| entry(operation, acknowledged));
        let expected = expected(entries.iter());
        let undone = describe_link(kind, false, Uuid::from_u128(1), post);
        let mut logged = expected.clone();
        logged.remove(&undone).expect("an effect");
        assert_eq!(differences(&expected, &logged), Vec::<String>::new());
        logged.retain(|effect, _| !effect.starts_with("deleted"));
        assert_eq!(differences(&expected, &logged).len(), 2);
    }
}
