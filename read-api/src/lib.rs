//! The read API of Feedmill, over read tables that are shaped like its answers.
//!
//! From top to bottom; each part uses only parts below it:
//!
//! - `serve` starts the service, `warm_up` fills its cache.
//! - `router`: all routes on one screen; `openapi`: what their descriptions have in common.
//! - `operations`: what operators do with the caches; `metrics`: what each metric means.
//! - `endpoints`: the handlers, one file per noun, with the cache tags of each answer.
//! - `state`: what all requests share.
//! - `stream`: live updates.
//! - `http`: the gate, the request's context, pages and cursors, the response.
//! - `cache`: answers, and the fragments that answers are assembled from.
//! - `freshness`: when each cache tag changed, and how far the projections are.
//! - `sql`: the statements, one file per noun.
//! - `newcomer`: an account that has given no command yet.
//! - `config`, `error`, `seek`, `views` (the JSON objects), `user_ref`: leaves.

mod cache;
mod config;
mod endpoints;
mod error;
mod freshness;
mod http;
mod metrics;
mod newcomer;
mod openapi;
mod operations;
mod router;
mod seek;
mod serve;
mod sql;
mod state;
mod stream;
mod user_ref;
mod views;
mod warm_up;

pub use cache::{
    answers::AnswerCache, caches::Caches, feeds::FeedCache, posts::PostCache, scores::ScoreCache,
};
pub use config::{Cli, Config, Subcommand};
pub use error::ALL as CODES;
pub use freshness::{
    announcements::receive_announcements, checkpoints::poll_checkpoints, progress::Progress,
    tag_versions::TagVersions,
};
pub use http::cursor::Cursors;
pub use metrics::METRICS;
pub use router::{description, router};
pub use serve::serve;
pub use sql::{
    search_path,
    secrets::{ReadSecrets, Secrets},
};
pub use state::{AppState, Shared};
pub use stream::registry::{Limits, Streams};
pub use warm_up::warm_up;
