//! Every route, with the projections that its answers depend on.

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{MethodRouter, get},
};
use feedmill_events::Projection::{self, Conversations, Digest, Feed, Notifications, Profiles};

use crate::{
    endpoints::{bookmarks, conversations, digest, feed, notifications, posts, stream, users},
    http::auth::{self, Gate},
    state::AppState,
};

pub fn router(state: AppState) -> Router {
    // Every route is behind the gate: it needs a token, and a request with a position waits for these projections.
    let read = |route: MethodRouter<AppState>, projections: &'static [Projection]| {
        let gate = Gate {
            verifier: state.verifier.clone(),
            progress: state.progress.clone(),
            secrets: state.secrets.clone(),
            projections,
        };
        route.layer(from_fn_with_state(gate, auth::admit))
    };
    #[rustfmt::skip]
    let router = Router::new()
        .route("/v1/feed", read(get(feed::page), &[Feed, Profiles]))
        .route("/v1/digest", read(get(digest::read), &[Digest, Feed, Profiles]))
        .route("/v1/bookmarks", read(get(bookmarks::page), &[Feed, Profiles]))
        .route("/v1/conversations", read(get(conversations::page), &[Conversations, Profiles]))
        .route("/v1/conversations/{id}", read(get(conversations::one), &[Conversations, Profiles]))
        .route("/v1/conversations/{id}/messages", read(get(conversations::messages), &[Conversations]))
        .route("/v1/conversations/{id}/messages/{message}", read(get(conversations::message), &[Conversations]))
        .route("/v1/notifications", read(get(notifications::page), &[Notifications, Feed, Profiles]))
        .route("/v1/posts/{id}", read(get(posts::one), &[Feed, Profiles]))
        .route("/v1/posts/{id}/replies", read(get(posts::replies), &[Feed, Profiles]))
        .route("/v1/users/{user}", read(get(users::profile), &[Profiles]))
        .route("/v1/users/{user}/posts", read(get(users::posts), &[Feed, Profiles]))
        .route("/v1/users/{user}/followers", read(get(users::followers), &[Profiles]))
        .route("/v1/users/{user}/following", read(get(users::following), &[Profiles]))
        .route("/v1/stream", read(get(stream::open), &[Feed, Conversations, Notifications, Profiles]))
        .route("/v1/me", read(get(users::me), &[Profiles]));
    router.with_state(state)
}
