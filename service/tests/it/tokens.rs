use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use feedmill_service::{Signer, TokenError, Verifier, tokens::external_account};
use feedmill_tests::{
    kit::{TempFolder, wait_until},
    token::now,
};
use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::issuer::{ACCOUNT, Keys, claims, encode, serve_me, signer, token, token_of, token_with};

#[tokio::test]
async fn only_valid_claims_are_accepted() {
    let verifier = Verifier::of(&signer(1));
    let second = now().timestamp();
    let within_leeway = claims(|claims| claims["exp"] = json!(second - 2));
    for valid in [claims(|_| ()), within_leeway] {
        let identity = verifier.verify(&token(1, &valid)).await.unwrap();
        assert_eq!((identity.account, identity.external), (ACCOUNT, false));
    }
    let cases = [
        ("exp", Some(json!(second - 6)), TokenError::Expired),
        ("exp", Some(json!("soon")), TokenError::Claim),
        ("exp", None, TokenError::Claim),
        ("nbf", Some(json!(second + 30)), TokenError::NotYet),
        ("iss", Some(json!("other")), TokenError::Issuer),
        ("iss", None, TokenError::Claim),
        ("aud", Some(json!("other")), TokenError::Audience),
        ("aud", None, TokenError::Claim),
        ("sub", Some(json!("u1")), TokenError::Subject),
        ("sub", None, TokenError::Claim),
    ];
    for (name, value, expected) in cases {
        let changed = claims(|claims| match &value {
            Some(value) => claims[name] = value.clone(),
            None => drop(claims.as_object_mut().unwrap().remove(name)),
        });
        let refused = verifier.verify(&token(1, &changed)).await;
        assert_eq!(refused.unwrap_err(), expected, "{name}: {value:?}");
    }
}

#[tokio::test]
async fn only_a_token_that_a_known_key_signed_is_accepted() {
    let verifier = Verifier::of(&signer(1));
    let (good, other) = (token_of(1, ACCOUNT), token_of(1, Uuid::nil()));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (_, payload) = signed.split_once('.').unwrap();
    let (foreign, _) = other.rsplit_once('.').unwrap();
    assert_ne!(signed, foreign);
    let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    // The key confusion attack: the public key as HMAC secret.
    let jwk = signer(1).jwks()["keys"][0].clone();
    let public = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap());
    let public = EncodingKey::from_secret(&public.unwrap());
    let kid = jwk["kid"].as_str().unwrap();
    let confused = encode(Algorithm::HS256, kid, &public, &claims(|_| ()));
    let cases = [
        (format!("{unsigned}.{payload}."), TokenError::Algorithm),
        (confused, TokenError::Algorithm),
        (token_of(2, ACCOUNT), TokenError::UnknownKey),
        (format!("{foreign}.{signature}"), TokenError::Signature),
        (String::new(), TokenError::Malformed),
        ("garbage".to_owned(), TokenError::Malformed),
        ("a.b.c".to_owned(), TokenError::Malformed),
        (format!("{good}."), TokenError::Malformed),
        ("x".repeat(20_000), TokenError::Malformed),
    ];
    for (token, expected) in cases {
        let refused = verifier.verify(&token).await;
        assert_eq!(refused.unwrap_err(), expected, "{token}");
    }
}

#[tokio::test]
async fn a_token_with_critical_header_parameters_is_refused() {
    let verifier = Verifier::of(&signer(1));
    let with = |name: &str, value: &Value| {
        let change = |header: &mut Value| header[name] = value.clone();
        token_with(1, change, &claims(|_| ()))
    };
    for critical in [json!(["exp"]), json!(["b64"]), json!([]), json!(null)] {
        let refused = verifier.verify(&with("crit", &critical)).await;
        assert_eq!(refused.unwrap_err(), TokenError::Critical, "{critical}");
    }
    // Another parameter that is not known is ignored.
    let other = with("made_up", &json!(1));
    assert!(verifier.verify(&other).await.is_ok());
}

#[tokio::test]
async fn a_request_without_a_valid_token_is_401() {
    let server = serve_me(Verifier::of(&signer(1))).await;
    let (client, good) = (&server.client, token_of(1, ACCOUNT));
    let (minute, before) = (Duration::from_mins(1), now() - TimeDelta::minutes(2));
    let expired = signer(1).sign(ACCOUNT, minute, before).unwrap();
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
        let mut request = client.request(Method::GET, "/me");
        if let Some(header) = &header {
            request = request.header("authorization", header);
        }
        let answer = client.send(request).await;
        let answer = answer.expect_problem(401, "unauthorized");
        let scheme = answer.header("www-authenticate");
        assert_eq!(scheme, Some("Bearer"), "{header:?}");
    }
    let request = client.request(Method::GET, "/me");
    let twice = request.bearer_auth(&good).bearer_auth(&good);
    let answer = client.send(twice).await;
    answer.expect_problem(401, "unauthorized");
    let answer = client.with_token(&good).get("/me").await;
    assert_eq!(answer.body, ACCOUNT.to_string());
}

#[tokio::test]
async fn an_unknown_key_causes_a_fetch() {
    let keys = Keys::serve(signer(1).jwks(), false).await;
    keys.wait().await;
    assert_eq!(keys.fetches(), 1);
    let cached = token_of(1, ACCOUNT);
    for _ in 0..2 {
        assert!(keys.verifier.verify(&cached).await.is_ok());
    }

    keys.replace(signer(2).jwks());
    let new = token_of(2, ACCOUNT);
    let both = tokio::join!(keys.verifier.verify(&new), keys.verifier.verify(&new));
    assert!(both.0.is_ok() && both.1.is_ok());
    assert_eq!(keys.fetches(), 2);

    for token in [cached, token_of(1, Uuid::nil()), token_of(3, ACCOUNT)] {
        let refused = keys.verifier.verify(&token).await;
        assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
    }
    assert_eq!(
        keys.fetches(),
        2,
        "unknown keys cause at most one fetch in 10 s"
    );
}

#[tokio::test]
async fn without_keys_the_service_is_not_ready_and_retries() {
    let mut large = signer(1).jwks();
    large["padding"] = json!("x".repeat(300_000));
    let keys = Keys::serve(large, false).await;
    let token = token_of(1, ACCOUNT);
    let refused = keys.verifier.verify(&token).await;
    assert_eq!(refused.unwrap_err(), TokenError::NoKeys);
    assert!(!keys.are_fetched());
    keys.replace(json!({"keys": []}));
    let before = keys.fetches();
    wait_until("two retries", async || keys.fetches() > before + 1).await;
    assert!(!keys.are_fetched());
    keys.replace(signer(1).jwks());
    keys.wait().await;
    assert_eq!(keys.verifier.verify(&token).await.unwrap().account, ACCOUNT);
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
    let keys = Keys::serve(json!({ "keys": [jwk, weak] }), true).await;
    keys.wait().await;

    let fit = claims(|claims| {
        claims["sub"] = json!("auth0|5");
        claims["preferred_username"] = json!("ann");
        claims["aud"] = json!(["other", "feedmill"]);
    });
    let token = encode(Algorithm::ES256, "ec", &key, &fit);
    let identity = keys.verifier.verify(&token).await.unwrap();
    assert_eq!(identity.account, external_account("feedmill", "auth0|5"));
    assert!(identity.external);
    assert_eq!(identity.handle_hint.as_deref(), Some("ann"));

    let shared = EncodingKey::from_secret(b"shared");
    let refused = [
        (Algorithm::HS256, "ec", &shared, TokenError::Algorithm),
        (Algorithm::HS256, "weak", &shared, TokenError::Algorithm),
        (Algorithm::ES256, "weak", &key, TokenError::UnknownKey),
    ];
    for (algorithm, kid, key, expected) in refused {
        let token = encode(algorithm, kid, key, &fit);
        let refused = keys.verifier.verify(&token).await;
        assert_eq!(refused.unwrap_err(), expected, "{algorithm:?} with {kid}");
    }
}

#[test]
fn a_key_file_is_created_once_and_readable_only_by_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempFolder::new();
    let file = folder.path().join("sub/auth.pem");
    let load = || Signer::load_or_create(&file, "feedmill", "feedmill");
    let keys = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
        let keys = threads.into_iter().map(|thread| thread.join().unwrap());
        keys.map(|key| key.unwrap().jwks()).collect::<Vec<_>>()
    });
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(&file, "no key").unwrap();
    assert!(load().is_err());
}

#[test]
fn derived_secrets_differ_by_label_and_key() {
    let secret = |seed, label| signer(seed).derived_secret(label);
    assert_eq!(secret(1, "a"), secret(1, "a"));
    assert_ne!(secret(1, "a"), secret(1, "b"));
    assert_ne!(secret(1, "a"), secret(2, "a"));
}
