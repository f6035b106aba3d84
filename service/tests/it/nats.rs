use std::{path::Path, time::Duration};

use async_nats::{Client, connection::State};
use feedmill_service::{NatsArgs, nats};
use feedmill_tests::kit::{Nats, TempFolder, wait_until};
use tokio::time::timeout;

async fn until(client: &Client, state: State) {
    let reached = async || client.connection_state() == state;
    wait_until(&format!("the client is {state:?}"), reached).await;
}

#[tokio::test]
async fn the_client_connects_and_reconnects_in_the_background() {
    let mut server = Nats::absent();
    let args = NatsArgs::at(&server.url());
    let connecting = timeout(Duration::from_secs(10), nats::connect(&args, "test"));
    let client = connecting
        .await
        .expect("a client without a server")
        .unwrap();
    assert_ne!(client.connection_state(), State::Connected);
    for _ in 0..2 {
        server.launch().await;
        until(&client, State::Connected).await;
        server.kill();
        until(&client, State::Disconnected).await;
    }
}

/// Whether a client with these settings connects to the server.
async fn logs_in(server: &Nats, change: impl FnOnce(&mut NatsArgs)) -> bool {
    let mut args = NatsArgs::at(&server.url());
    change(&mut args);
    nats::connect_once(&args, "test").await.is_ok()
}

#[tokio::test]
async fn a_client_logs_in_with_a_user_and_password() {
    let config = r#"authorization { user: miller, password: "st@ne" }"#;
    let server = Nats::start_with_config(config).await;
    let with = |password: &'static str| {
        move |args: &mut NatsArgs| {
            args.nats_user = Some("miller".to_owned());
            args.nats_password = Some(password.to_owned());
        }
    };
    assert!(!logs_in(&server, |_| ()).await);
    assert!(!logs_in(&server, with("water")).await);
    assert!(logs_in(&server, with("st@ne")).await);
    let in_url = |args: &mut NatsArgs| {
        args.nats_url = server.url().replace("nats://", "nats://miller:st%40ne@");
    };
    assert!(logs_in(&server, in_url).await);
}

#[tokio::test]
async fn a_client_logs_in_with_a_token() {
    let server = Nats::start_with_config("authorization { token: stone }").await;
    let with =
        |token: &'static str| move |args: &mut NatsArgs| args.nats_token = Some(token.to_owned());
    assert!(!logs_in(&server, with("water")).await);
    assert!(logs_in(&server, with("stone")).await);
}

#[tokio::test]
async fn a_client_logs_in_with_an_nkey() {
    const SEED: &str = "SUANQDPB2RUOE4ETUA26CNX7FUKE5ZZKFCQIIW63OX225F2CO7UEXTM7ZY";
    let public = "UAMMBNV2EYR65NYZZ7IAK5SIR5ODNTTERJOBOF4KJLMWI45YOXOSWULM";
    let config = format!("authorization {{ users: [ {{ nkey: {public} }} ] }}");
    let server = Nats::start_with_config(&config).await;
    let folder = TempFolder::new();
    let (file, missing) = (folder.path().join("seed"), folder.path().join("missing"));
    std::fs::write(&file, format!("{SEED}\n")).unwrap();
    assert!(!logs_in(&server, |_| ()).await);
    assert!(logs_in(&server, |args| args.nats_nkey_file = Some(file)).await);
    // A file that cannot be read is reported at the start, and not only when NATS is there.
    let args = NatsArgs {
        nats_nkey_file: Some(missing.clone()),
        ..NatsArgs::at(&server.url())
    };
    let error = nats::connect(&args, "test").await.unwrap_err().to_string();
    assert!(error.contains(&missing.display().to_string()), "{error}");
}

#[tokio::test]
async fn a_client_logs_in_with_a_credentials_file() {
    let server = Nats::start_with_config(include_str!("nats/server.conf")).await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/nats/user.creds");
    assert!(!logs_in(&server, |_| ()).await);
    assert!(logs_in(&server, |args| args.nats_creds_file = Some(file)).await);
}
