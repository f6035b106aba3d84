//! What all commands have in common, for the API description.

use feedmill_service::{
    openapi::{Operation, Rules, header, request_header},
    problem::codes,
};
use serde_json::{Value, json};
use utoipa::openapi::HttpMethod;

use crate::http::problem;

/// The quota that an operation counts for.
const QUOTA: &str = "x-quota";

/// Operations that are not in the log.
const SESSIONS: &str = "Sessions";

pub(crate) fn rules() -> Rules {
    Rules {
        codes: problem::ALL,
        components: components(),
        problem_headers: &[(problem::QUOTA_EXCEEDED, &["RateLimit", "RateLimit-Policy"])],
        complete,
    }
}

fn complete(operation: &mut Operation<'_>) {
    let is_session = operation.has_tag(SESSIONS);
    if operation.method == HttpMethod::Get {
        operation.success_headers(&["Cache-Control"]);
        return;
    }
    operation.parameter("IdempotencyKey");
    operation.success_headers(&["Idempotency-Replayed"]);
    // A command without a body with a schema reads one, too: it is part of the fingerprint of the key.
    operation.may_fail_with(&[
        codes::INCOMPLETE_BODY,
        codes::BODY_TOO_LARGE,
        codes::UNSUPPORTED_ENCODING,
        codes::INVALID_REQUEST,
        codes::DATABASE_UNAVAILABLE,
        problem::IDEMPOTENCY_KEY_REUSED,
    ]);
    if operation.needs_token() {
        operation.may_fail_with(&[problem::UNKNOWN_ACCOUNT]);
    }
    if is_session {
        operation.headers_of("201", &["Cache-Control"]);
    } else {
        operation.success_headers(&["Feedmill-Position"]);
        operation.headers_of("201", &["Location"]);
    }
    if let Some(quota) = operation.extension(QUOTA).and_then(Value::as_str) {
        let note = format!("Counts for the quota `{quota}`.");
        operation.note(&note);
        operation.may_fail_with(&[problem::QUOTA_EXCEEDED]);
        operation.success_headers(&["RateLimit", "RateLimit-Policy"]);
    }
}

fn components() -> Value {
    let key = json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"});
    json!({
        // What the signer makes with jsonwebtoken's types.
        "schemas": {
            "KeySet": {
                "type": "object",
                "description": "A JSON Web Key Set (RFC 7517).",
                "required": ["keys"],
                "properties": {"keys": {"type": "array", "items": {"$ref": "#/components/schemas/PublicKey"}}},
            },
            "PublicKey": {
                "type": "object",
                "description": "An Ed25519 key as a JSON Web Key (RFC 8037).",
                "required": ["kty", "crv", "x", "kid", "use", "alg"],
                "properties": {
                    "kty": {"type": "string", "enum": ["OKP"]},
                    "crv": {"type": "string", "enum": ["Ed25519"]},
                    "x": {"type": "string", "description": "The key in base64url."},
                    "kid": {"type": "string", "description": "Its thumbprint (RFC 7638), as in the header of a token."},
                    "use": {"type": "string", "enum": ["sig"]},
                    "alg": {"type": "string", "enum": ["EdDSA"]},
                },
            },
        },
        "parameters": {
            "IdempotencyKey": request_header(
                "Idempotency-Key",
                "The same account, key and request get the first answer again for 24 hours. Repeat a command whose outcome is \
                 unknown, after a 503 or a lost connection, with its key.",
                &key,
                "2f6d5a1e-7d0c-4b0e-9c53-5a8a4e1f3b77",
            ),
        },
        "headers": {
            "Feedmill-Position": header(
                "The position of the command in the log, for `Feedmill-Min-Position` of a read by the same account. Opaque.",
                "Q3RKGARgrFGWd9m5xcitogP2yI1DticMwUnxucSsw7_C",
            ),
            "Idempotency-Replayed": header("`true` if this repeats the first answer to the key.", "true"),
            "Location": header("The path of what was made.", "/v1/posts/019f6a00-3b9e-7c31-8a52-6f2d1c0b4e8a"),
            "RateLimit": header("What is left of the quota, and in how many seconds all of it is there again.", "\"posts\";r=499;t=8"),
            "RateLimit-Policy": header("The quota: how many in how many seconds.", "\"posts\";q=500;w=3600"),
        },
    })
}
