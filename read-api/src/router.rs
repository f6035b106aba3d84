//! Every route, and the projections that its answer is made of.

use axum::{Router, middleware::from_fn_with_state, routing::get};

use crate::{
    auth::{self, Gate},
    http::{conversation, digest, feed, notification, post, stream, user},
    progress::Projection::{self, Conversations, Digest, Feed, Notifications, Profiles},
    state::AppState,
};

pub fn router(state: AppState) -> Router {
    // Nobody without a token, and a request that carries a position waits until these are there.
    let of = |projections: &'static [Projection]| {
        let state = state.clone();
        from_fn_with_state(Gate { state, projections }, auth::admit)
    };
    Router::new()
        .route("/v1/feed", get(feed::page).layer(of(&[Feed, Profiles])))
        .route(
            "/v1/digest",
            get(digest::read).layer(of(&[Digest, Feed, Profiles])),
        )
        .route(
            "/v1/conversations",
            get(conversation::page).layer(of(&[Conversations, Profiles])),
        )
        .route(
            "/v1/conversations/{id}/messages",
            get(conversation::messages).layer(of(&[Conversations])),
        )
        .route(
            "/v1/notifications",
            get(notification::page).layer(of(&[Notifications, Feed, Profiles])),
        )
        .route(
            "/v1/posts/{id}",
            get(post::one).layer(of(&[Feed, Profiles])),
        )
        .route(
            "/v1/posts/{id}/replies",
            get(post::replies).layer(of(&[Feed, Profiles])),
        )
        .route(
            "/v1/users/{user}",
            get(user::profile).layer(of(&[Profiles])),
        )
        .route(
            "/v1/users/{user}/posts",
            get(user::posts).layer(of(&[Feed, Profiles])),
        )
        .route(
            "/v1/users/{user}/followers",
            get(user::followers).layer(of(&[Profiles])),
        )
        .route(
            "/v1/users/{user}/following",
            get(user::following).layer(of(&[Profiles])),
        )
        .route(
            "/v1/stream",
            get(stream::open).layer(of(&[Feed, Conversations, Notifications, Profiles])),
        )
        .route("/v1/me", get(user::me).layer(of(&[Profiles])))
        .with_state(state)
}
