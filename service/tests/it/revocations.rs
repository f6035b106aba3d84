//! The tokens of ended sessions are refused, also those that are cached.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use feedmill_service::{
    Health, HttpArgs, TokenError, Verifier,
    tokens::revocations::{
        Revocations,
        list::{self, Ended, EndedSession},
        poll::EndedSessionPoll,
    },
};
use feedmill_tests::{kit::wait_until, token::now};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::{
    issuer::{ACCOUNT, Keys, claims, serve_me, signer, token, token_of},
    support::{Server, start},
};

const SESSION: Uuid = Uuid::from_u128(0x5e55);
const OTHER: Uuid = Uuid::from_u128(0x07e4);

fn token_in(session: Uuid, minutes: u64) -> String {
    let ttl = Duration::from_mins(minutes);
    let token = signer(1).sign_for_session(ACCOUNT, session, ttl, now());
    token.unwrap()
}

fn ended(session: Uuid) -> EndedSession {
    let until = u64::try_from(now().timestamp()).unwrap() + 60;
    EndedSession { session, until }
}

#[tokio::test]
async fn the_tokens_of_an_ended_session_are_refused_and_no_others() {
    let verifier = Verifier::of(&signer(1));
    let (cached, other) = (token_in(SESSION, 1), token_in(OTHER, 1));
    let without = token_of(1, ACCOUNT);
    let identity = verifier.verify(&cached).await.unwrap();
    assert_eq!(
        (identity.account, identity.session),
        (ACCOUNT, Some(SESSION))
    );
    verifier.revocations().add(&[ended(SESSION)]);

    for token in [&cached, &token_in(SESSION, 2)] {
        let refused = verifier.verify(token).await;
        assert_eq!(refused.unwrap_err(), TokenError::SessionEnded);
    }
    assert_eq!(verifier.verify(&other).await.unwrap().session, Some(OTHER));
    assert_eq!(verifier.verify(&without).await.unwrap().session, None);
    // The other one too, after it was found not to have ended.
    verifier.revocations().add(&[ended(OTHER)]);
    let refused = verifier.verify(&other).await;
    assert_eq!(refused.unwrap_err(), TokenError::SessionEnded);
}

#[tokio::test]
async fn a_live_connection_refuses_the_token_that_it_remembers() {
    let verifier = Verifier::of(&signer(1));
    let server = serve_me(verifier.clone()).await;
    // The client keeps its connection.
    let client = server.client.with_token(&token_in(SESSION, 1));
    for _ in 0..2 {
        client.get("/me").await.expect(200);
    }
    verifier.revocations().add(&[ended(SESSION)]);
    for _ in 0..2 {
        let refused = client.get("/me").await;
        let refused = refused.expect_problem(401, "session_ended");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test]
async fn a_malformed_session_is_refused() {
    let verifier = Verifier::of(&signer(1));
    for sid in [json!(7), json!("7"), json!([]), json!("")] {
        let token = token(1, &claims(|claims| claims["sid"] = sid.clone()));
        let refused = verifier.verify(&token).await;
        assert_eq!(refused.unwrap_err(), TokenError::Claim, "{sid}");
    }
    let null = token(1, &claims(|claims| claims["sid"] = json!(null)));
    assert!(verifier.verify(&null).await.is_ok());
}

/// OpenID Connect has a claim of the same name, whose values are the provider's.
#[tokio::test]
async fn the_sessions_of_an_identity_provider_are_its_own() {
    let keys = Keys::serve(signer(1).jwks(), true).await;
    keys.wait().await;
    let verifier = &keys.verifier;
    verifier.revocations().add(&[ended(SESSION)]);
    for sid in [json!(SESSION), json!("a session"), json!(7)] {
        let token = token(1, &claims(|claims| claims["sid"] = sid.clone()));
        let identity = verifier.verify(&token).await.unwrap();
        assert_eq!(identity.session, None, "{sid}");
    }
}

/// A write-api with this list, which counts how often it is asked and how often it sends the list.
#[derive(Clone, Default)]
struct Source {
    ended: Arc<Mutex<Ended>>,
    asked: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

impl Source {
    async fn serve(&self) -> Server {
        let source = self.clone();
        let list = async move |request: HeaderMap| {
            source.asked.fetch_add(1, Ordering::SeqCst);
            let body = list::encode(&source.ended.lock().unwrap());
            let etag = format!("\"{}\"", body.len());
            let known = request.get(header::IF_NONE_MATCH);
            if known.is_some_and(|tag| tag.as_bytes() == etag.as_bytes()) {
                return StatusCode::NOT_MODIFIED.into_response();
            }
            source.sent.fetch_add(1, Ordering::SeqCst);
            ([(header::ETAG, etag)], body).into_response()
        };
        let app = Router::new().route(list::PATH, get(list));
        start(app, HttpArgs::default()).await
    }
}

/// What `GET /health/ready` says of the list.
async fn health_part(health: &Health) -> String {
    let request = Request::get("/health/ready").body(Body::empty()).unwrap();
    let response = health.router().oneshot(request).await.unwrap();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let ready: Value = serde_json::from_slice(&body).unwrap();
    ready["parts"]["ended_sessions"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn the_list_is_polled_and_sent_only_after_a_change() {
    let source = Source::default();
    source.ended.lock().unwrap().sessions.push(ended(OTHER));
    let server = source.serve().await;
    let (revocations, health) = (Revocations::default(), Health::new());
    let poll = EndedSessionPoll::new(&server.url("/"), revocations.clone(), &health).unwrap();
    assert!(!health.is_ready(), "before the first answer");
    let poll = tokio::spawn(poll.run());
    wait_until("an answer", async || health.is_ready()).await;
    assert!(revocations.contains(OTHER));

    let asked = || source.asked.load(Ordering::SeqCst);
    let before = asked();
    wait_until("two polls", async || asked() > before + 1).await;
    assert_eq!(source.sent.load(Ordering::SeqCst), 1);
    source.ended.lock().unwrap().sessions.push(ended(SESSION));
    wait_until("the change", async || revocations.contains(SESSION)).await;
    poll.abort();
}

#[tokio::test]
async fn without_the_list_a_service_that_has_started_goes_on() {
    let source = Source::default();
    source.ended.lock().unwrap().sessions.push(ended(SESSION));
    let server = source.serve().await;
    let (revocations, health) = (Revocations::default(), Health::new());
    let url = server.url("");
    let poll = EndedSessionPoll::new(&url, revocations.clone(), &health).unwrap();
    let poll = tokio::spawn(poll.run());
    wait_until("an answer", async || health.is_ready()).await;
    drop(server);
    wait_until("a failed poll", async || {
        health_part(&health).await.starts_with("degraded: ")
    })
    .await;
    assert!(health.is_ready());
    assert!(revocations.contains(SESSION), "it is not forgotten");
    poll.abort();
}
