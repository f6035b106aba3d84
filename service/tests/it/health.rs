use axum::Router;
use serde_json::{Value, json};

use crate::support::{short_limits, start};

#[tokio::test]
async fn readiness_names_the_parts_that_are_not_ready() {
    let server = start(Router::new(), short_limits()).await;
    let get = async |path| {
        let response = server.get(path).await;
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap(),
        )
    };
    assert_eq!(
        get("/health/ready").await,
        (200, json!({"ready": true, "parts": {}}))
    );
    server
        .health
        .set("database", Err("connection refused".to_owned()));
    server
        .health
        .set_optional("nats", Err("not connected".to_owned()));
    let parts = json!({"database": "connection refused", "nats": "degraded: not connected"});
    assert_eq!(
        get("/health/ready").await,
        (503, json!({"ready": false, "parts": parts}))
    );
    assert_eq!(get("/health/live").await.0, 200);
    server.health.set("database", Ok(()));
    let parts = json!({"database": "ok", "nats": "degraded: not connected"});
    assert_eq!(
        get("/health/ready").await,
        (200, json!({"ready": true, "parts": parts}))
    );
}
