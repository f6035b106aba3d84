use std::{sync::atomic::Ordering, time::Duration};

use chrono::TimeDelta;
use feedmill_service::{Health, Shutdown, Signer, TokenError, Verifier, tokens::external_account};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    issuer::{ACCOUNT, MINUTE, claims, keys, now, serve_me, signer, token, trust, until},
    support::{client, problem},
};

#[tokio::test]
async fn only_a_valid_token_is_accepted() {
    let verifier = Verifier::of(&signer(1));
    let good = signer(1).sign(ACCOUNT, MINUTE, now()).unwrap();
    let identity = verifier.verify(&good).await.unwrap();
    assert_eq!((identity.account, identity.external), (ACCOUNT, false));

    let set = |name: &'static str, value: Value| move |claims: &mut Value| claims[name] = value;
    let remove = |name: &'static str| {
        move |claims: &mut Value| {
            claims.as_object_mut().unwrap().remove(name);
        }
    };
    let past = now().timestamp() - 6;
    let future = now().timestamp() + 30;
    let altered = {
        let (head, signature) = good.rsplit_once('.').unwrap();
        let other = signer(1).sign(Uuid::nil(), MINUTE, now()).unwrap();
        assert_ne!(other.rsplit_once('.').unwrap().0, head);
        format!("{}.{signature}", other.rsplit_once('.').unwrap().0)
    };
    let cases = [
        (
            token(1, "EdDSA", &claims(set("exp", json!(past)))),
            TokenError::Expired,
        ),
        (token(1, "EdDSA", &claims(remove("exp"))), TokenError::Claim),
        (
            token(1, "EdDSA", &claims(set("exp", json!("soon")))),
            TokenError::Claim,
        ),
        (
            token(1, "EdDSA", &claims(set("nbf", json!(future)))),
            TokenError::NotYet,
        ),
        (
            token(1, "EdDSA", &claims(set("iss", json!("other")))),
            TokenError::Issuer,
        ),
        (token(1, "EdDSA", &claims(remove("iss"))), TokenError::Claim),
        (
            token(1, "EdDSA", &claims(set("aud", json!("other")))),
            TokenError::Audience,
        ),
        (token(1, "EdDSA", &claims(remove("aud"))), TokenError::Claim),
        (token(1, "EdDSA", &claims(remove("sub"))), TokenError::Claim),
        (
            token(1, "EdDSA", &claims(set("sub", json!("u1")))),
            TokenError::Subject,
        ),
        (token(1, "none", &claims(|_| ())), TokenError::Algorithm),
        (token(1, "HS256", &claims(|_| ())), TokenError::Algorithm),
        (token(2, "EdDSA", &claims(|_| ())), TokenError::UnknownKey),
        (altered, TokenError::Signature),
        (String::new(), TokenError::Malformed),
        ("garbage".to_owned(), TokenError::Malformed),
        ("a.b.c".to_owned(), TokenError::Malformed),
        (format!("{good}."), TokenError::Malformed),
        ("x".repeat(20_000), TokenError::Malformed),
    ];
    for (token, expected) in cases {
        assert_eq!(
            verifier.verify(&token).await.unwrap_err(),
            expected,
            "{token}"
        );
    }
    assert!(
        verifier
            .verify(&token(1, "EdDSA", &claims(|_| ())))
            .await
            .is_ok()
    );
    let within_leeway = claims(set("exp", json!(now().timestamp() - 2)));
    assert!(
        verifier
            .verify(&token(1, "EdDSA", &within_leeway))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_cached_token_is_refused_after_its_expiry() {
    let verifier = Verifier::of(&signer(1));
    // Valid for the leeway less three seconds.
    let claims = claims(|claims| claims["exp"] = json!(now().timestamp() - 3));
    let token = token(1, "EdDSA", &claims);
    for _ in 0..2 {
        assert_eq!(verifier.verify(&token).await.unwrap().account, ACCOUNT);
    }
    sleep(Duration::from_secs(4)).await;
    assert_eq!(
        verifier.verify(&token).await.unwrap_err(),
        TokenError::Expired
    );
}

#[tokio::test]
async fn a_request_without_a_valid_token_is_401() {
    let verifier = Verifier::of(&signer(1));
    let server = serve_me(verifier).await;
    let good = signer(1).sign(ACCOUNT, MINUTE, now()).unwrap();
    let expired = signer(1)
        .sign(ACCOUNT, MINUTE, now() - TimeDelta::minutes(2))
        .unwrap();
    let refused = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(good.clone()),
        Some(format!("Basic {good}")),
        Some(format!("Bearer {expired}")),
        Some("Bearer \u{e9}".to_owned()),
    ];
    for header in refused {
        let mut request = client().get(server.url("/me"));
        if let Some(header) = &header {
            request = request.header("authorization", header);
        }
        let response = request.send().await.unwrap();
        assert_eq!(
            response.headers()["www-authenticate"],
            "Bearer",
            "{header:?}"
        );
        problem(response, 401, "unauthorized").await;
    }
    let twice = client()
        .get(server.url("/me"))
        .bearer_auth(&good)
        .bearer_auth(&good);
    problem(twice.send().await.unwrap(), 401, "unauthorized").await;
    let response = client()
        .get(server.url("/me"))
        .bearer_auth(&good)
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), ACCOUNT.to_string());
}

#[tokio::test]
async fn an_unknown_key_causes_a_fetch() {
    let (server, document, fetched) = keys(signer(1).jwks()).await;
    let (health, shutdown) = (Health::new(), Shutdown::new());
    let verifier =
        Verifier::from_jwks(&server.url("/jwks"), trust(false), &health, &shutdown).unwrap();
    until(|| health.is_ready()).await;
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
    let cached = signer(1).sign(ACCOUNT, MINUTE, now()).unwrap();
    for _ in 0..2 {
        assert!(verifier.verify(&cached).await.is_ok());
    }

    *document.lock().unwrap() = signer(2).jwks();
    let new = signer(2).sign(ACCOUNT, MINUTE, now()).unwrap();
    let both = tokio::join!(verifier.verify(&new), verifier.verify(&new));
    assert!(both.0.is_ok() && both.1.is_ok());
    assert_eq!(fetched.load(Ordering::SeqCst), 2);

    let old = signer(1).sign(ACCOUNT, MINUTE, now()).unwrap();
    for token in [old, cached, signer(3).sign(ACCOUNT, MINUTE, now()).unwrap()] {
        assert_eq!(
            verifier.verify(&token).await.unwrap_err(),
            TokenError::UnknownKey
        );
    }
    assert_eq!(
        fetched.load(Ordering::SeqCst),
        2,
        "unknown keys cause at most one fetch in 10 s"
    );
    shutdown.now();
}

#[tokio::test]
async fn without_keys_the_service_is_not_ready_and_retries() {
    let (server, document, _) = keys(json!({"keys": []})).await;
    let (health, shutdown) = (Health::new(), Shutdown::new());
    let verifier =
        Verifier::from_jwks(&server.url("/jwks"), trust(false), &health, &shutdown).unwrap();
    assert!(!health.is_ready());
    let token = signer(1).sign(ACCOUNT, MINUTE, now()).unwrap();
    assert_eq!(
        verifier.verify(&token).await.unwrap_err(),
        TokenError::NoKeys
    );
    *document.lock().unwrap() = json!({ "keys": [], "padding": "x".repeat(300_000) });
    sleep(Duration::from_millis(600)).await;
    assert!(!health.is_ready());
    *document.lock().unwrap() = signer(1).jwks();
    until(|| health.is_ready()).await;
    assert_eq!(verifier.verify(&token).await.unwrap().account, ACCOUNT);
    shutdown.now();
}

/// A P-256 key for these tests.
const EC_KEY: &str = include_str!("p256.pem");

#[tokio::test]
async fn an_external_subject_maps_to_an_account() {
    let key = EncodingKey::from_ec_pem(EC_KEY.as_bytes()).unwrap();
    let mut jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    jwk.common.key_id = Some("ec".to_owned());
    let mut weak = serde_json::to_value(&jwk).unwrap();
    weak["kid"] = json!("weak");
    weak["alg"] = json!("HS256");
    let (server, ..) = keys(json!({ "keys": [jwk, weak] })).await;
    let (health, shutdown) = (Health::new(), Shutdown::new());
    let verifier =
        Verifier::from_jwks(&server.url("/jwks"), trust(true), &health, &shutdown).unwrap();
    until(|| health.is_ready()).await;

    let sign = |alg, kid: &str, key: &EncodingKey, claims: &Value| {
        let header = Header {
            kid: Some(kid.to_owned()),
            ..Header::new(alg)
        };
        jsonwebtoken::encode(&header, claims, key).unwrap()
    };
    let mut fit = claims(|claims| claims["sub"] = json!("auth0|5"));
    fit["preferred_username"] = json!("ann");
    fit["aud"] = json!(["other", "feedmill"]);
    let identity = verifier
        .verify(&sign(Algorithm::ES256, "ec", &key, &fit))
        .await
        .unwrap();
    assert_eq!(identity.account, external_account("feedmill", "auth0|5"));
    assert_eq!(
        (identity.external, identity.handle_hint.as_deref()),
        (true, Some("ann"))
    );

    let shared = EncodingKey::from_secret(b"shared");
    for kid in ["ec", "weak"] {
        let token = sign(Algorithm::HS256, kid, &shared, &fit);
        assert_eq!(
            verifier.verify(&token).await.unwrap_err(),
            TokenError::Algorithm
        );
    }
    let weak = sign(Algorithm::ES256, "weak", &key, &fit);
    assert_eq!(
        verifier.verify(&weak).await.unwrap_err(),
        TokenError::UnknownKey
    );
    shutdown.now();
}

#[test]
fn a_key_file_is_created_once_and_readable_only_by_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("feedmill-key-{}", std::process::id()));
    let file = folder.join("sub/auth.pem");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let file = file.clone();
            std::thread::spawn(move || {
                Signer::load_or_create(&file, "feedmill", "feedmill")
                    .unwrap()
                    .jwks()
            })
        })
        .collect();
    let keys: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    std::fs::write(&file, "no key").unwrap();
    assert!(Signer::load_or_create(&file, "feedmill", "feedmill").is_err());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn derived_secrets_differ_by_label_and_key() {
    let secret = |seed, label| signer(seed).derived_secret(label);
    assert_eq!(secret(1, "a"), secret(1, "a"));
    assert_ne!(secret(1, "a"), secret(1, "b"));
    assert_ne!(secret(1, "a"), secret(2, "a"));
}
