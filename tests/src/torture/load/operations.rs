//! What a random command is for a client: the operation, with ids that exist.

use uuid::Uuid;

use super::shared::{Created, pick};
use crate::{
    link::LinkTarget,
    property::{
        AccountCommand, Action, AudienceChoice, BlockCommand, Command, ConnectionCommand,
        ConversationCommand, FeedCommand, LinkCommand, NotificationCommand, PostCommand,
    },
    torture::operation::Operation,
};

/// Accounts and conversations of a run at most, since lists are read to their ends.
const MAX_ACCOUNTS: usize = 40;
const MAX_CONVERSATIONS: usize = 400;

/// The account and the operation; none if there is nothing yet that the command could be about. `accounts` are the
/// client's own, `text` is unique.
pub fn operation(
    action: Action,
    accounts: &[Uuid],
    created: &Created,
    text: String,
) -> Option<(Uuid, Operation)> {
    let who = accounts[action.who % accounts.len()];
    let account = |index| pick(&created.accounts, index, |_| true);
    let post = |index| pick(&created.posts, index, |_| true).map(|(_, post)| post);
    let conversation = |index, own: bool| {
        let matches = |(_, members): &(Uuid, Vec<Uuid>)| !own || members.contains(&who);
        pick(&created.conversations, index, matches).map(|(id, _)| id)
    };
    let handle = || text.replace(' ', "_");
    let profile = |field, value| Operation::ChangeProfile { field, value };
    let operation = match action.command {
        Command::Account(AccountCommand::Create) => {
            let more = created.accounts.len() < MAX_ACCOUNTS;
            let create = Operation::CreateAccount { handle: handle() };
            return more.then_some((Uuid::nil(), create));
        }
        Command::Account(AccountCommand::Rename { taken }) => {
            let taken = taken.and_then(|index| pick(&created.handles, index, |_| true));
            profile("handle", taken.unwrap_or_else(handle))
        }
        Command::Account(AccountCommand::ChangeDisplayName { .. }) => profile("display_name", text),
        Command::Account(AccountCommand::ChangeBio { .. }) => profile("bio", text),
        Command::Account(AccountCommand::ChangeSettings {
            default_audience: Some(pick),
            ..
        }) => {
            let audiences = ["public", "connections", "me"];
            let audience = audiences[pick % audiences.len()];
            profile("default_audience", audience.to_owned())
        }
        Command::Account(AccountCommand::ChangeSettings {
            who_may_message, ..
        }) => {
            let values = ["everyone", "connections"];
            let value = values[who_may_message? % values.len()];
            profile("who_may_message", value.to_owned())
        }
        Command::Post(PostCommand::Create { audience, .. }) => Operation::Post {
            text,
            reply_to: None,
            audience: match audience {
                Some(choice) => Some(audience_name(choice)?),
                None => None,
            },
        },
        Command::Post(PostCommand::Reply { to, .. }) => Operation::Post {
            text,
            reply_to: Some(post(to)?),
            audience: None,
        },
        Command::Post(PostCommand::ChangeAudience {
            post,
            own,
            audience,
        }) => {
            let matches = |(author, _): &(Uuid, Uuid)| !own || *author == who;
            let (_, post) = pick(&created.posts, post, matches)?;
            let audience = audience_name(audience)?;
            Operation::ChangeAudience { post, audience }
        }
        Command::Post(PostCommand::Edit { post, own, .. }) => {
            let matches = |(author, _): &(Uuid, Uuid)| !own || *author == who;
            let (_, post) = pick(&created.posts, post, matches)?;
            Operation::EditPost { post, text }
        }
        Command::Post(PostCommand::Delete { post, own }) => {
            let matches = |(author, _): &(Uuid, Uuid)| !own || *author == who;
            let (_, post) = pick(&created.posts, post, matches)?;
            Operation::DeletePost { post }
        }
        Command::Link(LinkCommand { kind, to, make }) => {
            let to = match kind.target() {
                LinkTarget::Post => post(to)?,
                LinkTarget::Account => account(to)?,
            };
            Operation::Link { kind, to, make }
        }
        Command::Connection(ConnectionCommand { other, connect }) => Operation::Connection {
            other: account(other)?,
            connect,
        },
        Command::Block(BlockCommand::Block { other }) => Operation::Block {
            other: account(other)?,
            block: true,
        },
        Command::Block(BlockCommand::Unblock { other, blocked }) => {
            let of_account = |(blocker, _): &(Uuid, Uuid)| *blocker == who;
            let known = pick(&created.blocks, other, of_account).map(|(_, other)| other);
            Operation::Block {
                other: if blocked { known } else { account(other) }?,
                block: false,
            }
        }
        Command::Feed(FeedCommand::MarkRead { post: index }) => Operation::MarkFeedRead {
            up_to: post(index)?,
        },
        Command::Conversation(
            ConversationCommand::CreatePair { .. } | ConversationCommand::CreateGroup { .. },
        ) if created.conversations.len() > MAX_CONVERSATIONS => return None,
        Command::Conversation(ConversationCommand::CreatePair { with }) => {
            let with = vec![account(with)?];
            Operation::CreateConversation { with, title: None }
        }
        Command::Conversation(ConversationCommand::CreateGroup { with, titled }) => {
            let with = with.into_iter().filter_map(account).collect();
            let title = titled.then_some(text);
            Operation::CreateConversation { with, title }
        }
        Command::Conversation(ConversationCommand::Send {
            conversation: index,
            own,
            ..
        }) => {
            let conversation = conversation(index, own)?;
            Operation::SendMessage { conversation, text }
        }
        Command::Conversation(ConversationCommand::MarkRead {
            conversation: index,
            own,
            message,
            foreign,
        }) => {
            let conversation = conversation(index, own)?;
            let matches = |(of, ..): &(Uuid, Uuid, Uuid)| foreign || *of == conversation;
            let (_, up_to, _) = pick(&created.messages, message, matches)?;
            Operation::MarkRead {
                conversation,
                up_to,
            }
        }
        Command::Conversation(ConversationCommand::Delete { message, own }) => {
            let matches = |(_, _, sender): &(Uuid, Uuid, Uuid)| !own || *sender == who;
            let (conversation, message, _) = pick(&created.messages, message, matches)?;
            Operation::DeleteMessage {
                conversation,
                message,
            }
        }
        Command::Conversation(ConversationCommand::SetMuted {
            conversation: index,
            own,
            muted,
        }) => {
            let conversation = conversation(index, own)?;
            Operation::SetMuted {
                conversation,
                muted,
            }
        }
        Command::Conversation(ConversationCommand::Add {
            conversation: index,
            own,
            account: added,
        }) => {
            let conversation = conversation(index, own)?;
            Operation::AddMember {
                conversation,
                account: account(added)?,
            }
        }
        // Of a conversation that the account is known to have, so that leaving it has an effect.
        Command::Conversation(ConversationCommand::Remove {
            conversation: index,
            ..
        }) => Operation::Leave {
            conversation: conversation(index, true)?,
            account: who,
        },
        Command::Conversation(ConversationCommand::Rename {
            conversation: index,
            own,
            ..
        }) => {
            let conversation = conversation(index, own)?;
            Operation::Rename {
                conversation,
                title: text,
            }
        }
        Command::Notification(
            NotificationCommand::MarkRead {
                notification: index,
            }
            | NotificationCommand::MarkReadToPost { post: index },
        ) => Operation::MarkNotificationsRead {
            up_to: post(index)?,
        },
        // The clients do not keep track of tags.
        Command::Tag(_)
        | Command::Feed(FeedCommand::MarkReadToNow | FeedCommand::MarkReadToFuture)
        | Command::Notification(NotificationCommand::MarkReadToFuture) => return None,
    };
    Some((who, operation))
}

/// None if it is for tags, of which the clients do not keep track.
fn audience_name(choice: AudienceChoice) -> Option<&'static str> {
    match choice {
        AudienceChoice::Public => Some("public"),
        AudienceChoice::Connections => Some("connections"),
        AudienceChoice::Me => Some("me"),
        AudienceChoice::Tags { .. } => None,
    }
}
