//! A simulated community: random actions, their events, and the state that they lead to.

mod access;
mod conversations;
mod posts;
mod relations;

use std::collections::{BTreeMap, VecDeque};

use feedmill_events::{
    Envelope, Event, Partition,
    event::v1::{
        AccountCreated, AccountFollowed, AccountMuted, AccountUnfollowed, AccountUnmuted,
        ConversationRead, FeedRead, NotificationsRead, PostBookmarked, PostLiked, PostUnbookmarked,
        PostUnliked, ProfileChanged,
    },
    id,
};
use feedmill_tests::{
    link::{LinkKind, LinkTarget},
    oracle::Oracle,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use uuid::Uuid;

const HOUR: i64 = 3_600_000;

pub struct World {
    sources: Vec<Source>,
    /// The index of the source that acts.
    acting: usize,
    now: i64,
    counter: u16,
    /// The events of the present action that have not happened yet.
    next: VecDeque<Event>,
    /// The state after all events so far.
    pub oracle: Oracle,
    /// The author of each post, also of deleted ones.
    authors: BTreeMap<Uuid, Uuid>,
    /// Per kind, the number of links that were made and deleted with their post within one call of `happen`.
    pub short_lived_links: BTreeMap<LinkKind, usize>,
}

/// What a source of actions is about.
#[derive(Clone, Copy)]
enum Subject {
    Link(LinkKind),
    Connections,
    Tags,
    Audiences,
    Blocks,
    Settings,
    Anything,
}

/// A source of actions with randomness of its own, so that a new one does not change the actions of the others.
struct Source {
    subject: Subject,
    rng: StdRng,
    /// The time of its next action.
    next: i64,
    /// The average time between two actions.
    interval: i64,
}

impl Source {
    fn new(seed: u64, subject: Subject) -> Self {
        let (name, interval) = match subject {
            Subject::Link(kind) => (kind.name(), 5 * HOUR),
            Subject::Connections => ("connections", 4 * HOUR),
            Subject::Tags => ("tags", 5 * HOUR),
            Subject::Audiences => ("audiences", 5 * HOUR),
            Subject::Blocks => ("blocks", 10 * HOUR),
            Subject::Settings => ("settings", 20 * HOUR),
            Subject::Anything => ("", 2 * HOUR),
        };
        Self {
            subject,
            rng: StdRng::seed_from_u64(seed ^ id::fnv1a(name.bytes())),
            next: 1_700_000_000_000,
            interval,
        }
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let others = [
            Subject::Anything,
            Subject::Connections,
            Subject::Tags,
            Subject::Audiences,
            Subject::Blocks,
            Subject::Settings,
        ];
        let subjects = others.into_iter().chain(LinkKind::ALL.map(Subject::Link));
        Self {
            sources: subjects.map(|subject| Source::new(seed, subject)).collect(),
            acting: 0,
            now: 0,
            counter: 0,
            next: VecDeque::new(),
            oracle: Oracle::default(),
            authors: BTreeMap::new(),
            short_lived_links: BTreeMap::new(),
        }
    }

    /// The next `count` events, and the rest of the last action.
    pub fn happen(&mut self, count: usize) -> Vec<Envelope> {
        let mut events = vec![];
        let start = self.now;
        while events.len() < count || !self.next.is_empty() {
            let Some(event) = self.next.pop_front().or_else(|| self.act()) else {
                continue;
            };
            if let Event::PostDeleted(deleted) = &event {
                self.count_short_lived_links(deleted.post, start);
            }
            let at = self.now;
            let envelope = Envelope { at, event };
            self.oracle.fold(&envelope);
            events.push(envelope);
        }
        events
    }

    /// The first event of the next action, if it has one.
    fn act(&mut self) -> Option<Event> {
        let sources = self.sources.iter().enumerate();
        let (acting, _) = sources.min_by_key(|(_, source)| source.next)?;
        let source = &mut self.sources[acting];
        (self.acting, self.now) = (acting, source.next);
        source.next += source.rng.gen_range(1..2 * source.interval);
        match source.subject {
            Subject::Anything if self.oracle.accounts.len() < 3 => Some(self.join()),
            Subject::Anything => self.anything(),
            Subject::Connections => self.connection(),
            Subject::Tags => self.tag(),
            Subject::Audiences => self.change_audience(),
            Subject::Blocks => self.block_or_unblock(),
            Subject::Settings => self.change_settings(),
            Subject::Link(kind) if source.rng.gen_bool(0.6) => self.link(kind),
            Subject::Link(kind) => self.unlink(kind),
        }
    }

    fn count_short_lived_links(&mut self, post: Uuid, start: i64) {
        let to_posts = |kind: &LinkKind| kind.target() == LinkTarget::Post;
        for kind in LinkKind::ALL.into_iter().filter(to_posts) {
            let links = self.oracle.links_to(kind, post);
            let count = links.filter(|(_, at)| *at > start).count();
            *self.short_lived_links.entry(kind).or_default() += count;
        }
    }

    fn anything(&mut self) -> Option<Event> {
        match self.rng().gen_range(0..90) {
            0..2 => (self.oracle.accounts.len() < 9).then(|| self.join()),
            2..4 => self.change_profile(),
            4..22 => self.post(),
            22..34 => self.reply(),
            34..42 => self.delete(),
            42..44 => (self.oracle.conversations.len() < 5).then(|| self.converse()),
            44..56 => self.say(),
            56..60 => self.read(),
            60..62 => self.read_notifications(),
            62..72 => self.edit(),
            72..75 => self.read_feed(),
            75..78 => self.mute(),
            78..79 => self.rename(),
            79..84 => self.add_member(),
            84..85 => self.leave(),
            _ => self.unsay(),
        }
    }

    fn rng(&mut self) -> &mut StdRng {
        &mut self.sources[self.acting].rng
    }

    /// Most ids are in the order of the actions; some are older, as from an import.
    fn id(&mut self, partition: Option<Partition>) -> Uuid {
        self.counter = (self.counter + 1) % 4096;
        let (now, counter) = (self.now, self.counter);
        let rng = self.rng();
        let age = if rng.gen_ratio(1, 4) {
            rng.gen_range(0..240 * HOUR)
        } else {
            0
        };
        id::compose(now - age, counter, rng.r#gen(), partition)
    }

    fn any<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.choose(self.rng()).copied()
    }

    fn any_account(&mut self) -> Option<Uuid> {
        let accounts: Vec<Uuid> = self.oracle.accounts.keys().copied().collect();
        self.any(&accounts)
    }

    fn any_post(&mut self) -> Option<Uuid> {
        let posts = self.oracle.posts.keys().rev().copied().collect();
        self.any_recent(posts)
    }

    fn any_visible_post(&mut self, viewer: Uuid) -> Option<Uuid> {
        let posts = self.oracle.posts.keys().rev().copied();
        let posts = posts.filter(|post| self.oracle.visible(viewer, *post));
        let posts = posts.collect();
        self.any_recent(posts)
    }

    /// Recent posts more often, so that many actions concern the same post.
    fn any_recent(&mut self, mut posts: Vec<Uuid>) -> Option<Uuid> {
        if self.rng().gen_bool(0.6) {
            posts.truncate(6);
        }
        self.any(&posts)
    }

    fn any_conversation(&mut self) -> Option<Uuid> {
        let conversations: Vec<Uuid> = self.oracle.conversations.keys().copied().collect();
        self.any(&conversations)
    }

    fn any_group(&mut self) -> Option<Uuid> {
        let conversations = self.oracle.conversations.iter();
        let groups = conversations.filter(|(_, found)| !found.is_pair);
        let groups: Vec<Uuid> = groups.map(|(id, _)| *id).collect();
        self.any(&groups)
    }

    fn any_member(&mut self, conversation: Uuid) -> Option<Uuid> {
        let members = self.oracle.conversations[&conversation].members.keys();
        let members: Vec<Uuid> = members.copied().collect();
        self.any(&members)
    }

    fn join(&mut self) -> Event {
        let number = self.oracle.accounts.len();
        Event::AccountCreated(AccountCreated {
            account: self.id(None),
            handle: format!("person_{number}"),
            display_name: format!("Person {number}"),
        })
    }

    fn change_profile(&mut self) -> Option<Event> {
        let account = self.any_account()?;
        let renamed = self.rng().gen_bool(0.5);
        let known = self.oracle.accounts[&account].clone();
        Some(Event::ProfileChanged(ProfileChanged {
            account,
            handle: known.handle,
            display_name: if renamed {
                format!("Name at {}", self.now)
            } else {
                known.display_name
            },
            bio: format!("Bio at {}", self.now),
        }))
    }

    fn link(&mut self, kind: LinkKind) -> Option<Event> {
        let from = self.any_account()?;
        let to = match kind.target() {
            LinkTarget::Post => self.any_visible_post(from),
            LinkTarget::Account => self.any_account(),
        }?;
        let exists = self.oracle.linked_since(kind, from, to).is_some();
        let is_blocked = kind == LinkKind::Follow && self.oracle.blocks.between(to, from);
        (from != to && !is_blocked && !exists).then(|| self.link_event(kind, from, to, None))
    }

    fn unlink(&mut self, kind: LinkKind) -> Option<Event> {
        let links: Vec<_> = self.oracle.links(kind).collect();
        let (from, to, since) = self.any(&links)?;
        Some(self.link_event(kind, from, to, Some(since)))
    }

    /// The event that makes a link, or undoes one that was made at `since`.
    fn link_event(&self, kind: LinkKind, from: Uuid, to: Uuid, since: Option<i64>) -> Event {
        let (user, post, follower, followee) = (from, to, from, to);
        let author = self.authors.get(&to).copied().unwrap_or_default();
        match (kind, since) {
            (LinkKind::Like, None) => Event::PostLiked(PostLiked { post, author, user }),
            (LinkKind::Like, Some(liked_at)) => Event::PostUnliked(PostUnliked {
                post,
                author,
                user,
                liked_at,
            }),
            (LinkKind::Follow, None) => {
                Event::AccountFollowed(AccountFollowed { follower, followee })
            }
            (LinkKind::Follow, Some(followed_at)) => Event::AccountUnfollowed(AccountUnfollowed {
                follower,
                followee,
                followed_at,
            }),
            (LinkKind::Mute, None) => Event::AccountMuted(AccountMuted {
                muter: from,
                muted: to,
            }),
            (LinkKind::Mute, Some(muted_at)) => Event::AccountUnmuted(AccountUnmuted {
                muter: from,
                muted: to,
                muted_at,
            }),
            (LinkKind::Bookmark, None) => Event::PostBookmarked(PostBookmarked { post, user }),
            (LinkKind::Bookmark, Some(bookmarked_at)) => {
                Event::PostUnbookmarked(PostUnbookmarked {
                    post,
                    user,
                    bookmarked_at,
                })
            }
        }
    }

    /// As for notifications.
    fn read_feed(&mut self) -> Option<Event> {
        let (user, up_to) = (self.any_account()?, self.id(None));
        let mark = self.oracle.feed_marks.get(&user);
        let forward = mark.is_none_or(|mark| up_to > *mark);
        forward.then_some(Event::FeedRead(FeedRead { user, up_to }))
    }

    /// Moves the mark forward, to now or to some time ago.
    fn read_notifications(&mut self) -> Option<Event> {
        let (user, up_to) = (self.any_account()?, self.id(None));
        let mark = self.oracle.notification_marks.get(&user);
        let forward = mark.is_none_or(|mark| up_to > *mark);
        forward.then_some(Event::NotificationsRead(NotificationsRead { user, up_to }))
    }
}

/// The index of a read mark without which the read models would be different, and on which no other event depends.
pub fn decisive_read(events: &[Envelope]) -> usize {
    let read = |envelope: &Envelope| match &envelope.event {
        Event::ConversationRead(read) => Some(read.clone()),
        _ => None,
    };
    let reads = events.iter().enumerate();
    let reads: Vec<_> = reads
        .filter_map(|(index, envelope)| Some((index, read(envelope)?)))
        .collect();
    let leaves = |envelope: &Envelope, read: &ConversationRead| match &envelope.event {
        Event::MemberLeft(left) => (left.conversation, left.user) == (read.conversation, read.user),
        _ => false,
    };
    let is_decisive = |(index, read): &&(usize, ConversationRead)| {
        let mut later = events[*index..].iter();
        if later.any(|envelope| leaves(envelope, read)) {
            return false;
        }
        let mut others = reads.iter().filter(|(other, _)| other != index);
        others.all(|(_, other)| {
            (other.conversation, other.user) != (read.conversation, read.user)
                || other.up_to < read.up_to
        })
    };
    reads.iter().rev().find(is_decisive).unwrap().0
}
