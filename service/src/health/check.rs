//! The health check of a container: a subcommand, because the image has neither a shell nor curl.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, bail};

use crate::telemetry;

const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the instance whose `ADMIN_LISTEN` is `admin` for `/health/ready`. Errors: it is not ready, with its answer, or it does not
/// answer within 5 s.
pub async fn check(admin: SocketAddr) -> anyhow::Result<()> {
    telemetry::install_crypto_provider();
    let client = reqwest::Client::builder().no_proxy().timeout(CHECK_TIMEOUT);
    let url = format!("http://{}/health/ready", reachable(admin));
    let answer = client.build()?.get(&url).send().await;
    let answer = answer.with_context(|| format!("cannot ask {url}"))?;
    if answer.status().is_success() {
        return Ok(());
    }
    bail!("not ready: {}", answer.text().await.unwrap_or_default())
}

/// Where this machine reaches what listens on `address`, which may stand for all addresses of the machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::Health;

    #[tokio::test]
    async fn it_succeeds_only_if_the_service_is_ready() {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let health = Health::new();
        tokio::spawn(axum::serve(listener, health.router()).into_future());
        check(address).await.unwrap();

        health.set("database", Err("does not answer".to_owned()));
        let error = check(address).await.unwrap_err().to_string();
        assert!(error.starts_with("not ready: {"), "{error}");
        assert!(error.contains("does not answer"), "{error}");
    }

    #[tokio::test]
    async fn nothing_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = check(address).await.unwrap_err().to_string();
        assert!(error.contains("cannot ask"), "{error}");
    }
}
