//! The read API: an answer is one SQL statement over read tables that are shaped like it.
//!
//! A request goes through [`router`] (all routes on one screen): who asks (`auth`), how fresh the answer must
//! be (`position`, which waits on `progress`), then a handler of `http`, which reads its parameters (`page`,
//! `period`, `user_ref`) and gives them to `respond`. That answers from the `cache` or, if it has none that is
//! good, with what the handler loads: the views of `view`, which `query` reads, made into bytes by `answer`, and
//! all that they depend on (`tags`).
//!
//! - [`config`], [`state`], `error`: what there is to set, to share and to go wrong; [`serve()`] wires it up.
//! - `asked`: what a handler needs of a request, whatever it is about.
//! - `kept`: how anything is kept in memory; `posts`, `scores`, `followed`: what an answer that is not kept is put together
//!   of.
//! - `warm`: what is loaded after a start before anybody asks.
//! - `cursor`: sealed cursors, for `page`.
//! - [`stream`]: live updates.
//! - `progress`: how far the projections are, as far as this process knows; `changes`: what changed since when.

mod answer;
mod asked;
mod auth;
mod cache;
pub mod changes;
pub mod config;
pub mod cursor;
mod error;
mod followed;
mod http;
mod kept;
mod page;
mod period;
mod position;
mod posts;
mod progress;
mod query;
mod respond;
pub mod router;
mod scores;
mod serve;
pub mod state;
pub mod stream;
mod tags;
mod user_ref;
mod view;
mod warm;

pub use cache::Cache;
pub use changes::Changes;
pub use config::Config;
pub use cursor::Cursors;
pub use followed::Followed;
pub use posts::Posts;
pub use progress::Progress;
pub use router::router;
pub use scores::Scores;
pub use serve::serve;
pub use state::AppState;
pub use stream::Streams;
pub use warm::warm_up;
