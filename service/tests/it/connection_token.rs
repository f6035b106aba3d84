//! A connection remembers its last verified token: no request may be decided by the token of another one.

use std::time::Duration;

use feedmill_service::{Health, Shutdown, Verifier};
use futures::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};
use uuid::Uuid;

use crate::{
    issuer::{ACCOUNT, MINUTE, claims, keys, now, serve_me, signer, token, trust, until},
    support::client,
};

const OTHER: Uuid = Uuid::from_u128(8);

/// `GET /me` on a connection that stays open. Gives the account, or the status of a refusal.
async fn me(stream: &mut TcpStream, token: Option<&str>) -> Result<Uuid, u16> {
    let header = token.map_or(String::new(), |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request = format!("GET /me HTTP/1.1\r\nHost: x\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        assert_ne!(count, 0, "the connection was closed after {response:?}");
        response.push_str(std::str::from_utf8(&part[..count]).unwrap());
        let Some((head, body)) = response.split_once("\r\n\r\n") else {
            continue;
        };
        let mut lines = head.lines();
        let status: u16 = lines.next().unwrap()[9..12].parse().unwrap();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == length.unwrap().parse::<usize>().unwrap() {
            return if status == 200 {
                Ok(body.parse().unwrap())
            } else {
                Err(status)
            };
        }
    }
}

fn token_of(account: Uuid) -> String {
    signer(1).sign(account, MINUTE, now()).unwrap()
}

#[tokio::test]
async fn an_expired_token_is_refused_on_a_live_connection() {
    let server = serve_me(Verifier::of(&signer(1))).await;
    let mut connection = server.connect().await;
    // Valid for the leeway less three seconds.
    let expiring = claims(|claims| claims["exp"] = json!(now().timestamp() - 3));
    let expiring = token(1, "EdDSA", &expiring);
    // Requests keep coming, so that the connection is never idle.
    for _ in 0..2 {
        assert_eq!(me(&mut connection, Some(&expiring)).await, Ok(ACCOUNT));
    }
    for _ in 0..20 {
        sleep(Duration::from_millis(200)).await;
        let _ = me(&mut connection, Some(&expiring)).await;
    }
    assert_eq!(me(&mut connection, Some(&expiring)).await, Err(401));
    assert_eq!(me(&mut connection, Some(&token_of(OTHER))).await, Ok(OTHER));
}

#[tokio::test]
async fn every_token_on_a_connection_is_verified() {
    let server = serve_me(Verifier::of(&signer(1))).await;
    let mut connection = server.connect().await;
    let (first, second) = (token_of(ACCOUNT), token_of(OTHER));
    let foreign = signer(2).sign(ACCOUNT, MINUTE, now()).unwrap();
    let longer = format!("{first}x");
    let shorter = &first[..first.len() - 1];
    for _ in 0..2 {
        assert_eq!(me(&mut connection, Some(&first)).await, Ok(ACCOUNT));
        for refused in [
            None,
            Some(&foreign[..]),
            Some(&longer),
            Some(shorter),
            Some("x"),
        ] {
            assert_eq!(me(&mut connection, refused).await, Err(401), "{refused:?}");
        }
        assert_eq!(me(&mut connection, Some(&second)).await, Ok(OTHER));
    }
}

#[tokio::test]
async fn a_connection_does_not_authenticate_the_caller_of_another() {
    let server = serve_me(Verifier::of(&signer(1))).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    let (token, other) = (token_of(ACCOUNT), token_of(OTHER));
    assert_eq!(me(&mut first, Some(&token)).await, Ok(ACCOUNT));
    assert_eq!(me(&mut second, None).await, Err(401));
    assert_eq!(me(&mut second, Some("x")).await, Err(401));
    for _ in 0..2 {
        assert_eq!(me(&mut second, Some(&other)).await, Ok(OTHER));
        assert_eq!(me(&mut first, Some(&token)).await, Ok(ACCOUNT));
    }
}

#[tokio::test]
async fn a_removed_key_invalidates_its_tokens_on_live_connections() {
    let (key_server, document, _) = keys(signer(1).jwks()).await;
    let (health, shutdown) = (Health::new(), Shutdown::new());
    let url = key_server.url("/jwks");
    let verifier = Verifier::from_jwks(&url, trust(false), &health, &shutdown).unwrap();
    until(|| health.is_ready()).await;
    let server = serve_me(verifier).await;
    let mut connection = server.connect().await;
    let token = token_of(ACCOUNT);
    for _ in 0..2 {
        assert_eq!(me(&mut connection, Some(&token)).await, Ok(ACCOUNT));
    }
    *document.lock().unwrap() = signer(2).jwks();
    let new = signer(2).sign(OTHER, MINUTE, now()).unwrap();
    assert_eq!(me(&mut server.connect().await, Some(&new)).await, Ok(OTHER));
    assert_eq!(me(&mut connection, Some(&token)).await, Err(401));
    assert_eq!(me(&mut connection, Some(&new)).await, Ok(OTHER));
    shutdown.now();
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_of_an_http_2_connection_have_their_own_callers() {
    let server = serve_me(Verifier::of(&signer(1))).await;
    let _ = client();
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let accounts: Vec<Uuid> = (1..=8).map(Uuid::from_u128).collect();
    let tokens: Vec<String> = accounts.iter().map(|account| token_of(*account)).collect();
    for _ in 0..20 {
        let requests = accounts.iter().zip(&tokens).map(async |(account, token)| {
            let response = client.get(server.url("/me")).bearer_auth(token).send();
            let body = response.await.unwrap().text().await.unwrap();
            assert_eq!(body, account.to_string());
        });
        join_all(requests).await;
    }
}
