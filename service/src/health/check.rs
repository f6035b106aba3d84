//! The health check of a container: a subcommand, because the image has neither a shell nor curl.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// More than `/health/ready` answers.
const MAX_ANSWER: u64 = 64 << 10;

/// Asks the instance whose `ADMIN_LISTEN` is `admin` for `/health/ready`. Errors: it is not ready, with its answer, or it does not
/// answer within 5 s.
pub async fn check(admin: SocketAddr) -> anyhow::Result<()> {
    let answer = timeout(CHECK_TIMEOUT, ask(reachable(admin)));
    let answer = answer.await.context("/health/ready does not answer")?;
    let answer = answer.with_context(|| format!("cannot ask {admin} for /health/ready"))?;
    if answer.starts_with("HTTP/1.0 200 ") {
        return Ok(());
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    bail!("not ready: {body}")
}

/// HTTP/1.0, in which the server closes the connection after its answer.
async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /health/ready HTTP/1.0\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
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
