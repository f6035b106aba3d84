use axum::{
    Json,
    extract::State,
    http::{HeaderName, header},
};
use feedmill_service::Problem;
use serde_json::Value;

use super::request::local;
use crate::app::App;

/// Get the public keys
///
/// They verify the access tokens of this installation.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "getKeys",
    tag = "Sessions",
    responses((status = 200, body = ref("#/components/schemas/KeySet"))),
    security(()),
    extensions(("x-problems" = json!(["external_identity"]))),
)]
pub async fn list(
    State(app): State<App>,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), Problem> {
    let keys = local(&app)?.signer.jwks();
    Ok(([(header::CACHE_CONTROL, "public, max-age=300")], Json(keys)))
}
