//! `/v1/blocks`.

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
    views::{Block, BlockList},
};

/// List the accounts that the caller blocks
///
/// Latest first.
#[utoipa::path(
    get,
    path = "/v1/blocks",
    operation_id = "listBlocks",
    tag = "Accounts",
    params(PageQuery),
    responses((status = 200, body = BlockList)),
)]
pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let request = PageRequest::new(&state.cursors, "/v1/blocks", viewer, &page)?;
    let load = || async {
        let user = UserRef::Id(viewer);
        let (seek, rows) = (request.seek(), request.rows());
        let found = sql::account_lists::blocks(&state.database, viewer, &user, seek, rows).await?;
        let list = found.unwrap_or_else(|| AccountList::empty(viewer));
        let tags = [Tag::blocks(viewer), Tag::account_summary(viewer)];
        account_page(
            &request,
            list,
            tags,
            |key| key,
            |listed| Block {
                account: listed.account,
                blocked_at: listed.at,
            },
        )
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}
