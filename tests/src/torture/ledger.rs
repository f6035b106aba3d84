//! What was answered, against the log. Every account belongs to one client, which does one thing after the
//! other; so from the answers it follows which events there must be, exactly.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use feedmill_events::{Envelope, Event};
use sqlx::PgPool;
use uuid::Uuid;

use super::wish::{Entry, Outcome, Wish};
use crate::model::Model;

/// How often the log says, or has to say, that something was done.
pub type Deeds = BTreeMap<String, usize>;

fn sorted(members: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    let members: BTreeSet<_> = members.into_iter().collect();
    members.into_iter().collect()
}

/// What follows from the answers. `entries` are in the order of their account's answers.
pub fn demanded<'a>(entries: impl Iterator<Item = &'a Entry>) -> Deeds {
    let mut deeds = Deeds::new();
    let mut likes = BTreeSet::new();
    let mut follows = BTreeSet::new();
    let mut marks: BTreeMap<(Uuid, Uuid), Uuid> = BTreeMap::new();
    for Entry { who, wish, outcome } in entries {
        let Outcome::Acknowledged { id, made } = outcome else {
            continue;
        };
        let id = id.unwrap_or_default();
        let mut done = |deed: String| *deeds.entry(deed).or_default() += 1;
        match wish {
            Wish::Account { handle } => done(format!("account {id} {handle}")),
            Wish::Profile { .. } => {}
            Wish::Post { text, reply_to } => done(format!("post {id} {who} {reply_to:?} {text}")),
            Wish::Delete { post } => done(format!("deleted {post} {who}")),
            Wish::Like { post, liked } => {
                let link = (*who, *post);
                if *liked && likes.insert(link) {
                    done(format!("liked {post} {who}"));
                } else if !*liked && likes.remove(&link) {
                    done(format!("unliked {post} {who}"));
                }
            }
            Wish::Follow { whom, follows: yes } => {
                let link = (*who, *whom);
                if *yes && follows.insert(link) {
                    done(format!("followed {whom} {who}"));
                } else if !*yes && follows.remove(&link) {
                    done(format!("unfollowed {whom} {who}"));
                }
            }
            // The same two have theirs already.
            Wish::Conversation { .. } if !*made => {}
            Wish::Conversation { with, title } => {
                let members = sorted(with.iter().copied().chain([*who]));
                done(format!("conversation {id} {members:?} {title:?}"));
            }
            Wish::Message { conversation, text } => {
                done(format!("message {id} {conversation} {who} {text}"));
            }
            Wish::MarkRead {
                conversation,
                up_to,
            } => {
                let mark = marks.entry((*conversation, *who)).or_default();
                if *mark < *up_to {
                    *mark = *up_to;
                    done(format!("read {conversation} {who} {up_to}"));
                }
            }
            Wish::MarkNotifications { up_to } => {
                // By nobody's conversation.
                let mark = marks.entry((Uuid::nil(), *who)).or_default();
                if *mark < *up_to {
                    *mark = *up_to;
                    done(format!("seen {who} {up_to}"));
                }
            }
        }
    }
    deeds
}

/// What the log says, but for profiles, of which only the last counts.
pub async fn found(pool: &PgPool) -> Result<Deeds> {
    let bodies: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT body FROM write.events")
        .fetch_all(pool)
        .await?;
    let mut deeds = Deeds::new();
    for (body,) in bodies {
        let envelope = Envelope::decode(&body).map_err(|error| anyhow!("{error}"))?;
        let deed = match envelope.event {
            Event::ProfileChanged(_) => continue,
            Event::AccountCreated(e) => format!("account {} {}", e.account, e.handle),
            Event::AccountFollowed(e) => format!("followed {} {}", e.followee, e.follower),
            Event::AccountUnfollowed(e) => format!("unfollowed {} {}", e.followee, e.follower),
            Event::PostCreated(e) => {
                let parent = e.reply_to.map(|parent| parent.post);
                format!("post {} {} {parent:?} {}", e.post, e.author, e.text)
            }
            Event::PostDeleted(e) => format!("deleted {} {}", e.post, e.author),
            Event::PostLiked(e) => format!("liked {} {}", e.post, e.user),
            Event::PostUnliked(e) => format!("unliked {} {}", e.post, e.user),
            Event::ConversationCreated(e) => {
                let members = sorted(e.members);
                format!("conversation {} {members:?} {:?}", e.conversation, e.title)
            }
            Event::MessageSent(e) => {
                format!(
                    "message {} {} {} {}",
                    e.message, e.conversation, e.sender, e.text
                )
            }
            Event::ConversationRead(e) => {
                format!("read {} {} {}", e.conversation, e.user, e.up_to)
            }
            Event::NotificationsRead(e) => format!("seen {} {}", e.user, e.up_to),
        };
        *deeds.entry(deed).or_default() += 1;
    }
    Ok(deeds)
}

/// What was demanded and is not found as often, and the other way round.
pub fn differences(demanded: &Deeds, found: &Deeds) -> Vec<String> {
    let count = |deeds: &Deeds, deed: &String| deeds.get(deed).copied().unwrap_or(0);
    let all: BTreeSet<_> = demanded.keys().chain(found.keys()).collect();
    all.into_iter()
        .map(|deed| (deed, count(demanded, deed), count(found, deed)))
        .filter(|(_, wanted, there)| wanted != there)
        .map(|(deed, wanted, there)| {
            format!("answered {wanted} times, {there} times in the log: {deed}")
        })
        .collect()
}

/// Every profile is what its account's last acknowledged changes made it. A handle that was refused after an
/// attempt in doubt may have been taken by that attempt later on.
pub fn profiles<'a>(entries: impl Iterator<Item = &'a Entry>, model: &Model) -> Vec<String> {
    let mut last: BTreeMap<(Uuid, &str), Vec<&str>> = BTreeMap::new();
    for Entry { who, wish, outcome } in entries {
        match (wish, outcome) {
            (Wish::Account { handle }, Outcome::Acknowledged { id: Some(id), .. }) => {
                last.insert((*id, "handle"), vec![handle]);
                last.insert((*id, "display_name"), vec![handle]);
                last.insert((*id, "bio"), vec![""]);
            }
            (Wish::Profile { field, value }, Outcome::Acknowledged { .. }) => {
                last.insert((*who, field), vec![value]);
            }
            (Wish::Profile { field, value }, Outcome::Refused { in_doubt: true, .. }) => {
                last.entry((*who, field)).or_default().push(value);
            }
            _ => {}
        }
    }
    let wrong = |((who, field), possible): ((Uuid, &str), Vec<&str>)| {
        let account = model.accounts.get(&who);
        let there = account.map(|account| match field {
            "handle" => &account.handle,
            "display_name" => &account.display_name,
            _ => &account.bio,
        });
        let fits = there.is_some_and(|there| possible.contains(&there.as_str()));
        (!fits).then(|| format!("{field} of {who} is {there:?} and not {possible:?}"))
    };
    last.into_iter().filter_map(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(wish: Wish, outcome: Outcome) -> Entry {
        let who = Uuid::from_u128(1);
        Entry { who, wish, outcome }
    }

    #[test]
    fn what_was_lost_doubled_made_up_or_refused_is_found() {
        let yes = |id| Outcome::Acknowledged {
            id: Some(Uuid::from_u128(id)),
            made: true,
        };
        let no = Outcome::Refused {
            status: 404,
            in_doubt: false,
        };
        let post = |text: &str| Wish::Post {
            text: text.to_owned(),
            reply_to: None,
        };
        let like = |liked| Wish::Like {
            post: Uuid::from_u128(7),
            liked,
        };
        let entries = [
            entry(post("kept"), yes(2)),
            entry(post("refused"), no),
            entry(like(true), yes(0)),
            entry(like(true), yes(0)),
            entry(like(false), yes(0)),
        ];
        let demanded = demanded(entries.iter());
        assert_eq!(demanded.len(), 3, "{demanded:?}");
        assert_eq!(differences(&demanded, &demanded), Vec::<String>::new());

        let mut log = demanded.clone();
        let (lost, _) = log.pop_first().expect("three deeds");
        *log.values_mut().next().expect("two deeds") = 2;
        log.insert("made up".to_owned(), 1);
        let wrong = differences(&demanded, &log);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong.iter().any(|line| line.contains(&lost)));
    }
}
