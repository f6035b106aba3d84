//! Sessions are listed and ended.

use feedmill_service::{Database, sql};
use feedmill_tests::{kit::Role, token::now};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use write_api::housekeeping;

use crate::{harness::Api, session_client::SignedIn};

#[tokio::test]
async fn sessions_are_listed_with_the_last_used_first() {
    let api = Api::start().await;
    api.person("miller").await;
    api.person("baker").await;
    let phone = SignedIn::on(&api, "miller", Some(" My phone ")).await;
    let desk = SignedIn::new(&api, "miller").await;
    SignedIn::on(&api, "baker", Some("Oven")).await;
    let phone = phone.refreshed().await;

    let sessions = phone.sessions().await;
    let shown = |session: &Value| (session["device_name"].clone(), session["current"].clone());
    let shown: Vec<_> = sessions.iter().map(shown).collect();
    let expected = [
        (json!("My phone"), json!(true)),
        (json!(null), json!(false)),
    ];
    assert_eq!(shown, expected);
    for session in &sessions {
        let time = |field: &str| session[field].as_str().unwrap().to_owned();
        let (created, used) = (time("created_at"), time("last_used_at"));
        assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
        assert!(created <= used, "{session}");
        session["id"].as_str().unwrap().parse::<Uuid>().unwrap();
    }
    assert_eq!(
        sessions[1]["created_at"], sessions[1]["last_used_at"],
        "never refreshed"
    );
    assert_eq!(desk.sessions().await[1]["current"], true);
}

#[tokio::test]
async fn a_session_is_ended_by_its_id() {
    let api = Api::start().await;
    api.person("miller").await;
    api.person("baker").await;
    let phone = SignedIn::new(&api, "miller").await;
    let desk = SignedIn::new(&api, "miller").await;
    let stranger = SignedIn::new(&api, "baker").await;
    let path = format!("/v1/sessions/{}", phone.session().await);
    for unknown in [
        &path[..],
        "/v1/sessions/nonsense",
        "/v1/sessions/00000000-0000-0000-0000-000000000000",
    ] {
        let refused = stranger.delete(unknown).await;
        refused.expect_problem(404, "not_found");
    }
    phone.assert_in().await;

    // Also when it already was so.
    for _ in 0..2 {
        desk.delete(&path).await.expect(204);
    }
    phone.assert_out().await;
    assert_eq!(desk.sessions().await.len(), 1);
    stranger.assert_in().await;
}

#[tokio::test]
async fn signing_out_ends_the_current_session() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let phone = SignedIn::new(&api, "miller").await;
    let desk = SignedIn::new(&api, "miller").await;
    phone.delete("/v1/sessions/current").await.expect(204);
    phone.assert_out().await;
    desk.assert_in().await;
    // The token of an operator belongs to no session.
    let path = "/v1/sessions/current";
    let none = miller.command(Method::DELETE, path, None).await;
    none.expect_problem(404, "not_found");
}

#[tokio::test]
async fn all_other_sessions_are_ended_at_once() {
    let api = Api::start().await;
    api.person("miller").await;
    api.person("baker").await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(SignedIn::new(&api, "miller").await);
    }
    let own = SignedIn::new(&api, "miller").await;
    let stranger = SignedIn::new(&api, "baker").await;
    let end = async || {
        let request = own.client.request(Method::DELETE, "/v1/sessions");
        let request = request.header("Idempotency-Key", "a");
        own.client.send(request).await.expect(204)
    };
    assert_eq!(end().await.header("idempotency-replayed"), None);
    for other in &others {
        other.assert_out().await;
    }
    own.assert_in().await;
    stranger.assert_in().await;
    // The same request again is answered, and ends nothing.
    let late = SignedIn::new(&api, "miller").await;
    assert_eq!(end().await.header("idempotency-replayed"), Some("true"));
    late.assert_in().await;
}

#[tokio::test]
async fn theft_of_a_refresh_token_ends_its_access_tokens() {
    let api = Api::start().await;
    api.person("miller").await;
    let first = SignedIn::new(&api, "miller").await;
    let second = first.refreshed().await;
    let third = second.refreshed().await;
    first.assert_in().await;
    first.refresh().await.expect_problem(401, "dead_token");
    for client in [&first, &second, &third] {
        client.assert_out().await;
    }
}

#[tokio::test]
async fn the_list_of_ended_sessions_is_sent_after_a_change_only() {
    let api = Api::start().await;
    api.person("miller").await;
    let signed_in = SignedIn::new(&api, "miller").await;
    let session = signed_in.session().await;
    let client = api.admin();
    let list = async |known: &str| {
        let request = client.request(Method::GET, "/ended-sessions");
        let answer = client.send(request.header("If-None-Match", known)).await;
        let etag = answer.header("etag").unwrap().to_owned();
        (answer, etag)
    };
    let (answer, empty) = list("\"unknown\"").await;
    assert_eq!(answer.expect(200).json(), json!({ "ended_sessions": [] }));
    list(&empty).await.0.expect(304);
    signed_in.delete("/v1/sessions/current").await.expect(204);
    let (answer, etag) = list(&empty).await;
    let ended = answer.expect(200).json()["ended_sessions"].clone();
    assert_eq!(ended[0]["id"], json!(session));
    let left = ended[0]["until"].as_i64().unwrap() - now().timestamp();
    assert!(left > 15 * 60, "{left}");
    list(&format!("W/{etag}, \"x\"")).await.0.expect(304);
}

#[tokio::test]
async fn expired_rows_are_deleted() {
    let api = Api::start().await;
    api.person("miller").await;
    let client = SignedIn::new(&api, "miller").await;
    client.delete("/v1/sessions/current").await.expect(204);
    let options = sql::options(&api.database.url_as(Role::WriteApi), "test", None).unwrap();
    let database = Database::new(options, 1).unwrap();
    let rows = async |after_days: i64| {
        let then = now() + chrono::TimeDelta::days(after_days);
        housekeeping::clean(&database, then).await.unwrap();
        let select = "SELECT (SELECT count(*) FROM write.sessions),
            (SELECT count(*) FROM write.ended_sessions)";
        let counts: (i64, i64) = sqlx::query_as(select)
            .fetch_one(&api.database.pool)
            .await
            .unwrap();
        counts
    };
    assert_eq!(rows(0).await, (1, 1));
    assert_eq!(rows(1).await, (1, 0), "its tokens have expired");
    assert_eq!(rows(31).await, (0, 0));
}
