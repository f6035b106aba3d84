use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use feedmill_service::Problem;

use super::request::local;
use crate::{app::App, session::Document};

/// `GET /ended-sessions`, for operators: the sessions whose access tokens are refused although they have not expired. Services
/// that verify access tokens poll it.
pub async fn list(State(app): State<App>, request: HeaderMap) -> Result<Response, Problem> {
    let Document { body, etag } = local(&app)?.sessions.ended().document();
    let is_known = has(&request, &etag);
    let headers = [
        (header::ETAG, etag),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let json = HeaderValue::from_static("application/json");
    Ok((headers, [(header::CONTENT_TYPE, json)], body).into_response())
}

/// Whether `If-None-Match` names the document.
fn has(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let values = request.get_all(header::IF_NONE_MATCH).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}
