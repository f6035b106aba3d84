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
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey};
use feedmill_service::{Caller, HttpArgs, Signer, Verifier, tokens::Trust};
use feedmill_tests::{kit::wait_until, token::now};
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto::sign};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Server, start};

pub const ACCOUNT: Uuid = Uuid::from_u128(7);

pub fn signer(seed: u8) -> Signer {
    Signer::new([seed; 32], "feedmill", "feedmill").unwrap()
}

/// A valid token, signed by `signer(seed)`.
pub fn token_of(seed: u8, account: Uuid) -> String {
    let minute = Duration::from_mins(1);
    signer(seed).sign(account, minute, now()).unwrap()
}

/// Valid claims, changed.
pub fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = json!({
        "iss": "feedmill", "aud": "feedmill", "sub": ACCOUNT, "exp": now().timestamp() + 60,
    });
    change(&mut claims);
    claims
}

/// A token with any claims, signed with the key of `signer(seed)`.
pub fn token(seed: u8, claims: &Value) -> String {
    token_with(seed, |_| (), claims)
}

/// The same with a changed header.
pub fn token_with(seed: u8, change: impl FnOnce(&mut Value), claims: &Value) -> String {
    let kid = &signer(seed).jwks()["keys"][0]["kid"];
    let mut header = json!({"alg": "EdDSA", "kid": kid, "typ": "JWT"});
    change(&mut header);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let key = SigningKey::from_bytes(&[seed; 32]).to_pkcs8_der().unwrap();
    let key = EncodingKey::from_ed_der(key.as_bytes());
    let signature = sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}

/// A token with any algorithm, key and claims.
pub fn encode(algorithm: Algorithm, kid: &str, key: &EncodingKey, claims: &Value) -> String {
    let header = Header {
        kid: Some(kid.to_owned()),
        ..Header::new(algorithm)
    };
    jsonwebtoken::encode(&header, claims, key).unwrap()
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
    let app = Router::new().route("/me", me).with_state(State(verifier));
    start(app, HttpArgs::default()).await
}

/// A verifier with the keys of a server, which can change.
pub struct Keys {
    pub verifier: Verifier,
    server: Server,
    document: Arc<Mutex<Value>>,
    fetches: Arc<AtomicUsize>,
}

impl Keys {
    /// The verifier fetches the keys in the background.
    pub async fn serve(document: Value, external: bool) -> Self {
        let document = Arc::new(Mutex::new(document));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (served, count) = (Arc::clone(&document), Arc::clone(&fetches));
        let handler = async move || {
            count.fetch_add(1, Ordering::SeqCst);
            Json(served.lock().unwrap().clone())
        };
        let app = Router::new().route("/jwks", get(handler));
        let server = start(app, HttpArgs::default()).await;
        let trust = Trust {
            issuer: "feedmill".to_owned(),
            audience: "feedmill".to_owned(),
            external,
        };
        let (health, shutdown) = (&server.health, &server.shutdown);
        let verifier = Verifier::from_jwks(&server.url("/jwks"), trust, health, shutdown);
        Self {
            verifier: verifier.unwrap(),
            server,
            document,
            fetches,
        }
    }

    pub fn replace(&self, document: Value) {
        *self.document.lock().unwrap() = document;
    }

    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    pub fn are_fetched(&self) -> bool {
        self.server.health.is_ready()
    }

    pub async fn wait(&self) {
        wait_until("the keys are fetched", async || self.are_fetched()).await;
    }
}
