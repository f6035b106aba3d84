//! An ended session is refused by every instance, whoever ended it.

use std::{
    path::Path,
    process::Output,
    time::{Duration, Instant},
};

use feedmill_service::Shutdown;
use feedmill_tests::{
    client::{Client, PASSWORD},
    kit::{Nats, Role, run, wait_until},
};
use reqwest::Method;
use serde_json::json;
use write_api::subcommand::Server;

use crate::{
    harness::{Api, config},
    session_client::SignedIn,
};

/// Another instance of write-api, on the same database and with the same key.
struct Instance {
    server: Server,
    shutdown: Shutdown,
}

impl Instance {
    async fn start(api: &Api, arguments: &[&str]) -> Self {
        let url = api.database.url_as(Role::WriteApi);
        let config = config(&url, &api.folder, arguments);
        let shutdown = Shutdown::new();
        let server = Server::start(config, shutdown.clone()).await.unwrap();
        Self { server, shutdown }
    }

    /// The status of a request with this client's token.
    async fn status(&self, client: &SignedIn) -> u16 {
        let here = Client::new(&format!("http://{}", self.server.address()), "");
        let here = here.with_token(client.access_token());
        let answer = here.command(Method::GET, "/v1/sessions", None).await;
        answer.status.as_u16()
    }

    /// Waits until the token is refused. Returns how long after `ended` that was.
    async fn refuses(&self, client: &SignedIn, ended: Instant) -> Duration {
        wait_until("the token is refused", async || {
            self.status(client).await == 401
        })
        .await;
        ended.elapsed()
    }

    async fn stop(self) {
        self.shutdown.now();
        self.server.join().await.unwrap();
    }
}

#[tokio::test]
async fn another_instance_refuses_an_ended_session() {
    let nats = Nats::start().await;
    let nats_url = nats.url();
    let with_nats = ["--nats-url", &nats_url[..]];
    let api = Api::start_with(&with_nats).await;
    api.person("miller").await;
    // One hears of it on NATS and in the table, one in the table only.
    let both = Instance::start(&api, &with_nats).await;
    let polling = Instance::start(&api, &[]).await;
    let client = SignedIn::new(&api, "miller").await;
    let own = SignedIn::new(&api, "miller").await;
    for instance in [&both, &polling] {
        assert_eq!(instance.status(&client).await, 200);
    }
    client.delete("/v1/sessions/current").await.expect(204);
    let ended = Instant::now();
    let (with_nats, without) = tokio::join!(
        both.refuses(&client, ended),
        polling.refuses(&client, ended)
    );
    println!("refused after {with_nats:?} with NATS, after {without:?} without");
    // One that starts now knows it from the beginning.
    let new = Instance::start(&api, &[]).await;
    for instance in [&both, &polling, &new] {
        assert_eq!(instance.status(&client).await, 401);
        assert_eq!(instance.status(&own).await, 200);
    }
    for instance in [both, polling, new] {
        instance.stop().await;
    }
}

fn account_command(api: &Api, action: &str, account: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_write-api"));
    let url = api.database.url_as(Role::WriteApi);
    let arguments = ["--write-database-url", &url, "account", action, account];
    run(program, &arguments, &[])
}

#[tokio::test]
async fn an_operator_ends_sessions_and_resets_a_password() {
    let api = Api::start().await;
    api.person("miller").await;
    api.person("baker").await;
    let client = SignedIn::new(&api, "miller").await;
    let stranger = SignedIn::new(&api, "baker").await;
    let output = account_command(&api, "end-sessions", "@Miller");
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, "@Miller: ended 1 sessions\n");
    wait_until("the token is refused", async || client.is_refused().await).await;
    client.assert_out().await;

    let client = SignedIn::new(&api, "miller").await;
    let output = account_command(&api, "reset-password", "@miller");
    assert!(output.status.success(), "{output:?}");
    let password = String::from_utf8(output.stdout).unwrap();
    wait_until("the token is refused", async || client.is_refused().await).await;
    let sign_in = async |password: &str| {
        let body = json!({ "handle": "miller", "password": password });
        let (client, path) = (api.client(), "/v1/sessions");
        client.command(Method::POST, path, Some(body)).await
    };
    let old = sign_in(PASSWORD).await;
    old.expect_problem(401, "wrong_credentials");
    sign_in(password.trim()).await.expect(201);
    stranger.assert_in().await;

    let output = account_command(&api, "reset-password", "@nobody");
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("there is no account @nobody"), "{error}");
}
