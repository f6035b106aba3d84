//! A small made-up community: a few weeks, with everything in it that a record can say.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::record::{Record, What};
use crate::model::time;

/// 6 January 2020, a Monday, 22:00 UTC: so that the first things happen at the end of a day.
const START: i64 = 1_578_348_000_000;

/// The records of a seed, in order of their times; some share theirs.
pub fn generate(seed: u64, people: usize, doings: usize) -> Vec<Record> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut records = Vec::new();
    let mut at = START;
    let user = |index: usize| format!("user {index}");
    for index in 0..people {
        let handle = format!("person_{index}");
        let what = What::Account {
            id: user(index),
            handle,
            display_name: format!("Person Nº {index}"),
        };
        records.push(Record { what, at: time(at) });
    }
    let (mut posts, mut follows, mut likes) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut talks: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    let mut pairs = BTreeSet::new();
    for index in 0..doings {
        // On average an hour, often nothing at all.
        at += if rng.gen_bool(0.2) {
            0
        } else {
            rng.gen_range(1..8_000_000)
        };
        let (me, other) = (
            user(rng.gen_range(0..people)),
            user(rng.gen_range(0..people)),
        );
        let what = match rng.gen_range(0..12) {
            0 | 1 if me != other && follows.insert((me.clone(), other.clone())) => What::Follow {
                from: me,
                to: other,
            },
            2 if rng.gen_bool(0.3) && follows.remove(&(me.clone(), other.clone())) => {
                What::Unfollow {
                    from: me,
                    to: other,
                }
            }
            3..=5 => {
                let id = format!("post {index}");
                let reply_to = posts.choose(&mut rng).filter(|_| index % 3 == 0).cloned();
                posts.push(id.clone());
                What::Post {
                    id,
                    author: me,
                    text: format!("Nr. {index}: naïve café, 東京 🌾"),
                    reply_to,
                }
            }
            6 | 7 => match posts[posts.len().saturating_sub(20)..].choose(&mut rng) {
                Some(post) if likes.insert((me.clone(), post.clone())) => What::Like {
                    user: me,
                    post: post.clone(),
                },
                Some(post) if likes.remove(&(me.clone(), post.clone())) => What::Unlike {
                    user: me,
                    post: post.clone(),
                },
                _ => continue,
            },
            8 if me != other => {
                let third = rng.gen_bool(0.3).then(|| user(rng.gen_range(0..people)));
                let members: BTreeSet<_> = [me, other].into_iter().chain(third).collect();
                // Of two people there is one conversation.
                if members.len() == 2 && !pairs.insert(members.clone()) {
                    continue;
                }
                let (id, members) = (
                    format!("talk {index}"),
                    members.into_iter().collect::<Vec<_>>(),
                );
                talks.insert(id.clone(), (members.clone(), Vec::new()));
                let title = (members.len() > 2).then(|| "Three of us".to_owned());
                What::Conversation { id, members, title }
            }
            9.. => {
                let mut all: Vec<_> = talks.iter_mut().collect();
                let Some((conversation, (members, messages))) = all.choose_mut(&mut rng) else {
                    continue;
                };
                let sender = members.choose(&mut rng).cloned().unwrap_or_default();
                let conversation = conversation.clone();
                if let Some(up_to) = messages.choose(&mut rng).filter(|_| index % 3 == 0) {
                    What::Read {
                        conversation,
                        user: sender,
                        up_to: up_to.clone(),
                    }
                } else {
                    let id = format!("message {index}");
                    messages.push(id.clone());
                    What::Message {
                        id,
                        conversation,
                        sender,
                        text: format!("Hello {index}"),
                    }
                }
            }
            _ => continue,
        };
        records.push(Record { what, at: time(at) });
    }
    records
}
