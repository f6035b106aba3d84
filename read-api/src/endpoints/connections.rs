//! `/v1/users/{id or @handle}/connections` and `/v1/connections/requests`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Result,
    account_lists::account_page,
    users::{UserPath, continued, or_newcomer, parse, resolved},
};
use crate::{
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
        sort_key::OfAccount,
    },
    sql::{self, account_lists::AccountList},
    state::AppState,
    user_ref::UserRef,
    views::{Connection, ConnectionList, ConnectionRequest, ConnectionRequestList},
};

/// List the connections of an account
///
/// Latest first. For the account itself and for those that it is connected with.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/connections",
    operation_id = "listConnections",
    tag = "Connections",
    params(UserPath, PageQuery),
    responses((status = 200, body = ConnectionList)),
)]
pub async fn page(
    State(state): State<AppState>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let (viewer, user) = (context.viewer, parse(&user)?);
    let path = format!("/v1/users/{user}/connections");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (user, seek) = continued(&user, request.seek());
        let (database, rows) = (&state.database, request.rows());
        let found = sql::account_lists::connections(database, viewer, &user, seek, rows).await?;
        let list = or_newcomer(&context, &user, found, AccountList::empty)?;
        let account = list.owner;
        let tags = [Tag::connections(account), Tag::access(viewer)];
        let tags = tags.into_iter().chain(resolved(&user, account));
        account_page(
            &request,
            list,
            tags,
            |key| OfAccount { account, key },
            |listed| Connection {
                account: listed.account,
                connected_at: listed.at,
            },
        )
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// Which requests for a connection.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RequestQuery {
    /// `incoming`: those that the caller has received. `outgoing`: those that the caller has made.
    #[param(inline)]
    direction: Direction,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Direction {
    Incoming,
    Outgoing,
}

/// List requests for a connection
///
/// The unanswered ones, latest first, each with the other account.
#[utoipa::path(
    get,
    path = "/v1/connections/requests",
    operation_id = "listConnectionRequests",
    tag = "Connections",
    params(RequestQuery, PageQuery),
    responses((status = 200, body = ConnectionRequestList)),
)]
pub async fn requests(
    State(state): State<AppState>,
    Query(query): Query<RequestQuery>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let (name, tag) = match query.direction {
        Direction::Incoming => ("incoming", Tag::requests_received(viewer)),
        Direction::Outgoing => ("outgoing", Tag::requests_sent(viewer)),
    };
    let path = format!("/v1/connections/requests?direction={name}");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (database, user) = (&state.database, UserRef::Id(viewer));
        let (seek, rows) = (request.seek(), request.rows());
        let found = match query.direction {
            Direction::Incoming => {
                sql::account_lists::requests_received(database, viewer, &user, seek, rows).await
            }
            Direction::Outgoing => {
                sql::account_lists::requests_sent(database, viewer, &user, seek, rows).await
            }
        };
        let list = found?.unwrap_or_else(|| AccountList::empty(viewer));
        let tags = [tag, Tag::account_summary(viewer)];
        account_page(
            &request,
            list,
            tags,
            |key| key,
            |listed| ConnectionRequest {
                account: listed.account,
                requested_at: listed.at,
            },
        )
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}
