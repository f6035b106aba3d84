use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use feedmill_service::{Problem, http::etag, problem::codes};

use super::request::local;
use crate::{app::App, session::Document};

/// `GET /ended-sessions`, for operators: the sessions whose access tokens are refused although they have not expired. Services
/// that verify access tokens poll it.
pub async fn list(State(app): State<App>, request: HeaderMap) -> Result<Response, Problem> {
    let document = local(&app)?.sessions.ended().document();
    // An incomplete list would make read-api accept tokens of ended sessions.
    let Document { body, etag: tag } = document.ok_or_else(|| {
        Problem::temporary(
            codes::DATABASE_UNAVAILABLE,
            "the ended sessions were not read from the database yet",
        )
    })?;
    let is_known = etag::is_known(request.get_all(header::IF_NONE_MATCH), &tag);
    let headers = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let json = HeaderValue::from_static("application/json");
    Ok((headers, [(header::CONTENT_TYPE, json)], body).into_response())
}
