//! A keep-alive connection, with the subset of HTTP/1.1 that the measured servers use.

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Connects at the first request, and again after an error.
pub struct Connection {
    address: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    /// The range of the last response's body in the buffer.
    body: std::ops::Range<usize>,
}

#[derive(Debug, Clone, Copy)]
pub struct Response {
    pub status: u16,
    /// The size of the body in bytes.
    pub body: usize,
    /// Whether `X-Cache` is `hit`. None without the header.
    pub hit: Option<bool>,
}

impl Response {
    pub fn is_success(self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Connection {
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            stream: None,
            buffer: Vec::with_capacity(64 << 10),
            body: 0..0,
        }
    }

    /// The body of the last response.
    pub fn body(&self) -> &[u8] {
        &self.buffer[self.body.clone()]
    }

    /// The head of the last response.
    pub fn head(&self) -> &[u8] {
        &self.buffer[..self.body.start]
    }

    /// Sends a complete request and reads the complete response. After an error the next call reconnects.
    pub async fn send(&mut self, request: &[u8]) -> Result<Response> {
        let mut stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let stream = TcpStream::connect(&self.address).await;
            let stream = stream.with_context(|| self.address.clone())?;
            stream.set_nodelay(true)?;
            stream
        };
        stream.write_all(request).await?;
        self.buffer.clear();
        self.body = 0..0;
        let (response, head) = loop {
            self.read(&mut stream).await?;
            if let Some(found) = parse(&self.buffer)? {
                break found;
            }
        };
        let end = head + response.body;
        while self.buffer.len() < end {
            self.read(&mut stream).await?;
        }
        if self.buffer.len() > end {
            bail!("the response is longer than its content-length");
        }
        self.body = head..end;
        self.stream = Some(stream);
        Ok(response)
    }

    async fn read(&mut self, stream: &mut TcpStream) -> Result<()> {
        if stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the connection was closed before the end of the response");
        }
        Ok(())
    }
}

/// The response and the start of its body. None until the head is complete.
fn parse(buffer: &[u8]) -> Result<Option<(Response, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(buffer)? else {
        return Ok(None);
    };
    let status = parsed.code.context("the response has no status")?;
    let (mut length, mut hit) = (None, None);
    for header in parsed.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = std::str::from_utf8(header.value)?.parse().ok();
        } else if header.name.eq_ignore_ascii_case("x-cache") {
            hit = Some(header.value == b"hit");
        }
    }
    // These have no body.
    let body = if matches!(status, 204 | 304) {
        0
    } else {
        length.context("the response has no content-length")?
    };
    Ok(Some((Response { status, body, hit }, head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_parsed_when_its_head_is_complete() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Cache: hit\r\n\r\nhello";
        assert!(parse(&text[..40]).unwrap().is_none());
        let (response, head) = parse(text).unwrap().unwrap();
        assert_eq!(
            (response.status, response.body, response.hit),
            (200, 5, Some(true))
        );
        assert_eq!(&text[head..], b"hello");
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        let (response, _) = parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!(response.body, 0);
    }
}
