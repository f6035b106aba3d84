//! `/v1/mutes`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::Query;

use super::{Result, account_lists::account_page};
use crate::{
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
    },
    sql::{self, account_lists::AccountList},
    state::AppState,
    user_ref::UserRef,
    views::{Mute, MuteList},
};

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
        let (seek, rows) = (request.seek(), request.rows());
        let found = sql::account_lists::mutes(&state.database, viewer, &user, seek, rows).await?;
        let list = found.unwrap_or_else(|| AccountList::empty(viewer));
        let tags = [Tag::mutes(viewer), Tag::account_summary(viewer)];
        account_page(
            &request,
            list,
            tags,
            |key| key,
            |listed| Mute {
                account: listed.account,
                muted_at: listed.at,
            },
        )
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}
