//! A bare axum server that answers everything with the same bytes.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context, Result, bail};
use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue},
};
use bytes::Bytes;
use tokio::net::TcpListener;

/// Serves the answer in `file`, which is one of read-api's as it came over the wire: the same headers, the same
/// body. Nothing is looked up, nobody is asked who they are.
pub async fn serve(listen: SocketAddr, file: &Path) -> Result<()> {
    let (headers, body) = parse(&std::fs::read(file)?)?;
    let answer = move || {
        let answer = (headers.clone(), body.clone());
        async move { answer }
    };
    let app = Router::new().fallback(answer);
    axum::serve(TcpListener::bind(listen).await?, app).await?;
    Ok(())
}

fn parse(answer: &[u8]) -> Result<(HeaderMap, Bytes)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer)? else {
        bail!("the answer has no whole head");
    };
    let mut map = HeaderMap::new();
    for header in response.headers.iter() {
        // These two are the server's own doing.
        if !["date", "content-length"].contains(&header.name.to_ascii_lowercase().as_str()) {
            let name: HeaderName = header.name.parse().context("a header's name")?;
            map.append(name, HeaderValue::from_bytes(header.value)?);
        }
    }
    Ok((map, Bytes::copy_from_slice(&answer[head..])))
}
