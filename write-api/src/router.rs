//! All routes of write-api.

use axum::{
    Router,
    routing::{delete, get, patch, post, put},
};

use crate::{
    app::App,
    domain::LinkKind,
    http::{accounts, conversations, keys, links, me, messages, notifications, posts, sessions},
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
        .route("/v1/posts/{id}/like", links::put_and_delete(LinkKind::Like))
        .route(
            "/v1/posts/{id}/bookmark",
            links::put_and_delete(LinkKind::Bookmark),
        )
        .route(
            "/v1/users/{id}/follow",
            links::put_and_delete(LinkKind::Follow),
        )
        .route("/v1/conversations", post(conversations::create))
        .route("/v1/conversations/{id}/messages", post(messages::create))
        .route("/v1/conversations/{id}/read", put(messages::mark_read))
        .route("/v1/notifications/read", put(notifications::mark_read))
        .with_state(app)
}
