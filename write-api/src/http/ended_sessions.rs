use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use feedmill_service::{Problem, http::etag};

use super::request::local;
use crate::{app::App, session::Document};

/// `GET /ended-sessions`, for operators: the sessions whose access tokens are refused although they have not expired. Services
/// that verify access tokens poll it.
pub async fn list(State(app): State<App>, request: HeaderMap) -> Result<Response, Problem> {
    let Document { body, etag: tag } = local(&app)?.sessions.ended().document();
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
