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
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use crate::support::{client, problem, send_raw, short_limits, start};

fn app() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route(
            "/echo",
            post(|extract::Body(bytes): extract::Body| async move { bytes }),
        )
        .route(
            "/slow",
            get(|| async { sleep(Duration::from_mins(1)).await }),
        )
        .route("/panic", get(panics))
}

async fn panics() {
    panic!("the secret of the house");
}

#[tokio::test]
async fn a_connection_with_an_incomplete_header_is_closed() {
    let server = start(app(), short_limits()).await;
    let starts = [
        "",
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

#[tokio::test]
async fn a_connection_with_a_request_in_flight_is_not_idle() {
    let args = HttpArgs {
        header_timeout: Duration::from_millis(200),
        ..short_limits()
    };
    let app = Router::new().route(
        "/wait",
        get(|| async {
            sleep(Duration::from_millis(600)).await;
            "done"
        }),
    );
    let server = start(app, args).await;
    let mut stream = server.connect().await;
    let answer = timeout(
        Duration::from_secs(3),
        send_raw(&mut stream, b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"),
    );
    assert!(answer.await.unwrap().ends_with("done"));
}

#[tokio::test]
async fn a_connection_with_a_streamed_response_is_not_idle() {
    let args = HttpArgs {
        header_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_millis(100),
        write_timeout: Duration::from_millis(100),
        ..short_limits()
    };
    let parts = || {
        futures::stream::unfold(0, async |part| {
            sleep(Duration::from_millis(700)).await;
            (part < 3).then(|| (Ok::<_, Infallible>(format!("part {part}.")), part + 1))
        })
    };
    let app = Router::new().route("/parts", get(async move || Body::from_stream(parts())));
    let server = start(app, args).await;
    let http_1 = client();
    let http_2 = reqwest::Client::builder().http2_prior_knowledge().build();
    for client in [http_1, http_2.unwrap()] {
        let answer = client.get(server.url("/parts")).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "part 0.part 1.part 2.");
    }
}

#[tokio::test]
async fn a_connection_whose_client_does_not_read_is_closed() {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let args = HttpArgs {
        write_timeout: Duration::from_millis(500),
        ..HttpArgs::default()
    };
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&dropped);
    let endless = move || {
        let guard = Guard(Arc::clone(&counter));
        let parts = futures::stream::repeat_with(move || {
            let _held = &guard;
            Ok::<_, Infallible>(vec![b'x'; 64 << 10])
        });
        async { Body::from_stream(parts) }
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
    let server = start(
        app(),
        HttpArgs {
            max_connections: 2,
            ..HttpArgs::default()
        },
    )
    .await;
    let (first, _second) = (server.connect().await, server.connect().await);
    sleep(Duration::from_millis(100)).await;
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
    timeout(Duration::from_secs(2), third.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn the_body_limit_holds_with_and_without_content_length() {
    let server = start(app(), short_limits()).await;
    let send = |body: reqwest::Body| client().post(server.url("/echo")).body(body).send();
    assert_eq!(
        send(vec![b'x'; 1000].into())
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .len(),
        1000
    );
    problem(
        send(vec![b'x'; 1001].into()).await.unwrap(),
        413,
        "body_too_large",
    )
    .await;
    problem(
        send(vec![b'x'; 3 << 20].into()).await.unwrap(),
        413,
        "body_too_large",
    )
    .await;

    let mut chunked =
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        chunked.extend_from_slice(format!("64\r\n{}\r\n", "y".repeat(100)).as_bytes());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let answer = send_raw(&mut server.connect().await, &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    let expecting =
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\nExpect: 100-continue\r\n\r\n";
    let answer = send_raw(&mut server.connect().await, expecting).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn the_body_limit_holds_if_the_handler_does_not_read_the_body() {
    let server = start(app(), short_limits()).await;
    let request = client().get(server.url("/hello")).body(vec![0; 2000]);
    problem(request.send().await.unwrap(), 413, "body_too_large").await;
}

#[tokio::test]
async fn a_request_over_the_timeout_is_503() {
    let server = start(app(), short_limits()).await;
    let response = server.get("/slow").await;
    assert_eq!(response.headers()["retry-after"], "1");
    problem(response, 503, "timeout").await;

    let unfinished = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc";
    let answer = timeout(
        Duration::from_secs(3),
        send_raw(&mut server.connect().await, unfinished),
    )
    .await;
    assert!(answer.unwrap().starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn the_handler_of_a_request_over_the_timeout_is_dropped() {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&dropped);
    let handler = move || {
        let guard = Guard(Arc::clone(&counter));
        async move {
            sleep(Duration::from_mins(1)).await;
            drop(guard);
        }
    };
    let server = start(Router::new().route("/slow", get(handler)), short_limits()).await;
    problem(server.get("/slow").await, 503, "timeout").await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_panic_is_a_problem_that_reveals_nothing() {
    let server = start(app(), short_limits()).await;
    let document = problem(server.get("/panic").await, 500, "internal").await;
    assert!(!document.to_string().contains("secret"));
    assert_eq!(server.get("/hello").await.status(), 200);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let server = start(app(), short_limits()).await;
    problem(server.get("/nowhere").await, 404, "not_found").await;
    let response = client().delete(server.url("/hello")).send().await.unwrap();
    assert!(
        response.headers()["allow"]
            .to_str()
            .unwrap()
            .contains("GET")
    );
    problem(response, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn http_2_is_supported() {
    let server = start(app(), short_limits()).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build();
    let response = client
        .unwrap()
        .get(server.url("/hello"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.version(), response.status().as_u16()),
        (reqwest::Version::HTTP_2, 200)
    );
}

#[tokio::test]
async fn requests_are_counted_by_route() {
    let app = Router::new().route("/counted/{id}", get(|| async { "thing" }));
    let server = start(app, short_limits()).await;
    for path in ["/counted/1", "/counted/2", "/elsewhere"] {
        server.get(path).await;
    }
    let response = server.get("/metrics").await;
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; version=0.0.4"
    );
    let text = response.text().await.unwrap();
    for line in [
        r#"http_requests_total{method="GET",route="/counted/{id}",status="200"} 2"#,
        r#"http_request_duration_seconds_bucket{method="GET",route="/counted/{id}",le="+Inf"} 2"#,
        r#"route="unmatched",status="404"}"#,
        "http_connections",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
