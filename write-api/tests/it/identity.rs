//! An external identity provider (another write-api), and the subcommands of operators.

use std::path::Path;

use feedmill_service::Shutdown;
use feedmill_tests::kit::{Database, Role, TempFolder, run, wait_until};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use write_api::{config::Cli, subcommand};

use crate::harness::{Api, config};

#[tokio::test]
async fn an_external_account_is_created_when_first_seen() {
    let provider = Api::start().await;
    let jwks = format!("{}/.well-known/jwks.json", provider.url());
    let api = Api::start_with(&["--auth-jwks-url", &jwks]).await;
    let subject = Uuid::from_u128(0x5eed);
    let stranger = api.client().with_token(&provider.token(subject));
    let mut post = Value::Null;
    wait_until("the keys are fetched, in the background", async || {
        let answer = stranger.post("hello", None).await;
        post = answer.json();
        answer.status == 201
    })
    .await;
    let account = feedmill_service::tokens::external_account("feedmill", &subject.to_string());
    assert_eq!(post["author"]["id"], json!(account));
    let change = stranger.change_profile(json!({ "handle": "stranger" }));
    change.await.expect(200);

    // There are no local accounts and sessions, and tokens of the local key are refused.
    let client = api.client();
    let refresh = json!({ "refresh_token": "x" });
    for refused in [
        client.create_account("miller", "M").await,
        client.sign_in("stranger").await,
        client
            .command(Method::POST, "/v1/sessions/refresh", Some(refresh))
            .await,
    ] {
        refused.expect_problem(403, "external_identity");
    }
    let forged = client.with_token(&api.token(subject));
    let refused = forged.post("hello", None).await;
    refused.expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_printed_token_is_accepted() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let url = api.database.url_as(Role::WriteApi);
    for name in ["@Miller", &miller.id.to_string()] {
        let program = Path::new(env!("CARGO_BIN_EXE_write-api"));
        let key = api.key_file();
        let settings = ["--write-database-url", &url, "--auth-key-file", &key];
        let output = run(program, &[&settings[..], &["token", name]].concat(), &[]);
        assert!(output.status.success(), "{output:?}");
        let token = String::from_utf8(output.stdout).unwrap();
        let printed = miller.with_token(token.trim());
        printed.post("hello", None).await.expect(201);
    }
    let config = config(&url, &api.folder, &[]);
    for (name, why) in [
        ("@nobody", "there is no account"),
        ("miller", "neither an id nor a handle"),
    ] {
        let error = subcommand::token(&config, name).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let (database, folder) = (Database::empty().await, TempFolder::new());
    let url = database.url();
    let config = config(&url, &folder, &["--database-url", &url]);
    for _ in 0..2 {
        let migrate = async { subcommand::migrate(&config).await.unwrap() };
        database.migrate_with(migrate).await;
    }
    // A database without the schema is an error at the start.
    sqlx::query("DROP SCHEMA write CASCADE")
        .execute(&database.pool)
        .await
        .unwrap();
    let started = subcommand::Server::start(config, Shutdown::new()).await;
    let error = started.err().unwrap().to_string();
    assert!(error.contains("write-api migrate"), "{error}");
}

#[test]
fn the_settings_are_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}
