//! A bare axum server that answers every request with the same bytes.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context, Result, bail};
use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue},
};
use bytes::Bytes;
use tokio::net::TcpListener;

/// Serves the response in `file`, which was recorded from read-api: the same headers and the same body, without any
/// lookup or authentication.
pub async fn serve(listen: SocketAddr, file: &Path) -> Result<()> {
    let (headers, body) = parse(&std::fs::read(file)?)?;
    let handler = move || {
        let response = (headers.clone(), body.clone());
        async move { response }
    };
    let app = Router::new().fallback(handler);
    axum::serve(TcpListener::bind(listen).await?, app).await?;
    Ok(())
}

fn parse(recorded: &[u8]) -> Result<(HeaderMap, Bytes)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(recorded)? else {
        bail!("the recorded response has no complete head");
    };
    let mut map = HeaderMap::new();
    for header in response.headers.iter() {
        // The server adds these two itself.
        if !["date", "content-length"].contains(&header.name.to_ascii_lowercase().as_str()) {
            let name: HeaderName = header.name.parse().context("invalid header name")?;
            map.append(name, HeaderValue::from_bytes(header.value)?);
        }
    }
    Ok((map, Bytes::copy_from_slice(&recorded[head..])))
}
