//! The connection to NATS, which may be unavailable at any time.

use std::{
    io,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event, HeaderMap, Message, ServerAddr};
use bytes::Bytes;
use feedmill_events::{AnnouncementKey, subject};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use crate::{NatsArgs, telemetry};

/// How long a request waits for NATS to take a message. The client buffers, so that this is long only if it does not write any
/// more.
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(100);

/// The kinds of messages that no service signed.
const EVENT: &str = "event";
const ANNOUNCEMENT: &str = "announcement";

/// How long an operator's command waits for a connection.
const ONCE_TIMEOUT: Duration = Duration::from_secs(2);

/// A client that connects in the background and reconnects for ever. Returns at once, whether or not a server is
/// available; `client.connection_state()` is its state. `service` is the client's name in the server's monitoring, and
/// decides where answers go to ([`subject::inbox_prefix`]). Errors: credentials that cannot be read.
pub async fn connect(args: &NatsArgs, service: &str) -> Result<Client, ConnectError> {
    // A counter that appears with its first message has not increased yet.
    for kind in [EVENT, ANNOUNCEMENT] {
        metrics::counter!("nats_unauthentic_messages_total", "kind" => kind).increment(0);
    }
    let options = options(args, service).await?;
    let options = options
        .retry_on_initial_connect()
        .max_reconnects(None)
        .connection_timeout(Duration::from_secs(5))
        .ping_interval(Duration::from_secs(10))
        .reconnect_delay_callback(|attempts| {
            let exponent = u32::try_from(attempts.min(6)).unwrap_or(6);
            Duration::from_millis((50 << exponent).min(2_000))
        })
        .event_callback(|event| async move { report(&event) });
    Ok(options.connect(servers(args)).await?)
}

/// A client for an operator's command. Errors: no server is available within two seconds, or a setting is invalid.
pub async fn connect_once(args: &NatsArgs, service: &str) -> Result<Client, ConnectError> {
    let connecting = async {
        let options = options(args, service).await?;
        let options = options.connection_timeout(ONCE_TIMEOUT);
        Ok(options.connect(servers(args)).await?)
    };
    let connected = tokio::time::timeout(ONCE_TIMEOUT, connecting).await;
    connected.map_err(|_| ConnectError::Timeout)?
}

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("cannot read {0}: {1}")]
    File(PathBuf, io::Error),
    #[error(transparent)]
    Nats(#[from] async_nats::ConnectError),
    #[error("NATS does not answer")]
    Timeout,
}

fn servers(args: &NatsArgs) -> Vec<&str> {
    args.nats_url.split(',').collect()
}

async fn options(args: &NatsArgs, service: &str) -> Result<ConnectOptions, ConnectError> {
    telemetry::install_crypto_provider();
    let mut options = ConnectOptions::new()
        .name(service)
        .custom_inbox_prefix(subject::inbox_prefix(service));
    if let Some(file) = &args.nats_ca_file {
        options = options
            .add_root_certificates(file.clone())
            .require_tls(true);
    }
    let in_url = || {
        let address: ServerAddr = servers(args).first()?.parse().ok()?;
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Some((decode(address.username()?), decode(address.password()?)))
    };
    let user = args.nats_user.clone().zip(args.nats_password.clone());
    Ok(if let Some(file) = &args.nats_creds_file {
        let options = options.credentials_file(file).await;
        options.map_err(|error| ConnectError::File(file.clone(), error))?
    } else if let Some(file) = &args.nats_nkey_file {
        let seed = tokio::fs::read_to_string(file).await;
        let seed = seed.map_err(|error| ConnectError::File(file.clone(), error))?;
        options.nkey(seed.trim().to_owned())
    } else if let Some(token) = &args.nats_token {
        options.token(token.clone())
    } else if let Some((user, password)) = user.or_else(in_url) {
        options.user_and_password(user, password)
    } else {
        options
    })
}

fn report(event: &Event) {
    match event {
        Event::Connected => tracing::info!("nats: connected"),
        Event::Disconnected => tracing::warn!("nats: disconnected, reconnecting"),
        Event::Closed | Event::Draining => tracing::debug!(%event, "nats: closing the connection"),
        event => tracing::warn!(%event, "nats: the client reports a problem"),
    }
}

/// Publishes a signed message on core NATS. Errors: NATS does not take it within [`PUBLISH_TIMEOUT`].
pub async fn publish_signed(
    client: &Client,
    key: &AnnouncementKey,
    subject: &str,
    payload: Bytes,
) -> Result<(), PublishError> {
    let mut headers = HeaderMap::new();
    headers.insert(subject::CODE, key.sign(subject, &payload));
    let published = client.publish_with_headers(subject.to_owned(), headers, payload);
    let published = timeout(PUBLISH_TIMEOUT, published).await;
    published.map_err(|_| PublishError::Timeout)??;
    Ok(())
}

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Nats(#[from] async_nats::PublishError),
    #[error("NATS does not take messages")]
    Timeout,
}

/// Whether a service of this installation published the message. One that is not is counted, and logged at times.
pub fn is_authentic(message: &Message, key: &AnnouncementKey) -> bool {
    let code = message
        .headers
        .as_ref()
        .and_then(|it| it.get(subject::CODE));
    let subject = message.subject.as_str();
    let is_authentic =
        code.is_some_and(|code| key.verify(subject, &message.payload, code.as_str()));
    if !is_authentic {
        report_unauthentic(subject);
    }
    is_authentic
}

/// Counts a message that no service of this installation published. Logs the first one, the second, the fourth and so on, so
/// that whoever sends them cannot fill the log.
pub fn report_unauthentic(subject: &str) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let kind = if subject.starts_with("feedmill.events.") {
        EVENT
    } else {
        ANNOUNCEMENT
    };
    metrics::counter!("nats_unauthentic_messages_total", "kind" => kind).increment(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    if count.is_power_of_two() {
        tracing::warn!(
            subject,
            count,
            "nats: ignoring a message that no service of this installation signed; who else may publish on this NATS server?"
        );
    }
}
