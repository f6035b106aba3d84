//! `/v1/mutes`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::Query;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Result,
    connections::{items, names},
};
use crate::{
    cache::answer::Answer,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
    },
    sql::{self, users::ListedAccounts},
    state::AppState,
    user_ref::UserRef,
    views::{Mute, MutePage},
};

/// A page of muted accounts, and how many there are.
#[derive(Debug, Serialize, ToSchema)]
struct MuteList {
    #[serde(flatten)]
    page: MutePage,
    /// How many accounts there are on all pages.
    #[schema(minimum = 0)]
    total: i64,
}

/// List the accounts that the caller mutes
///
/// Latest first.
#[utoipa::path(
    get,
    path = "/v1/mutes",
    operation_id = "listMutes",
    tag = "Accounts",
    params(PageQuery),
    responses((status = 200, body = MuteList)),
)]
pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let request = PageRequest::new(&state.cursors, "/v1/mutes", viewer, &page)?;
    let load = || async {
        let user = UserRef::Id(viewer);
        let found = sql::users::mutes(&state.database, &user, request.seek(), request.rows());
        let found = found.await?;
        let list = found.unwrap_or_else(|| ListedAccounts::empty(viewer));
        let mut tags = vec![Tag::mutes(viewer), Tag::account_summary(viewer)];
        tags.extend(names(&list));
        let listed = items(list.listed, |account, muted_at| Mute { account, muted_at });
        let (page, link) = request.page(listed, |mute| (mute.muted_at, mute.account.id));
        let total = list.total;
        Answer::page(&MuteList { page, total }, link, tags)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}
