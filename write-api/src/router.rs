//! Every route of write-api.

use axum::{
    Router,
    routing::{delete, get, patch, post, put},
};

use crate::{
    http::{
        accounts, conversations, follows, keys, likes, me, messages, notifications, posts, sessions,
    },
    state::App,
};

pub fn router(app: App) -> Router {
    Router::new()
        .route("/.well-known/jwks.json", get(keys::list))
        .route("/v1/accounts", post(accounts::create))
        .route("/v1/sessions", post(sessions::create))
        .route("/v1/sessions/refresh", post(sessions::refresh))
        .route("/v1/me", patch(me::change))
        .route("/v1/posts", post(posts::create))
        .route("/v1/posts/{id}", delete(posts::remove))
        .route("/v1/posts/{id}/like", put(likes::add).delete(likes::remove))
        .route(
            "/v1/users/{id}/follow",
            put(follows::add).delete(follows::remove),
        )
        .route("/v1/conversations", post(conversations::create))
        .route("/v1/conversations/{id}/messages", post(messages::create))
        .route("/v1/conversations/{id}/read", put(messages::mark_read))
        .route("/v1/notifications/read", put(notifications::mark_read))
        .with_state(app)
}
