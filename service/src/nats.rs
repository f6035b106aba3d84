//! The connection to NATS, which may be absent at any time.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};

/// A client that connects in the background and for ever again. Returns at once, whether or not a server
/// is there; `client.connection_state()` says how it stands. `name` is what the server shows for it.
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
                    Event::Connected => tracing::info!("connected to NATS"),
                    Event::Disconnected => {
                        tracing::warn!("lost the connection to NATS; trying again");
                    }
                    Event::Closed | Event::Draining => {
                        tracing::debug!(%event, "the NATS connection ends");
                    }
                    event => tracing::warn!(%event, "NATS says"),
                }
            });
        match options.connect(servers).await {
            Ok(client) => return client,
            // Only settings that cannot work come here: an absent server is retried by the client itself.
            Err(error) => {
                tracing::error!(%error, "cannot use the NATS settings; trying again in 5 s");
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    }
}
