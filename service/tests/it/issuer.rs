//! Tokens with any claims, a key set that can change, and a server that tells the caller's account.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, extract::FromRef, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use feedmill_service::{Caller, Signer, Verifier, tokens::Trust};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use crate::support::{Server, short_limits, start};

pub const MINUTE: Duration = Duration::from_mins(1);
pub const ACCOUNT: Uuid = Uuid::from_u128(7);

#[expect(
    clippy::disallowed_methods,
    reason = "the verifier reads the real clock"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

pub fn signer(seed: u8) -> Signer {
    Signer::new([seed; 32], "feedmill", "feedmill").unwrap()
}

pub fn trust(external: bool) -> Trust {
    Trust {
        issuer: "feedmill".to_owned(),
        audience: "feedmill".to_owned(),
        external,
    }
}

/// A token with any algorithm and claims, signed with the key of `signer(seed)`.
pub fn token(seed: u8, alg: &str, claims: &Value) -> String {
    let kid = signer(seed).jwks()["keys"][0]["kid"].clone();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!(
        "{}.{}",
        part(&json!({"alg": alg, "kid": kid, "typ": "JWT"})),
        part(claims)
    );
    let der = [
        &b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..],
        &[seed; 32],
    ]
    .concat();
    let signature = match alg {
        "none" => String::new(),
        // The key confusion attack: the public key as HMAC secret.
        "HS256" => {
            let public = signer(seed).jwks()["keys"][0]["x"]
                .as_str()
                .unwrap()
                .to_owned();
            let secret = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(public).unwrap());
            jsonwebtoken::crypto::sign(message.as_bytes(), &secret, Algorithm::HS256).unwrap()
        }
        _ => {
            let key = EncodingKey::from_ed_der(&der);
            jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap()
        }
    };
    format!("{message}.{signature}")
}

pub fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = json!({
        "iss": "feedmill", "aud": "feedmill", "sub": ACCOUNT, "exp": now().timestamp() + 60,
    });
    change(&mut claims);
    claims
}

#[derive(Clone)]
struct State(Verifier);

impl FromRef<State> for Verifier {
    fn from_ref(state: &State) -> Self {
        state.0.clone()
    }
}

/// A server whose `GET /me` answers with the account of the caller.
pub async fn serve_me(verifier: Verifier) -> Server {
    let me = get(|Caller(identity): Caller| async move { identity.account.to_string() });
    start(
        Router::new().route("/me", me).with_state(State(verifier)),
        short_limits(),
    )
    .await
}

/// Serves a key set that can change; gives the key set and the number of fetches.
pub async fn keys(document: Value) -> (Server, Arc<Mutex<Value>>, Arc<AtomicUsize>) {
    let (document, fetched) = (
        Arc::new(Mutex::new(document)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (served, count) = (Arc::clone(&document), Arc::clone(&fetched));
    let handler = async move || {
        count.fetch_add(1, Ordering::SeqCst);
        Json(served.lock().unwrap().clone())
    };
    (
        start(Router::new().route("/jwks", get(handler)), short_limits()).await,
        document,
        fetched,
    )
}

pub async fn until(condition: impl Fn() -> bool) {
    for _ in 0..200 {
        if condition() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("the condition is still false after 4 s");
}
