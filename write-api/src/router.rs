//! All routes of write-api.

use axum::{Extension, Router, routing::get};
use feedmill_service::{
    extract::RouteBodyLimit, http::docs, openapi::describe, tokens::revocations::list,
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::{
    app::App,
    http::{
        accounts, audience, blocks, connections, conversations, ended_sessions, keys, links, marks,
        me, members, messages, password, posts, sessions, tags,
    },
    openapi,
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

fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(keys::list))
        .routes(routes!(accounts::create))
        .routes(routes!(
            sessions::create,
            sessions::list,
            sessions::end_others
        ))
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::end_current))
        .routes(routes!(sessions::end))
        .routes(routes!(me::change))
        .routes(routes!(password::change))
        .routes(text(routes!(posts::create)))
        .routes(text(routes!(posts::edit)))
        .routes(routes!(posts::remove))
        .routes(routes!(audience::set))
        .routes(routes!(links::like, links::unlike))
        .routes(routes!(links::bookmark, links::remove_bookmark))
        .routes(routes!(links::follow, links::unfollow))
        .routes(routes!(links::mute, links::unmute))
        .routes(routes!(blocks::block, blocks::unblock))
        .routes(routes!(connections::request, connections::end))
        .routes(routes!(tags::create))
        .routes(routes!(tags::rename, tags::remove))
        .routes(routes!(tags::add_member, tags::remove_member))
        .routes(routes!(marks::feed_read))
        .routes(routes!(conversations::create))
        .routes(routes!(conversations::rename))
        .routes(routes!(conversations::mute, conversations::unmute))
        .routes(routes!(members::add, members::remove))
        .routes(text(routes!(messages::create)))
        .routes(routes!(messages::remove))
        .routes(routes!(messages::mark_read))
        .routes(routes!(marks::notifications_read))
        // For the routes that have no other limit.
        .layer(Extension(RouteBodyLimit(BODY_LIMIT)))
}

/// A route whose body has a text.
fn text(route: UtoipaMethodRouter<App>) -> UtoipaMethodRouter<App> {
    route.layer(Extension(RouteBodyLimit(TEXT_BODY_LIMIT)))
}

/// The routes for clients.
pub fn router(app: App) -> Router {
    Router::from(routes()).with_state(app).merge(docs::router())
}

/// The description of the routes for clients.
pub fn description() -> OpenApi {
    describe(routes().into_openapi(), &openapi::rules())
}
