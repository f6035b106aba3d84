//! The commands. Each noun's module has its own; this file only delegates to them.

use feedmill_events::{Partition, PartitionSet};
use uuid::Uuid;

use super::{
    account::AccountCommand,
    audience::Visibility,
    block::BlockCommand,
    clock::Moment,
    connection::ConnectionCommand,
    conversation::ConversationCommand,
    decision::{Decision, Outcome, Rejection},
    link::LinkCommand,
    mark::MarkCommand,
    post::PostCommand,
    state::State,
    stored_outcome::StoredOutcome,
    tag::TagCommand,
};

/// What a client wants done. The account that wants it, the *actor*, is passed beside it; it is nil while nobody is
/// signed in.
#[derive(Debug, Clone)]
pub enum Command {
    Account(AccountCommand),
    Post(PostCommand),
    Link(LinkCommand),
    Connection(ConnectionCommand),
    Block(BlockCommand),
    Tag(TagCommand),
    Conversation(ConversationCommand),
    Mark(MarkCommand),
}

impl Command {
    /// The partitions whose heads the command's transaction locks: those of its events, and those of what else its decision must
    /// not change before the commit. They depend on the command alone.
    pub fn partitions(&self, actor: Uuid) -> PartitionSet {
        match self {
            Self::Account(command) => command.partition(actor).into(),
            Self::Post(command) => command.partitions(actor),
            Self::Link(command) => command.partitions(actor),
            Self::Connection(command) => command.partitions(actor),
            Self::Block(command) => command.partitions(actor),
            Self::Tag(_) => TagCommand::partition(actor).into(),
            Self::Conversation(command) => command.partitions(actor),
            Self::Mark(_) => MarkCommand::partition(actor).into(),
        }
    }

    /// The partition of what the command creates. None if the command creates nothing.
    pub fn partition_of_created(&self, actor: Uuid) -> Option<Partition> {
        match self {
            Self::Account(command) => Some(command.partition(actor)),
            Self::Post(command) => Some(command.partition(actor)),
            Self::Tag(_) => Some(TagCommand::partition(actor)),
            Self::Conversation(command) => Some(command.partition(actor)),
            Self::Link(_) | Self::Connection(_) | Self::Block(_) | Self::Mark(_) => None,
        }
    }

    /// The name in metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Account(command) => command.name(),
            Self::Post(command) => command.name(),
            Self::Link(command) => command.name(),
            Self::Connection(command) => command.name(),
            Self::Block(command) => command.name(),
            Self::Tag(command) => command.name(),
            Self::Conversation(command) => command.name(),
            Self::Mark(command) => command.name(),
        }
    }

    /// Requests the rows that [`Command::decide`] reads.
    pub fn request(&self, actor: Uuid, state: &mut State) {
        if !actor.is_nil() {
            state.accounts.request(actor);
        }
        let State {
            accounts,
            posts,
            audiences,
            links,
            connections,
            blocks,
            tags,
            conversations,
            marks,
        } = state;
        match self {
            Self::Account(command) => command.request(accounts),
            Self::Post(command) => command.request(actor, posts, audiences, blocks, tags),
            Self::Link(command) => {
                command.request(actor, accounts, posts, links, audiences, blocks);
            }
            Self::Connection(command) => {
                command.request(actor, accounts, connections, tags, blocks);
            }
            Self::Block(command) => {
                command.request(actor, accounts, links, connections, tags, blocks);
            }
            Self::Tag(command) => command.request(actor, accounts, connections, tags, blocks),
            Self::Conversation(command) => {
                command.request(actor, accounts, connections, conversations, blocks);
            }
            Self::Mark(command) => command.request(actor, marks),
        }
    }

    /// Decides on the rows that the command requested. `moment` is the time of the decision; a new resource gets its id
    /// from it.
    pub fn decide(
        &self,
        state: &State,
        actor: Uuid,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        let State {
            accounts,
            posts,
            audiences,
            links,
            connections,
            blocks,
            tags,
            conversations,
            marks,
        } = state;
        // An account command may create its actor; all others need one that exists.
        let existing = accounts.actor(actor);
        let visibility = Visibility {
            audiences,
            blocks,
            connections,
            tags,
        };
        match self {
            Self::Account(command) => command.decide(accounts, actor, moment),
            Self::Post(command) => command.decide(posts, visibility, existing?, moment),
            Self::Link(command) => command.decide(accounts, posts, links, visibility, existing?.id),
            Self::Connection(command) => {
                command.decide(accounts, connections, tags, blocks, existing?.id, moment)
            }
            Self::Block(command) => {
                command.decide(accounts, links, connections, tags, blocks, existing?.id)
            }
            Self::Tag(command) => {
                command.decide(accounts, connections, tags, blocks, existing?.id, moment)
            }
            Self::Conversation(command) => {
                let actor = existing?.id;
                command.decide(accounts, connections, conversations, blocks, actor, moment)
            }
            Self::Mark(command) => command.decide(marks, existing?.id, moment),
        }
    }

    /// The outcome of the first of several requests with this command and one idempotency key. What others may have changed
    /// since, such as the names of accounts, is as it is now. None: it was stored for another kind of command.
    pub fn restore(&self, stored: StoredOutcome, state: &State, actor: Uuid) -> Option<Outcome> {
        let State {
            accounts,
            conversations,
            ..
        } = state;
        match self {
            Self::Account(command) => command.restore(stored, accounts, actor),
            Self::Post(command) => command.restore(stored, accounts, actor),
            Self::Connection(command) => command.restore(stored),
            Self::Tag(command) => command.restore(stored),
            Self::Conversation(command) => command.restore(stored, accounts, conversations, actor),
            Self::Link(_) | Self::Block(_) | Self::Mark(_) => stored.done(),
        }
    }
}

impl From<AccountCommand> for Command {
    fn from(command: AccountCommand) -> Self {
        Self::Account(command)
    }
}

impl From<PostCommand> for Command {
    fn from(command: PostCommand) -> Self {
        Self::Post(command)
    }
}

impl From<LinkCommand> for Command {
    fn from(command: LinkCommand) -> Self {
        Self::Link(command)
    }
}

impl From<ConnectionCommand> for Command {
    fn from(command: ConnectionCommand) -> Self {
        Self::Connection(command)
    }
}

impl From<BlockCommand> for Command {
    fn from(command: BlockCommand) -> Self {
        Self::Block(command)
    }
}

impl From<TagCommand> for Command {
    fn from(command: TagCommand) -> Self {
        Self::Tag(command)
    }
}

impl From<ConversationCommand> for Command {
    fn from(command: ConversationCommand) -> Self {
        Self::Conversation(command)
    }
}

impl From<MarkCommand> for Command {
    fn from(command: MarkCommand) -> Self {
        Self::Mark(command)
    }
}
