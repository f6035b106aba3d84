//! The handlers, one file per noun, with the cache tags that each answer depends on.
//!
//! A handler reads its parameters, runs the statements of `sql`, and answers through `http::respond`. A cached answer takes
//! no statement. Otherwise the number of statements is at most:
//!
//! | answer | statements |
//! |---|---|
//! | all but the next two | 1 |
//! | [`feed`], assembled from cached fragments | 2; 3 if a post is deleted meanwhile |
//! | [`feed`], otherwise | 2: one finds out that the page cannot be assembled |
//! | [`digest`], assembled from cached fragments | 3; 4 if a post is deleted meanwhile |
//! | [`digest`], otherwise | 2: one finds out that the digest cannot be assembled |
//!
//! With the cache off or bypassed, every answer takes one statement.

mod account_lists;
pub mod audience_tags;
pub mod blocks;
pub mod bookmarks;
pub mod connections;
pub mod conversations;
pub mod counts;
pub mod digest;
pub mod feed;
pub mod likes;
pub mod mutes;
pub mod notifications;
pub mod own_posts;
pub mod posts;
pub mod relationships;
pub mod stream;
pub mod users;

/// What a handler returns.
type Result = std::result::Result<axum::response::Response, crate::error::Error>;
