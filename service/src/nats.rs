//! The connection to NATS, which may be unavailable at any time.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};

/// A client that connects in the background and reconnects for ever. Returns at once, whether or not a server is
/// available; `client.connection_state()` is its state. `name` is the client's name in the server's monitoring. `url`
/// may list several servers, separated by commas.
pub async fn connect(url: &str, name: &str) -> Client {
    loop {
        let servers: Vec<&str> = url.split(',').collect();
        let options = ConnectOptions::new()
            .name(name)
            .retry_on_initial_connect()
            .max_reconnects(None)
            .connection_timeout(Duration::from_secs(5))
            .ping_interval(Duration::from_secs(10))
            .reconnect_delay_callback(|attempts| {
                let exponent = u32::try_from(attempts.min(6)).unwrap_or(6);
                Duration::from_millis((50 << exponent).min(2_000))
            })
            .event_callback(|event| async move {
                match event {
                    Event::Connected => tracing::info!("nats: connected"),
                    Event::Disconnected => {
                        tracing::warn!("nats: disconnected, reconnecting");
                    }
                    Event::Closed | Event::Draining => {
                        tracing::debug!(%event, "nats: closing the connection");
                    }
                    event => tracing::warn!(%event, "nats: the client reports a problem"),
                }
            });
        match options.connect(servers).await {
            Ok(client) => return client,
            // Only for invalid settings: the client itself retries an unavailable server.
            Err(error) => {
                tracing::error!(%error, "nats: invalid settings, retrying in 5 s; check NATS_URL");
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    }
}
