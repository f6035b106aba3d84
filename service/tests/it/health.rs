use axum::Router;
use serde_json::{Value, json};

use crate::support::{quick, start};

#[tokio::test]
async fn readiness_names_what_is_not_ready() {
    let server = start(Router::new(), quick()).await;
    let ask = async |path| {
        let response = server.get(path).await;
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap(),
        )
    };
    assert_eq!(
        ask("/health/ready").await,
        (200, json!({"ready": true, "parts": {}}))
    );
    server
        .health
        .set("database", Err("connection refused".to_owned()));
    server.health.note("nats", Err("not connected".to_owned()));
    let parts = json!({"database": "connection refused", "nats": "degraded: not connected"});
    assert_eq!(
        ask("/health/ready").await,
        (503, json!({"ready": false, "parts": parts}))
    );
    assert_eq!(ask("/health/live").await.0, 200);
    server.health.set("database", Ok(()));
    let parts = json!({"database": "ok", "nats": "degraded: not connected"});
    assert_eq!(
        ask("/health/ready").await,
        (200, json!({"ready": true, "parts": parts}))
    );
}
