use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use feedmill_service::{HttpArgs, extract};
use feedmill_tests::client::http;
use reqwest::{Method, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use crate::support::{http_2, send_raw, short_limits, start, start_admin};

fn app() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route(
            "/echo",
            post(|extract::Body(bytes): extract::Body| async move { bytes }),
        )
        .route("/panic", get(panics))
}

async fn panics() {
    panic!("the secret of the house");
}

async fn a_while() {
    sleep(Duration::from_millis(400)).await;
}

/// Counts the guards that were dropped.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_connection_with_an_incomplete_header_is_closed() {
    let server = start(app(), short_limits()).await;
    let starts = [
        "G",
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET /hello HTTP/1.1\r\nHost: x\r\nX-Slow",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for bytes in starts {
        let mut stream = server.connect().await;
        let begun = Instant::now();
        timeout(Duration::from_secs(3), async {
            stream.write_all(bytes.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
        })
        .await
        .unwrap_or_else(|_| panic!("the connection stays open after {bytes:?}"));
        assert!(
            begun.elapsed() >= Duration::from_millis(300),
            "the connection was closed too early after {bytes:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_with_a_slow_header_is_closed() {
    let server = start(app(), short_limits()).await;
    let mut stream = server.connect().await;
    let begun = Instant::now();
    stream.write_all(b"GET /hello HTTP/1.1\r\n").await.unwrap();
    while begun.elapsed() < Duration::from_secs(3) {
        sleep(Duration::from_millis(50)).await;
        if stream.write_all(b"X-A: b\r\n").await.is_err() {
            return;
        }
    }
    panic!("the connection is still open");
}

/// Neither before its response nor during it, which may take longer than the request timeout.
#[tokio::test]
async fn a_connection_with_a_request_in_flight_is_not_idle() {
    let args = HttpArgs {
        header_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_millis(100),
        write_timeout: Duration::from_millis(100),
        request_timeout: Duration::from_millis(1_200),
        ..HttpArgs::default()
    };
    let parts = async || {
        a_while().await;
        Body::from_stream(futures::stream::unfold(0, async |part| {
            a_while().await;
            (part < 3).then(|| (Ok::<_, Infallible>(format!("part {part}.")), part + 1))
        }))
    };
    let server = start(Router::new().route("/parts", get(parts)), args).await;
    for (client, version) in [(http(), Version::HTTP_11), (http_2(), Version::HTTP_2)] {
        let answer = client.get(server.url("/parts")).send().await.unwrap();
        assert_eq!(answer.version(), version);
        assert_eq!(answer.text().await.unwrap(), "part 0.part 1.part 2.");
    }
}

#[tokio::test]
async fn a_connection_whose_client_does_not_read_is_closed() {
    let args = HttpArgs {
        write_timeout: Duration::from_millis(500),
        ..HttpArgs::default()
    };
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&dropped);
    let endless = async move || {
        let guard = Guard(Arc::clone(&counter));
        Body::from_stream(futures::stream::repeat_with(move || {
            let _held = &guard;
            Ok::<_, Infallible>(vec![b'x'; 64 << 10])
        }))
    };
    let server = start(Router::new().route("/endless", get(endless)), args).await;
    let mut reader = server.connect().await;
    let mut lazy = server.connect().await;
    for stream in [&mut reader, &mut lazy] {
        let request = b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
    }
    // A client that reads slowly keeps its connection.
    let mut part = vec![0; 64 << 10];
    let until_dropped = async {
        while dropped.load(Ordering::SeqCst) == 0 {
            assert_ne!(reader.read(&mut part).await.unwrap(), 0);
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), until_dropped)
        .await
        .unwrap();
    for _ in 0..100 {
        assert_ne!(reader.read(&mut part).await.unwrap(), 0);
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn connections_over_the_limit_wait() {
    let args = HttpArgs {
        max_connections: 2,
        ..HttpArgs::default()
    };
    let server = start(app(), args).await;
    let (first, _second) = (server.connect().await, server.connect().await);
    let mut third = server.connect().await;
    let request = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    third.write_all(request).await.unwrap();
    let mut answer = String::new();
    let early = timeout(
        Duration::from_millis(300),
        third.read_to_string(&mut answer),
    )
    .await;
    assert!(early.is_err(), "served over the limit: {answer}");
    drop(first);
    timeout(Duration::from_secs(10), third.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn the_body_limit_holds_with_and_without_content_length() {
    let server = start(app(), short_limits()).await;
    let send = async |method, path, bytes| {
        let request = server.client.request(method, path);
        server.client.send(request.body(vec![b'x'; bytes])).await
    };
    let echo = send(Method::POST, "/echo", 1000).await;
    assert_eq!(echo.expect(200).body.len(), 1000);
    for bytes in [1001, 3 << 20] {
        let answer = send(Method::POST, "/echo", bytes).await;
        answer.expect_problem(413, "body_too_large");
    }
    // The handler does not read the body.
    let answer = send(Method::GET, "/hello", 2000).await;
    answer.expect_problem(413, "body_too_large");

    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let chunks = format!("64\r\n{}\r\n", "y".repeat(100)).repeat(40);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    let expecting = format!("{head}Content-Length: 9000\r\nExpect: 100-continue\r\n\r\n");
    for request in [chunked, expecting] {
        let answer = send_raw(&mut server.connect().await, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
}

#[tokio::test]
async fn a_request_over_the_timeout_is_503_and_its_handler_is_dropped() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&dropped);
    let slow = async move || {
        let _guard = Guard(Arc::clone(&counter));
        sleep(Duration::from_mins(1)).await;
    };
    let server = start(app().route("/slow", get(slow)), short_limits()).await;
    let answer = server.get("/slow").await.expect_problem(503, "timeout");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(dropped.load(Ordering::SeqCst), 1);

    let unfinished = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc";
    let mut stream = server.connect().await;
    let answer = timeout(Duration::from_secs(10), send_raw(&mut stream, unfinished)).await;
    assert!(answer.unwrap().starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn a_panic_is_a_problem_that_reveals_nothing() {
    let server = start(app(), HttpArgs::default()).await;
    let answer = server.get("/panic").await.expect_problem(500, "internal");
    assert!(!answer.body.contains("secret"));
    server.get("/hello").await.expect(200);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let server = start(app(), HttpArgs::default()).await;
    let answer = server.get("/nowhere").await;
    let problem = answer.expect_problem(404, "not_found").json();
    assert_eq!(problem["type"], "urn:feedmill:problem:not_found");
    let answer = server.client.command(Method::DELETE, "/hello", None).await;
    let answer = answer.expect_problem(405, "method_not_allowed");
    assert!(answer.header("allow").unwrap().contains("GET"));
}

#[tokio::test]
async fn requests_are_counted_by_route() {
    let app = Router::new().route("/counted/{id}", get(|| async { "thing" }));
    let server = start(app, HttpArgs::default()).await;
    for path in ["/counted/1", "/counted/2", "/elsewhere"] {
        server.get(path).await;
    }
    let admin = start_admin(HttpArgs::default()).await;
    let metrics = admin.get("/metrics").await;
    let kind = metrics.header("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4"));
    for line in [
        r#"http_requests_total{method="GET",route="/counted/{id}",status="200"} 2"#,
        r#"http_request_duration_seconds_bucket{method="GET",route="/counted/{id}",le="+Inf"} 2"#,
        r#"route="unmatched",status="404"}"#,
        "http_connections",
    ] {
        let text = &metrics.body;
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
