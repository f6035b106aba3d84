//! Limits on wrong passwords, and who is not kept out by them; sign-ins beside a flood of others.

use std::time::{Duration, Instant};

use feedmill_tests::client::{Answer, PASSWORD};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Api;

const BEHIND_PROXY: [&str; 2] = ["--trusted-proxies", "127.0.0.0/8"];

const WRONG: &str = "a wrong password";

/// A request of a client with this address, as a proxy forwards it.
async fn send(api: &Api, path: &str, address: &str, body: Value) -> Answer {
    let client = api.client();
    let request = client.request(Method::POST, path);
    let request = request.header("X-Forwarded-For", address).json(&body);
    client.send(request).await
}

async fn sign_in(api: &Api, address: &str, handle: &str, password: &str) -> Answer {
    let body = json!({ "handle": handle, "password": password });
    send(api, "/v1/sessions", address, body).await
}

async fn sign_in_on(
    api: &Api,
    address: &str,
    handle: &str,
    device: &str,
    password: &str,
) -> Answer {
    let body = json!({ "handle": handle, "password": password, "device_token": device });
    send(api, "/v1/sessions", address, body).await
}

async fn sign_up(api: &Api, address: &str, handle: &str) -> Answer {
    let body = json!({ "handle": handle, "display_name": handle, "password": PASSWORD });
    send(api, "/v1/accounts", address, body).await
}

fn device_token(answer: &Answer) -> String {
    let body = answer.json();
    body["device_token"].as_str().expect("a token").to_owned()
}

/// Ten wrong passwords, and an eleventh that is refused.
async fn use_up(api: &Api, address: &str, handle: &str) {
    for _ in 0..10 {
        sign_in(api, address, handle, WRONG).await.expect(401);
    }
    let refused = sign_in(api, address, handle, WRONG).await;
    let refused = refused.expect_problem(429, "too_many_attempts");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[tokio::test]
async fn wrong_passwords_lock_out_their_address_only() {
    let api = Api::start_with(&BEHIND_PROXY).await;
    api.person("miller").await;
    api.person("baker").await;
    use_up(&api, "192.0.2.1", "miller").await;
    let same = sign_in(&api, "192.0.2.1", "miller", PASSWORD).await;
    same.expect_problem(429, "too_many_attempts");
    sign_in(&api, "192.0.2.2", "miller", PASSWORD)
        .await
        .expect(201);
    sign_in(&api, "192.0.2.1", "baker", PASSWORD)
        .await
        .expect(201);
    // Of IPv6, all addresses of a network are one.
    use_up(&api, "2001:db8::1", "miller").await;
    let same = sign_in(&api, "2001:db8::2", "miller", PASSWORD).await;
    same.expect_problem(429, "too_many_attempts");
    let other = sign_in(&api, "2001:db8:0:1::1", "miller", PASSWORD).await;
    other.expect(201);
}

#[tokio::test]
async fn a_device_that_has_signed_in_before_is_not_locked_out_by_others() {
    let api = Api::start_with(&BEHIND_PROXY).await;
    api.person("miller").await;
    api.person("baker").await;
    let (address, handle) = ("192.0.2.1", "miller");
    let device = device_token(&sign_in(&api, address, handle, PASSWORD).await.expect(201));
    let other = device_token(&sign_in(&api, address, "baker", PASSWORD).await.expect(201));
    use_up(&api, address, handle).await;
    let known = sign_in_on(&api, address, handle, &device, PASSWORD).await;
    let next = device_token(&known.expect(201));
    for unknown in ["", "x", &other] {
        let stranger = sign_in_on(&api, address, handle, unknown, PASSWORD).await;
        stranger.expect_problem(429, "too_many_attempts");
    }
    // Whoever has stolen it cannot guess without limit either, nor keep the owner's next token out.
    for _ in 0..10 {
        let wrong = sign_in_on(&api, address, handle, &device, WRONG).await;
        wrong.expect_problem(401, "wrong_credentials");
    }
    let stolen = sign_in_on(&api, "192.0.2.2", handle, &device, WRONG).await;
    stolen.expect_problem(429, "too_many_attempts");
    let known = sign_in_on(&api, address, handle, &next, PASSWORD).await;
    known.expect(201);
}

#[tokio::test]
async fn an_address_that_tries_many_handles_is_slowed_down() {
    let api = Api::start_with(&BEHIND_PROXY).await;
    api.person("miller").await;
    // One comes back every six seconds meanwhile.
    let (mut count, mut refused) = (0, None);
    while refused.is_none() && count < 200 {
        let answer = sign_in(&api, "192.0.2.1", &format!("nobody_{count}"), WRONG).await;
        count += u32::from(answer.status == 401);
        refused = Some(answer).filter(|answer| answer.status != 401);
    }
    assert!((100..150).contains(&count), "{count}");
    let refused = refused.expect("many attempts are limited");
    let refused = refused.expect_problem(429, "too_many_attempts");
    assert!(refused.header("retry-after").is_some());
    sign_in(&api, "192.0.2.2", "miller", PASSWORD)
        .await
        .expect(201);
}

#[tokio::test]
async fn only_a_trusted_proxy_names_its_client() {
    let api = Api::start().await;
    api.person("miller").await;
    for n in 0..10 {
        let address = format!("192.0.2.{n}");
        sign_in(&api, &address, "miller", WRONG).await.expect(401);
    }
    let refused = sign_in(&api, "192.0.2.99", "miller", WRONG).await;
    refused.expect_problem(429, "too_many_attempts");
}

#[tokio::test]
async fn a_taken_handle_is_found_before_the_password_is_hashed() {
    let api = Api::start().await;
    api.person("miller").await;
    let (mut taken, mut free) = (Duration::MAX, Duration::MAX);
    // Alternating, and the fastest of each, so that other load on the machine is not measured.
    for n in 0..7 {
        let started = Instant::now();
        let refused = sign_up(&api, "192.0.2.1", "miller").await;
        refused.expect_problem(409, "handle_taken");
        taken = taken.min(started.elapsed());
        let started = Instant::now();
        let created = sign_up(&api, "192.0.2.1", &format!("baker_{n}")).await;
        created.expect(201);
        free = free.min(started.elapsed());
    }
    assert!(
        taken < free / 2,
        "{taken:?} with a taken handle, {free:?} with a free one"
    );
}

/// 160 connections from 16 addresses sign in to accounts that do not exist, and 160 more sign up, all without a pause.
/// Meanwhile people sign in.
#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_are_not_starved_by_a_flood() {
    let api = Api::start_with(&BEHIND_PROXY).await;
    api.person("miller").await;
    let stop = tokio_util::sync::CancellationToken::new();
    let flood = async |n: u32| {
        for round in 0.. {
            if stop.is_cancelled() {
                break;
            }
            let address = format!("203.0.113.{}", n % 16);
            let handle = format!("nobody_{n}_{round}");
            if n.is_multiple_of(2) {
                sign_in(&api, &address, &handle, WRONG).await;
            } else {
                sign_up(&api, &address, &handle).await;
            }
        }
    };
    let real = async {
        let mut slowest = Duration::ZERO;
        tokio::time::sleep(Duration::from_millis(300)).await;
        for n in 0..40 {
            let started = Instant::now();
            let address = format!("192.0.2.{n}");
            sign_in(&api, &address, "miller", PASSWORD)
                .await
                .expect(201);
            slowest = slowest.max(started.elapsed());
        }
        stop.cancel();
        slowest
    };
    let (slowest, _) = tokio::join!(real, join_all((0..320).map(flood)));
    println!("the slowest of 40 sign-ins took {slowest:?}");
}
