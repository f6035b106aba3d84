//! A simulated community: random actions and their events.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::{
    Envelope, Event, Partition,
    event::{
        v1::{
            AccountCreated, AccountFollowed, AccountUnfollowed, ConversationRead, MessageSent,
            NotificationsRead, Parent, PostCreated, PostDeleted, PostLiked, PostUnliked,
            ProfileChanged,
        },
        v2::ConversationCreated,
    },
    id,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use uuid::Uuid;

const HOUR: i64 = 3_600_000;

/// The present state, from which the definitions are computed.
pub struct World {
    rng: StdRng,
    now: i64,
    counter: u16,
    pub accounts: BTreeMap<Uuid, Account>,
    /// By follower and followee, with the time of the follow.
    pub follows: BTreeMap<(Uuid, Uuid), i64>,
    pub posts: BTreeMap<Uuid, Post>,
    /// By post and user, with the time of the like.
    pub likes: BTreeMap<(Uuid, Uuid), i64>,
    pub conversations: BTreeMap<Uuid, Conversation>,
    /// Up to where each account has read its notifications.
    pub notification_marks: BTreeMap<Uuid, Uuid>,
}

pub struct Account {
    pub handle: String,
    pub display_name: String,
    pub bio: String,
    pub created_at: i64,
}

#[derive(Clone)]
pub struct Post {
    pub author: Uuid,
    pub reply_to: Option<Parent>,
    pub text: String,
    /// The number of followers of the author when the post was created.
    pub followers: usize,
}

#[derive(Default)]
pub struct Conversation {
    pub title: Option<String>,
    pub members: BTreeSet<Uuid>,
    /// Sender and text.
    pub messages: BTreeMap<Uuid, (Uuid, String)>,
    pub marks: BTreeMap<Uuid, Uuid>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            now: 1_700_000_000_000,
            counter: 0,
            accounts: BTreeMap::new(),
            follows: BTreeMap::new(),
            posts: BTreeMap::new(),
            likes: BTreeMap::new(),
            conversations: BTreeMap::new(),
            notification_marks: BTreeMap::new(),
        }
    }

    /// The events of the next `count` actions.
    pub fn happen(&mut self, count: usize) -> Vec<Envelope> {
        let mut events = vec![];
        while events.len() < count {
            self.now += self.rng.gen_range(1..2 * HOUR);
            let event = if self.accounts.len() < 3 {
                Some(self.join())
            } else {
                self.anything()
            };
            if let Some(event) = event {
                events.push(Envelope {
                    at: self.now,
                    event,
                });
            }
        }
        events
    }

    fn anything(&mut self) -> Option<Event> {
        match self.rng.gen_range(0..100) {
            0..2 => (self.accounts.len() < 9).then(|| self.join()),
            2..4 => self.change_profile(),
            4..16 => self.follow(),
            16..24 => self.unfollow(),
            24..42 => Some(self.post()),
            42..54 => self.reply(),
            54..62 => self.delete(),
            62..74 => self.like(),
            74..80 => self.unlike(),
            80..82 => (self.conversations.len() < 5).then(|| self.converse()),
            82..94 => self.say(),
            94..98 => self.read(),
            _ => self.read_notifications(),
        }
    }

    /// Most ids are in the order of the actions; some are older, as from an import.
    fn id(&mut self, partition: Option<Partition>) -> Uuid {
        self.counter = (self.counter + 1) % 4096;
        let age = if self.rng.gen_ratio(1, 4) {
            self.rng.gen_range(0..240 * HOUR)
        } else {
            0
        };
        id::compose(self.now - age, self.counter, self.rng.r#gen(), partition)
    }

    fn anyone(&mut self) -> Uuid {
        let ids: Vec<Uuid> = self.accounts.keys().copied().collect();
        *ids.choose(&mut self.rng).unwrap()
    }

    fn any<K: Copy + Ord, V>(rng: &mut StdRng, map: &BTreeMap<K, V>) -> Option<K> {
        let keys: Vec<K> = map.keys().copied().collect();
        keys.choose(rng).copied()
    }

    fn any_post(&mut self) -> Option<(Uuid, Post)> {
        // Recent posts more often, so that many actions concern the same post.
        let recent: Vec<Uuid> = self.posts.keys().rev().take(6).copied().collect();
        let id = if self.rng.gen_bool(0.6) {
            recent.choose(&mut self.rng).copied()
        } else {
            Self::any(&mut self.rng, &self.posts)
        }?;
        Some((id, self.posts[&id].clone()))
    }

    fn join(&mut self) -> Event {
        let account = self.id(None);
        let handle = format!("person_{}", self.accounts.len());
        let display_name = format!("Person {}", self.accounts.len());
        let new = Account {
            handle: handle.clone(),
            display_name: display_name.clone(),
            bio: String::new(),
            created_at: self.now,
        };
        self.accounts.insert(account, new);
        Event::AccountCreated(AccountCreated {
            account,
            handle,
            display_name,
        })
    }

    fn change_profile(&mut self) -> Option<Event> {
        let account = self.anyone();
        let bio = format!("Bio at {}", self.now);
        let renamed = self.rng.gen_bool(0.5);
        let known = self.accounts.get_mut(&account)?;
        known.bio.clone_from(&bio);
        if renamed {
            known.display_name = format!("Name at {}", self.now);
        }
        let (handle, display_name) = (known.handle.clone(), known.display_name.clone());
        Some(Event::ProfileChanged(ProfileChanged {
            account,
            handle,
            display_name,
            bio,
        }))
    }

    fn follow(&mut self) -> Option<Event> {
        let (follower, followee) = (self.anyone(), self.anyone());
        if follower == followee || self.follows.contains_key(&(follower, followee)) {
            return None;
        }
        self.follows.insert((follower, followee), self.now);
        Some(Event::AccountFollowed(AccountFollowed {
            follower,
            followee,
        }))
    }

    fn unfollow(&mut self) -> Option<Event> {
        let (follower, followee) = Self::any(&mut self.rng, &self.follows)?;
        let followed_at = self.follows.remove(&(follower, followee))?;
        Some(Event::AccountUnfollowed(AccountUnfollowed {
            follower,
            followee,
            followed_at,
        }))
    }

    fn post(&mut self) -> Event {
        let author = self.anyone();
        self.create(author, None, Partition::of(author))
    }

    fn reply(&mut self) -> Option<Event> {
        let author = self.anyone();
        let (post, parent) = self.any_post()?;
        Some(self.create(
            author,
            Some(Parent {
                post,
                author: parent.author,
            }),
            Partition::of(post),
        ))
    }

    fn create(&mut self, author: Uuid, reply_to: Option<Parent>, partition: Partition) -> Event {
        let post = self.id(Some(partition));
        let text = format!("Text of {post}");
        let followers = self.follows.keys().filter(|(_, to)| *to == author);
        self.posts.insert(
            post,
            Post {
                author,
                reply_to,
                text: text.clone(),
                followers: followers.count(),
            },
        );
        Event::PostCreated(PostCreated {
            post,
            author,
            reply_to,
            text,
        })
    }

    fn delete(&mut self) -> Option<Event> {
        let (
            post,
            Post {
                author, reply_to, ..
            },
        ) = self.any_post()?;
        self.posts.remove(&post);
        self.likes.retain(|(liked, _), _| *liked != post);
        Some(Event::PostDeleted(PostDeleted {
            post,
            author,
            reply_to,
        }))
    }

    fn like(&mut self) -> Option<Event> {
        let user = self.anyone();
        let (post, Post { author, .. }) = self.any_post()?;
        if self.likes.contains_key(&(post, user)) {
            return None;
        }
        self.likes.insert((post, user), self.now);
        Some(Event::PostLiked(PostLiked { post, author, user }))
    }

    fn unlike(&mut self) -> Option<Event> {
        let (post, user) = Self::any(&mut self.rng, &self.likes)?;
        let liked_at = self.likes.remove(&(post, user))?;
        let author = self.posts[&post].author;
        Some(Event::PostUnliked(PostUnliked {
            post,
            author,
            user,
            liked_at,
        }))
    }

    fn converse(&mut self) -> Event {
        let conversation = self.id(None);
        let ids: Vec<Uuid> = self.accounts.keys().copied().collect();
        let size = self.rng.gen_range(2..=3);
        let members: Vec<Uuid> = ids.choose_multiple(&mut self.rng, size).copied().collect();
        let title = self
            .rng
            .gen_bool(0.5)
            .then(|| format!("About {}", self.now));
        let new = Conversation {
            title: title.clone(),
            members: members.iter().copied().collect(),
            ..Conversation::default()
        };
        self.conversations.insert(conversation, new);
        // Without a creator, the event is stored as version 1.
        let creator = members.first().copied().filter(|_| self.rng.gen_bool(0.5));
        Event::ConversationCreated(ConversationCreated {
            conversation,
            members,
            title,
            creator,
        })
    }

    fn say(&mut self) -> Option<Event> {
        let conversation = Self::any(&mut self.rng, &self.conversations)?;
        let message = self.id(Some(Partition::of(conversation)));
        let talk = self.conversations.get_mut(&conversation)?;
        let members: Vec<Uuid> = talk.members.iter().copied().collect();
        let sender = *members.choose(&mut self.rng)?;
        let text = format!("Message {message}");
        talk.messages.insert(message, (sender, text.clone()));
        Some(Event::MessageSent(MessageSent {
            conversation,
            message,
            sender,
            text,
        }))
    }

    fn read(&mut self) -> Option<Event> {
        let conversation = Self::any(&mut self.rng, &self.conversations)?;
        let talk = self.conversations.get_mut(&conversation)?;
        let latest = *talk.messages.keys().next_back()?;
        let up_to = if self.rng.gen_bool(0.5) {
            latest
        } else {
            Self::any(&mut self.rng, &talk.messages)?
        };
        let members: Vec<Uuid> = talk.members.iter().copied().collect();
        let user = *members.choose(&mut self.rng)?;
        let mark = talk.marks.entry(user).or_insert(up_to);
        *mark = up_to.max(*mark);
        Some(Event::ConversationRead(ConversationRead {
            conversation,
            user,
            up_to,
        }))
    }

    /// Moves the mark forward, to now or to some time ago.
    fn read_notifications(&mut self) -> Option<Event> {
        let (user, up_to) = (self.anyone(), self.id(None));
        let mark = self.notification_marks.entry(user).or_default();
        if up_to <= *mark {
            return None;
        }
        *mark = up_to;
        Some(Event::NotificationsRead(NotificationsRead { user, up_to }))
    }
}
