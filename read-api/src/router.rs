//! Every route, with the projections that its answers depend on.

use axum::{Router, middleware::from_fn_with_state};
use feedmill_events::Projection::{self, Conversations, Digest, Feed, Notifications, Profiles};
use feedmill_service::{http::docs, openapi::describe};
use utoipa::openapi::OpenApi;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::{
    endpoints::{
        audience_tags, blocks, bookmarks, connections, conversations, counts, digest, feed, likes,
        mutes, notifications, own_posts, posts, relationships, stream, users,
    },
    http::auth::{self, Gate},
    openapi,
    state::AppState,
};

type Route = UtoipaMethodRouter<AppState>;

/// `read` completes a route whose answers depend on these projections.
#[rustfmt::skip]
fn routes(read: impl Fn(Route, &'static [Projection]) -> Route) -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(read(routes!(feed::page), &[Feed, Profiles]))
        .routes(read(routes!(digest::read), &[Digest, Feed, Profiles]))
        .routes(read(routes!(bookmarks::page), &[Feed, Profiles]))
        .routes(read(routes!(likes::page), &[Feed, Profiles]))
        .routes(read(routes!(conversations::page), &[Conversations, Feed, Profiles]))
        .routes(read(routes!(conversations::one), &[Conversations, Feed, Profiles]))
        .routes(read(routes!(conversations::messages), &[Conversations]))
        .routes(read(routes!(conversations::message), &[Conversations]))
        .routes(read(routes!(notifications::page), &[Notifications, Feed, Profiles]))
        .routes(read(routes!(counts::unread), &[Feed, Conversations, Notifications, Profiles]))
        .routes(read(routes!(posts::one), &[Feed, Profiles]))
        .routes(read(routes!(posts::replies), &[Feed, Profiles]))
        .routes(read(routes!(posts::ancestors), &[Feed, Profiles]))
        .routes(read(routes!(likes::of_post), &[Feed, Profiles]))
        .routes(read(routes!(users::profile), &[Feed, Profiles]))
        .routes(read(routes!(users::posts), &[Feed, Profiles]))
        .routes(read(routes!(users::followers), &[Feed, Profiles]))
        .routes(read(routes!(users::following), &[Feed, Profiles]))
        .routes(read(routes!(connections::page), &[Feed, Profiles]))
        .routes(read(routes!(connections::requests), &[Profiles]))
        .routes(read(routes!(audience_tags::page), &[Feed]))
        .routes(read(routes!(audience_tags::one), &[Feed]))
        .routes(read(routes!(audience_tags::members), &[Feed, Profiles]))
        .routes(read(routes!(audience_tags::of_user), &[Feed, Profiles]))
        .routes(read(routes!(mutes::page), &[Feed, Profiles]))
        .routes(read(routes!(blocks::page), &[Feed, Profiles]))
        .routes(read(routes!(relationships::read), &[Feed, Profiles]))
        .routes(read(routes!(stream::open), &[Feed, Conversations, Notifications, Profiles]))
        .routes(read(routes!(users::me), &[Feed, Profiles]))
        .routes(read(routes!(own_posts::page), &[Feed, Profiles]))
}

/// Every read is behind the gate: it needs a token, and a request with a position waits for the projections.
pub fn router(state: AppState) -> Router {
    let gate = |route: Route, projections| {
        let gate = Gate {
            verifier: state.verifier.clone(),
            progress: state.progress.clone(),
            secrets: state.secrets.clone(),
            projections,
        };
        route.layer(from_fn_with_state(gate, auth::admit))
    };
    let routes = Router::from(routes(gate)).with_state(state);
    routes.merge(docs::router())
}

/// The description of the routes.
pub fn description() -> OpenApi {
    let document = routes(|route, _| route).into_openapi();
    describe(document, &openapi::rules())
}
