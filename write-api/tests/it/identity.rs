//! An external identity provider (another write-api), and the subcommands of operators.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;
use write_api::{config::Cli, subcommand};

use crate::harness::{Api, Database, Nats, Person, config, problem};

#[tokio::test]
async fn an_external_account_is_created_when_first_seen() {
    let provider = Api::start().await;
    let jwks = provider.url("/.well-known/jwks.json");
    let own = ["--auth-jwks-url", &jwks];
    let api = Api::start_on(Database::new().await, Nats::absent(), &own).await;
    let subject = Uuid::from_u128(0x5eed);
    let stranger = Person {
        api: &api,
        id: subject,
        token: provider.token(subject),
    };
    // The keys are fetched in the background.
    let mut response = stranger.post("/v1/posts", json!({ "text": "hello" })).await;
    for _ in 0..100 {
        if response.status() == 201 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        response = stranger.post("/v1/posts", json!({ "text": "hello" })).await;
    }
    let post: serde_json::Value = response.json().await.unwrap();
    let account = feedmill_service::tokens::external_account("feedmill", &subject.to_string());
    assert_eq!(post["author"]["id"], account.to_string());
    let change = stranger
        .request(Method::PATCH, "/v1/me")
        .json(&json!({ "handle": "stranger" }));
    assert_eq!(change.send().await.unwrap().status(), 200);

    // There are no local accounts and sessions, and tokens of the local key are refused.
    let requests = [
        (
            "/v1/accounts",
            json!({ "handle": "miller", "display_name": "M", "password": "long enough" }),
        ),
        (
            "/v1/sessions",
            json!({ "handle": "stranger", "password": "long enough" }),
        ),
        ("/v1/sessions/refresh", json!({ "refresh_token": "x" })),
    ];
    for (path, body) in requests {
        let refused = problem(api.post(path, body).await).await;
        assert_eq!(refused, (403, "external_identity".to_owned(), vec![]));
    }
    let forged = Person {
        api: &api,
        id: subject,
        token: api.token(subject),
    };
    assert_eq!(
        problem(forged.post("/v1/posts", json!({ "text": "hello" })).await)
            .await
            .0,
        401
    );
}

#[tokio::test]
async fn a_printed_token_is_accepted() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    for name in ["@Miller", &miller.id.to_string()] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_write-api"))
            .args(["--write-database-url", &api.database.service_url()])
            .args(["--auth-key-file", &api.key_file(), "token", name])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let printed = Person {
            api: &api,
            id: miller.id,
            token,
        };
        assert_eq!(
            printed
                .post("/v1/posts", json!({ "text": "hello" }))
                .await
                .status(),
            201
        );
    }
    let config = config(&[
        "--write-database-url",
        &api.database.service_url(),
        "--auth-key-file",
        &api.key_file(),
    ]);
    for (name, why) in [
        ("@nobody", "there is no account"),
        ("miller", "neither an id nor a handle"),
    ] {
        let error = subcommand::token(&config, name)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let database = Database::new().await;
    subcommand::migrate(&config(&["--database-url", &database.owner_url()]))
        .await
        .unwrap();
    // A database without the schema is an error at the start.
    let empty = database.owner_url();
    sqlx::query("DROP SCHEMA write CASCADE")
        .execute(&database.pool().await)
        .await
        .unwrap();
    let config = config(&[
        "--write-database-url",
        &empty,
        "--auth-key-file",
        "/nowhere",
    ]);
    let error = subcommand::Server::start(config, feedmill_service::Shutdown::new())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("write-api migrate"), "{error}");
}

#[test]
fn the_settings_are_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}
