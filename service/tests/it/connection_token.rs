//! A connection remembers its last verified token: no request may be decided by the token of another one.

use feedmill_service::Verifier;
use feedmill_tests::{kit::wait_until, token::now};
use futures::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

use crate::{
    issuer::{ACCOUNT, Keys, claims, serve_me, signer, token, token_of},
    support::http_2,
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

#[tokio::test]
async fn an_expired_token_is_refused_although_it_is_cached() {
    let server = serve_me(Verifier::of(&signer(1))).await;
    let mut connection = server.connect().await;
    // Valid for the leeway less three seconds.
    let expiring = claims(|claims| claims["exp"] = json!(now().timestamp() - 3));
    let expiring = token(1, &expiring);
    for _ in 0..2 {
        assert_eq!(me(&mut connection, Some(&expiring)).await, Ok(ACCOUNT));
    }
    wait_until("the token is refused", async || {
        me(&mut connection, Some(&expiring)).await == Err(401)
    })
    .await;
    let other = token_of(1, OTHER);
    assert_eq!(me(&mut connection, Some(&other)).await, Ok(OTHER));
}

#[tokio::test]
async fn every_token_on_a_connection_is_verified() {
    let server = serve_me(Verifier::of(&signer(1))).await;
    let mut connection = server.connect().await;
    let (first, second) = (token_of(1, ACCOUNT), token_of(1, OTHER));
    let foreign = token_of(2, ACCOUNT);
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
    let (token, other) = (token_of(1, ACCOUNT), token_of(1, OTHER));
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
    let keys = Keys::serve(signer(1).jwks(), false).await;
    keys.wait().await;
    let server = serve_me(keys.verifier.clone()).await;
    let mut connection = server.connect().await;
    let token = token_of(1, ACCOUNT);
    for _ in 0..2 {
        assert_eq!(me(&mut connection, Some(&token)).await, Ok(ACCOUNT));
    }
    keys.replace(signer(2).jwks());
    let new = token_of(2, OTHER);
    assert_eq!(me(&mut server.connect().await, Some(&new)).await, Ok(OTHER));
    assert_eq!(me(&mut connection, Some(&token)).await, Err(401));
    assert_eq!(me(&mut connection, Some(&new)).await, Ok(OTHER));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_of_an_http_2_connection_have_their_own_callers() {
    let server = serve_me(Verifier::of(&signer(1))).await;
    let client = http_2();
    let callers = (1..=8).map(Uuid::from_u128);
    let callers: Vec<_> = callers.map(|id| (id, token_of(1, id))).collect();
    for _ in 0..20 {
        let requests = callers.iter().map(async |(account, token)| {
            let response = client.get(server.url("/me")).bearer_auth(token).send();
            let body = response.await.unwrap().text().await.unwrap();
            assert_eq!(body, account.to_string());
        });
        join_all(requests).await;
    }
}
