//! The same state, from the events of the log, partition by partition: what crosses partitions commutes.

use feedmill_events::{Envelope, Event};

use super::Model;

impl Model {
    /// Applies an event, which must fit what is there: an event that undoes what was never done, or does
    /// again what stands, is an error in the log, and is named.
    pub fn apply(&mut self, envelope: &Envelope) -> Result<(), String> {
        let at = envelope.at;
        let fits = match &envelope.event {
            Event::AccountCreated(e) => {
                let new = !self.accounts.contains_key(&e.account);
                self.create_account(e.account, &e.handle, &e.display_name);
                new
            }
            Event::ProfileChanged(e) => match self.accounts.get_mut(&e.account) {
                None => false,
                Some(account) => {
                    account.handle.clone_from(&e.handle);
                    account.display_name.clone_from(&e.display_name);
                    account.bio.clone_from(&e.bio);
                    true
                }
            },
            Event::AccountFollowed(e) => {
                let new = !self.follows.contains_key(&(e.follower, e.followee));
                self.follow(e.follower, e.followee, at);
                new && e.follower != e.followee
            }
            Event::AccountUnfollowed(e) => {
                let since = self.follows.get(&(e.follower, e.followee)).copied();
                self.unfollow(e.follower, e.followee);
                since == Some(e.followed_at)
            }
            Event::PostCreated(e) => {
                let new = !self.posts.contains_key(&e.post) && !self.deleted.contains(&e.post);
                let parent = e.reply_to.is_none_or(|parent| {
                    self.posts
                        .get(&parent.post)
                        .is_some_and(|post| post.author == parent.author)
                });
                self.create_post(
                    e.post,
                    e.author,
                    &e.text,
                    e.reply_to.map(|parent| parent.post),
                );
                new && parent
            }
            Event::PostDeleted(e) => {
                let same = self.posts.get(&e.post).is_some_and(|post| {
                    post.author == e.author && post.reply_to == e.reply_to.map(|parent| parent.post)
                });
                self.delete_post(e.post);
                same
            }
            Event::PostLiked(e) => {
                let stands = self
                    .posts
                    .get(&e.post)
                    .is_some_and(|post| post.author == e.author);
                let new = !self.likes.contains_key(&(e.post, e.user));
                self.like(e.user, e.post, at);
                stands && new
            }
            Event::PostUnliked(e) => {
                let stands = self
                    .posts
                    .get(&e.post)
                    .is_some_and(|post| post.author == e.author);
                let since = self.likes.get(&(e.post, e.user)).copied();
                self.unlike(e.user, e.post);
                stands && since == Some(e.liked_at)
            }
            Event::ConversationCreated(e) => {
                let new = !self.conversations.contains_key(&e.conversation)
                    && self.pair(&e.members.iter().copied().collect()).is_none();
                self.create_conversation(e.conversation, &e.members, e.title.as_deref());
                new
            }
            Event::MessageSent(e) => {
                let member = self
                    .conversations
                    .get(&e.conversation)
                    .is_some_and(|found| found.members.contains_key(&e.sender));
                self.send_message(e.conversation, e.message, e.sender, &e.text);
                member
            }
            Event::ConversationRead(e) => {
                let forward = self
                    .conversations
                    .get(&e.conversation)
                    .is_some_and(|found| {
                        let mark = found.members.get(&e.user);
                        found.messages.contains_key(&e.up_to)
                            && mark.is_some_and(|mark| *mark < Some(e.up_to))
                    });
                self.mark_read(e.conversation, e.user, e.up_to);
                forward
            }
            Event::NotificationsRead(e) => {
                let mark = self.notification_marks.get(&e.user);
                let forward = mark.is_none_or(|mark| *mark < e.up_to);
                self.mark_notifications_read(e.user, e.up_to);
                forward && self.accounts.contains_key(&e.user)
            }
        };
        if fits {
            Ok(())
        } else {
            Err(format!("does not fit what came before it: {envelope:?}"))
        }
    }
}
