//! What may be done, and what then happened. No I/O, no clock, no randomness: all three are arguments.

mod account;
mod clock;
mod command;
mod conversation;
mod decide;
mod notification;
mod post;
mod state;
mod text;

pub use clock::{Clock, Moment};
pub use command::{Card, Command, Outcome, Rejection, Thing};
pub use decide::{Decision, decide};
pub use state::{Account, Conversation, Needs, Post, State, pair};
pub use text::{Bio, DisplayName, Handle, MessageText, Password, PostText, TextError, Title};
