use axum::{
    Json,
    extract::State,
    http::{HeaderName, header},
};
use feedmill_service::Problem;
use serde_json::Value;

use super::request::local;
use crate::app::App;

/// `GET /.well-known/jwks.json`: the public keys that verify this installation's tokens.
pub async fn list(
    State(app): State<App>,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), Problem> {
    let keys = local(&app)?.signer.jwks();
    Ok(([(header::CACHE_CONTROL, "public, max-age=300")], Json(keys)))
}
