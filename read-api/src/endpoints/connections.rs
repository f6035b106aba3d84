//! `/v1/users/{id or @handle}/connections` and `/v1/connections/requests`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Result,
    users::{UserPath, continued, or_newcomer, parse, resolved},
};
use crate::{
    cache::answer::Answer,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
        sort_key::OfAccount,
    },
    sql::{self, users::ListedAccounts},
    state::AppState,
    user_ref::UserRef,
    views::{AccountSummary, Connection, ConnectionPage, ConnectionRequest, ConnectionRequestPage},
};

/// A page of connections, and how many there are.
#[derive(Debug, Serialize, ToSchema)]
struct ConnectionList {
    #[serde(flatten)]
    page: ConnectionPage,
    /// How many connections there are on all pages.
    #[schema(minimum = 0)]
    total: i64,
}

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
        let found = sql::users::connections(&state.database, viewer, &user, seek, request.rows());
        let list = or_newcomer(&context, &user, found.await?, ListedAccounts::empty)?;
        let mut tags = vec![Tag::connections(list.user)];
        tags.extend(resolved(&user, list.user));
        tags.extend(names(&list));
        let key = |connection: &Connection| OfAccount {
            account: list.user,
            key: (connection.connected_at, connection.account.id),
        };
        let listed = items(list.listed, |account, connected_at| Connection {
            account,
            connected_at,
        });
        let (page, link) = request.page(listed, key);
        let total = list.total;
        Answer::page(&ConnectionList { page, total }, link, tags)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
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

/// A page of requests for a connection, and how many there are.
#[derive(Debug, Serialize, ToSchema)]
struct ConnectionRequestList {
    #[serde(flatten)]
    page: ConnectionRequestPage,
    /// How many requests there are on all pages.
    #[schema(minimum = 0)]
    total: i64,
}

/// List requests for a connection
///
/// Those that were not answered, latest first, each with the other account.
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
            Direction::Incoming => sql::users::requests_received(database, &user, seek, rows).await,
            Direction::Outgoing => sql::users::requests_sent(database, &user, seek, rows).await,
        };
        let list = found?.unwrap_or_else(|| ListedAccounts::empty(viewer));
        let mut tags = vec![tag, Tag::account_summary(viewer)];
        tags.extend(names(&list));
        let listed = items(list.listed, |account, requested_at| ConnectionRequest {
            account,
            requested_at,
        });
        let (page, link) =
            request.page(listed, |request| (request.requested_at, request.account.id));
        let total = list.total;
        Answer::page(&ConnectionRequestList { page, total }, link, tags)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}

/// The names of the listed accounts.
pub(super) fn names(list: &ListedAccounts) -> impl Iterator<Item = Tag> {
    let listed = list.listed.iter();
    listed.map(|item| Tag::account_summary(item.account.id))
}

/// The items of the page.
pub(super) fn items<T>(
    listed: Vec<sql::users::ListedAccount>,
    item: impl Fn(AccountSummary, DateTime<Utc>) -> T,
) -> Vec<T> {
    let listed = listed.into_iter();
    listed.map(|found| item(found.account, found.at)).collect()
}
