//! The oracle's state, and every command as a plain change of it.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::event::v1::{Audience, WhoMayMessage};
use uuid::Uuid;

use super::{
    audience_tags::AudienceTags, blocks::Blocks, connections::Connections, visibility::Thread,
};
use crate::link::{LinkKind, LinkTarget};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub handle: String,
    pub display_name: String,
    pub bio: String,
    pub created_at: i64,
    /// None until they are changed.
    pub settings: Option<Settings>,
}

impl Account {
    /// The settings that are in force.
    pub fn settings(&self) -> Settings {
        self.settings.clone().unwrap_or_default()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The audience of root posts that name none.
    pub default_audience: Audience,
    pub who_may_message: WhoMayMessage,
}

/// The name of the setting in requests and answers, and its number in tables.
pub fn who_may_message_code(who: WhoMayMessage) -> (&'static str, i16) {
    match who {
        WhoMayMessage::Everyone => ("everyone", 0),
        WhoMayMessage::Connections => ("connections", 1),
    }
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
pub struct Post {
    pub author: Uuid,
    pub text: String,
    /// When the text was last changed.
    pub edited_at: Option<i64>,
    pub reply_to: Option<Uuid>,
    /// Of a root post: how many followers and connections the author had when it was created.
    pub followers: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub sender: Uuid,
    pub text: String,
}

/// A member of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    pub read_up_to: Option<Uuid>,
    pub muted: bool,
    /// Sees the messages after this id; none: all.
    pub since: Option<Uuid>,
}

/// A membership that has ended: it was for the messages after `since` and up to `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerMember {
    pub account: Uuid,
    pub since: Option<Uuid>,
    pub until: Uuid,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    pub title: Option<String>,
    /// Whether it is the conversation of its two members.
    pub is_pair: bool,
    pub members: BTreeMap<Uuid, Member>,
    pub former: Vec<FormerMember>,
    pub messages: BTreeMap<Uuid, Message>,
    pub deleted: BTreeSet<Uuid>,
}

impl Conversation {
    /// The messages that this member sees, oldest first.
    pub fn visible(&self, member: Uuid) -> impl DoubleEndedIterator<Item = (Uuid, &Message)> {
        let since = self.members.get(&member).and_then(|found| found.since);
        let messages = self.messages.iter().map(|(id, message)| (*id, message));
        messages.filter(move |(id, _)| Some(*id) > since)
    }

    /// Messages by others after the member's read mark.
    pub fn unread(&self, member: Uuid) -> usize {
        let mark = self.members.get(&member).and_then(|found| found.read_up_to);
        self.visible(member)
            .filter(|(id, message)| message.sender != member && Some(*id) > mark)
            .count()
    }

    /// The newest message, whoever sees it.
    pub fn last_message(&self) -> Option<Uuid> {
        self.messages.keys().next_back().copied()
    }

    /// The newest message that this member sees.
    pub fn last_visible(&self, member: Uuid) -> Option<Uuid> {
        self.visible(member).next_back().map(|(id, _)| id)
    }

    /// What orders the conversation `id` in the list of this member.
    pub fn activity(&self, id: Uuid, member: Uuid) -> Uuid {
        let since = self.members.get(&member).and_then(|found| found.since);
        let start = since.unwrap_or(id);
        self.last_visible(member)
            .map_or(start, |last| last.max(start))
    }

    /// Messages by others of the time when this account was a member.
    pub fn received(&self, account: Uuid) -> impl Iterator<Item = Uuid> {
        let mut spans: Vec<(Option<Uuid>, Uuid)> = self
            .former
            .iter()
            .filter(|former| former.account == account)
            .map(|former| (former.since, former.until))
            .collect();
        let current = self.members.get(&account);
        spans.extend(current.map(|member| (member.since, Uuid::max())));
        let messages = self.messages.iter();
        let received = messages.filter(move |(id, message)| {
            let inside =
                |(since, until): &(Option<Uuid>, Uuid)| Some(**id) > *since && *id <= until;
            message.sender != account && spans.iter().any(inside)
        });
        received.map(|(id, _)| *id)
    }

    /// Everyone who is or was a member.
    pub fn participants(&self) -> BTreeSet<Uuid> {
        let former = self.former.iter().map(|former| former.account);
        self.members.keys().copied().chain(former).collect()
    }

    /// Whether this account has left, and has not come back.
    pub fn has_left(&self, account: Uuid) -> bool {
        let left = self.former.iter().any(|former| former.account == account);
        left && !self.members.contains_key(&account)
    }
}

/// The present state. Ids order things by time; times are Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oracle {
    pub accounts: BTreeMap<Uuid, Account>,
    pub posts: BTreeMap<Uuid, Post>,
    /// As they were.
    pub deleted: BTreeMap<Uuid, Post>,
    /// By root post.
    pub threads: BTreeMap<Uuid, Thread>,
    /// When each link was made, by kind, target and account.
    links: BTreeMap<(LinkKind, Uuid, Uuid), i64>,
    pub connections: Connections,
    pub blocks: Blocks,
    pub tags: AudienceTags,
    pub conversations: BTreeMap<Uuid, Conversation>,
    /// Up to which id each account has read its feed.
    pub feed_marks: BTreeMap<Uuid, Uuid>,
    /// Up to which id each account has read its notifications.
    pub notification_marks: BTreeMap<Uuid, Uuid>,
}

impl Oracle {
    pub fn create_account(&mut self, id: Uuid, handle: &str, display_name: &str, at: i64) {
        let account = Account {
            handle: handle.to_owned(),
            display_name: display_name.to_owned(),
            bio: String::new(),
            created_at: at,
            settings: None,
        };
        self.accounts.insert(id, account);
    }

    /// The settings that are in force; the first ones if there is no such account.
    pub fn settings(&self, account: Uuid) -> Settings {
        let found = self.accounts.get(&account);
        found.map(Account::settings).unwrap_or_default()
    }

    /// Settings that are the same change nothing.
    pub fn change_settings(&mut self, account: Uuid, settings: Settings) {
        if let Some(account) = self.accounts.get_mut(&account)
            && account.settings() != settings
        {
            account.settings = Some(settings);
        }
    }

    /// A root post.
    pub fn create_post(&mut self, id: Uuid, author: Uuid, text: &str, audience: Audience) {
        let followers = self.links_to(LinkKind::Follow, author).count();
        let post = Post {
            author,
            text: text.to_owned(),
            edited_at: None,
            reply_to: None,
            followers: followers + self.connections.of(author).count(),
        };
        self.posts.insert(id, post);
        self.threads.insert(id, Thread { author, audience });
    }

    pub fn create_reply(&mut self, id: Uuid, author: Uuid, text: &str, parent: Uuid) {
        let post = Post {
            author,
            text: text.to_owned(),
            edited_at: None,
            reply_to: Some(parent),
            followers: 0,
        };
        self.posts.insert(id, post);
    }

    /// Of the thread of this root post.
    pub fn change_audience(&mut self, root: Uuid, audience: Audience) {
        if let Some(thread) = self.threads.get_mut(&root) {
            thread.audience = audience;
        }
    }

    /// The same text changes nothing.
    pub fn edit_post(&mut self, id: Uuid, text: &str, at: i64) {
        if let Some(post) = self.posts.get_mut(&id)
            && post.text != text
        {
            text.clone_into(&mut post.text);
            post.edited_at = Some(at);
        }
    }

    /// Takes over the times of edits, which no answer to a command contains.
    pub fn set_edit_times(&mut self, edits: &BTreeMap<Uuid, i64>) {
        for (id, post) in &mut self.posts {
            if post.edited_at.is_some() {
                post.edited_at = edits.get(id).copied();
            }
        }
    }

    /// Its links go with it. Its thread stays.
    pub fn delete_post(&mut self, id: Uuid) {
        if let Some(post) = self.posts.remove(&id) {
            self.deleted.insert(id, post);
        }
        self.links
            .retain(|(kind, to, _), _| kind.target() != LinkTarget::Post || *to != id);
    }

    /// Keeps the time of the first of several until it is undone.
    pub fn link(&mut self, kind: LinkKind, from: Uuid, to: Uuid, at: i64) {
        self.links.entry((kind, to, from)).or_insert(at);
    }

    pub fn unlink(&mut self, kind: LinkKind, from: Uuid, to: Uuid) {
        self.links.remove(&(kind, to, from));
    }

    /// When this link was made, if it stands.
    pub fn linked_since(&self, kind: LinkKind, from: Uuid, to: Uuid) -> Option<i64> {
        self.links.get(&(kind, to, from)).copied()
    }

    /// Account, target and time of every link of this kind.
    pub fn links(&self, kind: LinkKind) -> impl Iterator<Item = (Uuid, Uuid, i64)> {
        let links = self
            .links
            .range((kind, Uuid::nil(), Uuid::nil())..=(kind, Uuid::max(), Uuid::max()));
        links.map(|((_, to, from), at)| (*from, *to, *at))
    }

    /// Account and time of every link of this kind to this target.
    pub fn links_to(&self, kind: LinkKind, to: Uuid) -> impl Iterator<Item = (Uuid, i64)> {
        let links = self
            .links
            .range((kind, to, Uuid::nil())..=(kind, to, Uuid::max()));
        links.map(|((_, _, from), at)| (*from, *at))
    }

    /// Target and time of every link of this kind from this account.
    pub fn links_from(&self, kind: LinkKind, from: Uuid) -> impl Iterator<Item = (Uuid, i64)> {
        let links = self.links(kind);
        links.filter_map(move |(account, to, at)| (account == from).then_some((to, at)))
    }

    /// Takes over the times of the links that stand, which no answer to a command contains.
    pub fn set_link_times(&mut self, kind: LinkKind, links: &[(Uuid, Uuid, i64)]) {
        for (from, to, at) in links {
            if let Some(known) = self.links.get_mut(&(kind, *to, *from)) {
                *known = *at;
            }
        }
    }

    /// Ends what connects the two; a request that it ends may be made again.
    pub fn block(&mut self, blocker: Uuid, blocked: Uuid, at: i64) {
        for (from, to) in [(blocker, blocked), (blocked, blocker)] {
            self.unlink(LinkKind::Follow, from, to);
        }
        self.connections.cut(blocker, blocked);
        self.tags.disconnect(blocker, blocked);
        self.blocks.block(blocker, blocked, at);
    }

    pub fn create_conversation(&mut self, id: Uuid, members: &[Uuid], title: Option<&str>) {
        let members = members.iter();
        let members: BTreeMap<_, _> = members.map(|member| (*member, Member::default())).collect();
        let conversation = Conversation {
            title: title.map(str::to_owned),
            is_pair: members.len() == 2,
            members,
            ..Conversation::default()
        };
        self.conversations.insert(id, conversation);
    }

    pub fn send_message(&mut self, conversation: Uuid, id: Uuid, sender: Uuid, text: &str) {
        let message = Message {
            sender,
            text: text.to_owned(),
        };
        let conversation = self.conversations.entry(conversation).or_default();
        conversation.messages.insert(id, message);
    }

    pub fn delete_message(&mut self, conversation: Uuid, id: Uuid) {
        let conversation = self.conversations.entry(conversation).or_default();
        conversation.messages.remove(&id);
        conversation.deleted.insert(id);
    }

    /// A read mark never moves back.
    pub fn mark_read(&mut self, conversation: Uuid, user: Uuid, up_to: Uuid) {
        let conversation = self.conversations.entry(conversation).or_default();
        let member = conversation.members.entry(user).or_default();
        member.read_up_to = member.read_up_to.max(Some(up_to));
    }

    /// For this member alone.
    pub fn set_muted(&mut self, conversation: Uuid, user: Uuid, muted: bool) {
        let conversation = self.conversations.entry(conversation).or_default();
        conversation.members.entry(user).or_default().muted = muted;
    }

    pub fn has_muted(&self, user: Uuid, conversation: Uuid) -> bool {
        let found = self.conversations.get(&conversation);
        let member = found.and_then(|found| found.members.get(&user));
        member.is_some_and(|member| member.muted)
    }

    /// `since` is the id after which the member sees messages.
    pub fn add_member(&mut self, conversation: Uuid, user: Uuid, since: Uuid) {
        let conversation = self.conversations.entry(conversation).or_default();
        let member = Member {
            since: Some(since),
            ..Member::default()
        };
        conversation.members.insert(user, member);
    }

    /// What the member has set goes with the membership, and what they have written stays.
    pub fn leave(&mut self, conversation: Uuid, user: Uuid, until: Uuid) {
        let conversation = self.conversations.entry(conversation).or_default();
        if let Some(member) = conversation.members.remove(&user) {
            conversation.former.push(FormerMember {
                account: user,
                since: member.since,
                until,
            });
        }
    }

    pub fn rename(&mut self, conversation: Uuid, title: Option<&str>) {
        let conversation = self.conversations.entry(conversation).or_default();
        conversation.title = title.map(str::to_owned);
    }

    /// This mark never moves back either.
    pub fn mark_feed_read(&mut self, user: Uuid, up_to: Uuid) {
        let mark = self.feed_marks.entry(user).or_default();
        *mark = up_to.max(*mark);
    }

    /// Nor does this one.
    pub fn mark_notifications_read(&mut self, user: Uuid, up_to: Uuid) {
        let mark = self.notification_marks.entry(user).or_default();
        *mark = up_to.max(*mark);
    }

    /// The conversation of these two members, if there is one.
    pub fn pair(&self, members: &BTreeSet<Uuid>) -> Option<Uuid> {
        let same = |found: &Conversation| found.is_pair && found.members.keys().eq(members);
        let mut conversations = self.conversations.iter();
        let found = conversations.find(|(_, found)| same(found));
        found.map(|(id, _)| *id)
    }

    pub fn is_member(&self, user: Uuid, conversation: Uuid) -> bool {
        self.conversations
            .get(&conversation)
            .is_some_and(|found| found.members.contains_key(&user))
    }

    /// Whether this account wrote this post, and it stands.
    pub fn is_author(&self, user: Uuid, post: Uuid) -> bool {
        self.posts
            .get(&post)
            .is_some_and(|post| post.author == user)
    }

    /// How many links of this kind lead to the target.
    pub fn count_links_to(&self, kind: LinkKind, to: Uuid) -> usize {
        self.links_to(kind, to).count()
    }

    /// Direct replies to a post.
    pub fn count_replies(&self, post: Uuid) -> usize {
        self.posts
            .values()
            .filter(|reply| reply.reply_to == Some(post))
            .count()
    }

    pub fn mutes(&self, viewer: Uuid, account: Uuid) -> bool {
        let since = self.linked_since(LinkKind::Mute, viewer, account);
        since.is_some()
    }

    /// Whether the root posts of this author come to the viewer's feed, as far as the viewer sees them.
    pub fn feed_includes(&self, viewer: Uuid, author: Uuid) -> bool {
        let follows = || self.linked_since(LinkKind::Follow, viewer, author);
        let connected = || self.connections.are_connected(author, viewer);
        author == viewer || (follows().is_some() || connected()) && !self.mutes(viewer, author)
    }

    /// Whether this is a conversation of two of whom one blocks the other.
    pub fn is_closed(&self, conversation: &Conversation) -> bool {
        let members: Vec<_> = conversation.members.keys().collect();
        let blocked = |pair: &[&Uuid]| self.blocks.between(*pair[0], *pair[1]);
        conversation.is_pair && members.windows(2).any(blocked)
    }
}
