//! The headers of a response: encodings, `ETag`s and caching.

use std::io::Read;

use reqwest::{Method, StatusCode};

use crate::{
    app::{App, Raw},
    nats::Announcer,
};

/// An app with a feed of 20 posts.
async fn with_feed() -> (App, uuid::Uuid) {
    let app = App::start().await;
    let me = app.account(1).await;
    let mut posts = Vec::new();
    for n in 0..20 {
        posts.push(app.post(me, n, None).await);
    }
    app.entries(me, &posts).await;
    (app, me)
}

fn decoded(raw: &Raw) -> Vec<u8> {
    let mut bytes = Vec::new();
    match raw.header("content-encoding") {
        Some("br") => brotli::Decompressor::new(&*raw.body, 4096)
            .read_to_end(&mut bytes)
            .unwrap(),
        Some("gzip") => flate2::read::GzDecoder::new(&*raw.body)
            .read_to_end(&mut bytes)
            .unwrap(),
        None => return raw.body.to_vec(),
        other => panic!("{other:?}"),
    };
    bytes
}

#[tokio::test]
async fn every_read_has_caching_and_timing_headers() {
    let (app, me) = with_feed().await;
    for path in ["/v1/feed", "/v1/me", "/v1/digest", "/v1/conversations"] {
        let raw = app.raw(Method::GET, me, path, &[]).await;
        assert_eq!(raw.status, StatusCode::OK);
        assert_eq!(raw.header("cache-control"), Some("private, no-cache"));
        assert_eq!(raw.header("vary"), Some("Accept-Encoding, Authorization"));
        assert_eq!(raw.header("x-cache"), Some("miss"));
        let timing = raw.header("server-timing").unwrap();
        let names: Vec<_> = timing
            .split(", ")
            .map(|part| {
                let (name, millis) = part.split_once(";dur=").unwrap();
                assert!(millis.parse::<f64>().unwrap() >= 0.0);
                name
            })
            .collect();
        assert_eq!(names, ["cache", "db", "total"]);
    }
    let missing = app.raw(Method::GET, me, "/v1/users/@nobody", &[]).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(missing.header("etag"), None);
}

#[tokio::test]
async fn each_encoding_has_the_same_content_and_its_own_etag() {
    let (app, me) = with_feed().await;
    let plain = app.raw(Method::GET, me, "/v1/feed", &[]).await;
    assert_eq!(plain.header("content-encoding"), None);
    let mut etags = vec![plain.header("etag").unwrap().to_owned()];
    for (accepted, encoding) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip, deflate, br", "br"),
        ("br;q=0.1, gzip", "gzip"),
    ] {
        let headers = [("accept-encoding", accepted)];
        let encoded = app.raw(Method::GET, me, "/v1/feed", &headers).await;
        assert_eq!(encoded.header("content-encoding"), Some(encoding));
        assert!(encoded.body.len() * 2 < plain.body.len(), "{encoding}");
        assert_eq!(decoded(&encoded), plain.body, "{encoding}");
        let etag = encoded.header("etag").unwrap().to_owned();
        assert!(etag.ends_with(&format!("-{encoding}\"")), "{etag}");
        etags.push(etag);
    }
    etags.sort();
    etags.dedup();
    assert_eq!(etags.len(), 3);
    let small = app
        .raw(
            Method::GET,
            me,
            "/v1/me",
            &[("accept-encoding", "br, gzip")],
        )
        .await;
    assert_eq!(
        small.header("content-encoding"),
        None,
        "fits into one packet"
    );
}

#[tokio::test]
async fn a_client_with_the_answer_gets_304() {
    let (app, me) = with_feed().await;
    let _announcer = Announcer::of(&app).await;
    for accepted in ["identity", "gzip", "br"] {
        // Loaded, from the cache, and with the encoding made.
        for _ in 0..3 {
            let headers = [("accept-encoding", accepted)];
            let whole = app.raw(Method::GET, me, "/v1/feed", &headers).await;
            let etag = whole.header("etag").unwrap();
            for known in [
                etag.to_owned(),
                format!("\"x\", {etag}"),
                format!("W/{etag}"),
                "*".to_owned(),
            ] {
                let headers = [("accept-encoding", accepted), ("if-none-match", &known)];
                let same = app.raw(Method::GET, me, "/v1/feed", &headers).await;
                assert_eq!(same.status, StatusCode::NOT_MODIFIED, "{known}");
                assert!(same.body.is_empty());
                assert_eq!(same.header("etag"), Some(etag));
                for name in ["cache-control", "vary", "x-cache", "server-timing"] {
                    assert!(same.header(name).is_some(), "{name}");
                }
            }
            let headers = [("accept-encoding", accepted), ("if-none-match", "\"x\"")];
            let other = app.raw(Method::GET, me, "/v1/feed", &headers).await;
            assert_eq!((other.status, &other.body), (StatusCode::OK, &whole.body));
        }
    }
    let plain = app.raw(Method::GET, me, "/v1/feed", &[]).await;
    let etag = plain.header("etag").unwrap();
    let headers = [("accept-encoding", "br"), ("if-none-match", etag)];
    let encoded = app.raw(Method::GET, me, "/v1/feed", &headers).await;
    assert_eq!(
        encoded.status,
        StatusCode::OK,
        "the etag of another encoding"
    );
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let (app, me) = with_feed().await;
    let get = app.raw(Method::GET, me, "/v1/feed", &[]).await;
    let head = app.raw(Method::HEAD, me, "/v1/feed", &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("etag"), get.header("etag"));
    assert_eq!(head.header("content-type"), Some("application/json"));
    let length = get.body.len().to_string();
    assert_eq!(head.header("content-length"), Some(&*length));
}
