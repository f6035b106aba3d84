use feedmill_service::HttpArgs;
use serde_json::json;

use crate::support::start_admin;

#[tokio::test]
async fn readiness_names_the_parts_that_are_not_ready() {
    let server = start_admin(HttpArgs::default()).await;
    let ready = async || {
        let answer = server.get("/health/ready").await;
        (answer.status.as_u16(), answer.json())
    };
    assert_eq!(ready().await, (200, json!({"ready": true, "parts": {}})));
    let health = &server.health;
    health.set("database", Err("connection refused".to_owned()));
    health.set_optional("nats", Err("not connected".to_owned()));
    let parts = json!({"database": "connection refused", "nats": "degraded: not connected"});
    assert_eq!(
        ready().await,
        (503, json!({"ready": false, "parts": parts}))
    );
    server.get("/health/live").await.expect(200);
    health.set("database", Ok(()));
    let parts = json!({"database": "ok", "nats": "degraded: not connected"});
    assert_eq!(ready().await, (200, json!({"ready": true, "parts": parts})));
}
