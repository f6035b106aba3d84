//! All routes of write-api.

use axum::{
    Extension, Router,
    routing::{MethodRouter, delete, get, patch, post, put},
};
use feedmill_service::{extract::RouteBodyLimit, tokens::revocations::list};

use crate::{
    app::App,
    domain::LinkKind,
    http::{
        accounts, conversations, ended_sessions, keys, links, me, messages, notifications,
        password, posts, sessions,
    },
};

/// The maximum size of a body in bytes.
const BODY_LIMIT: usize = 8 << 10;

/// The same for a body with the text of a post or message: 5,000 characters, each of which may take 12 bytes of JSON.
const TEXT_BODY_LIMIT: usize = 64 << 10;

/// The routes for operators.
pub fn admin_router(app: App) -> Router {
    Router::new()
        .route(list::PATH, get(ended_sessions::list))
        .with_state(app)
}

/// The routes for clients.
pub fn router(app: App) -> Router {
    let text = |route: MethodRouter<App>| route.layer(Extension(RouteBodyLimit(TEXT_BODY_LIMIT)));
    Router::new()
        .route("/.well-known/jwks.json", get(keys::list))
        .route("/v1/accounts", post(accounts::create))
        .route(
            "/v1/sessions",
            post(sessions::create)
                .get(sessions::list)
                .delete(sessions::end_others),
        )
        .route("/v1/sessions/refresh", post(sessions::refresh))
        .route("/v1/sessions/current", delete(sessions::end_current))
        .route("/v1/sessions/{id}", delete(sessions::end))
        .route("/v1/me", patch(me::change))
        .route("/v1/me/password", put(password::change))
        .route("/v1/posts", text(post(posts::create)))
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
        .route(
            "/v1/conversations/{id}/messages",
            text(post(messages::create)),
        )
        .route("/v1/conversations/{id}/read", put(messages::mark_read))
        .route("/v1/notifications/read", put(notifications::mark_read))
        // For the routes that have no other limit.
        .layer(Extension(RouteBodyLimit(BODY_LIMIT)))
        .with_state(app)
}
