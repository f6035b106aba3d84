//! A connection that is kept alive, with just as much of HTTP/1.1 as our servers speak.

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Made at the first request, and anew after a failure.
pub struct Connection {
    address: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    /// Where the body of the last answer is in the buffer.
    body: std::ops::Range<usize>,
}

#[derive(Debug, Clone, Copy)]
pub struct Answer {
    pub status: u16,
    /// Bytes of the body.
    pub body: usize,
    /// What `X-Cache` says, if it is there.
    pub hit: Option<bool>,
}

impl Answer {
    pub fn is_good(self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Connection {
    pub fn to(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            stream: None,
            buffer: Vec::with_capacity(64 << 10),
            body: 0..0,
        }
    }

    /// The body of the last answer.
    pub fn body(&self) -> &[u8] {
        &self.buffer[self.body.clone()]
    }

    /// The head of the last answer, for those who look at more than [`Answer`] says.
    pub fn head(&self) -> &[u8] {
        &self.buffer[..self.body.start]
    }

    /// Sends a whole request and reads the whole answer. After an error the next one connects anew.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
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
        let (answer, head) = loop {
            self.read(&mut stream).await?;
            if let Some(found) = parse(&self.buffer)? {
                break found;
            }
        };
        let whole = head + answer.body;
        while self.buffer.len() < whole {
            self.read(&mut stream).await?;
        }
        if self.buffer.len() > whole {
            bail!("the answer is longer than it says");
        }
        self.body = head..whole;
        self.stream = Some(stream);
        Ok(answer)
    }

    async fn read(&mut self, stream: &mut TcpStream) -> Result<()> {
        if stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the connection was closed within an answer");
        }
        Ok(())
    }
}

/// The answer and where its body begins, once the head is there.
fn parse(buffer: &[u8]) -> Result<Option<(Answer, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(buffer)? else {
        return Ok(None);
    };
    let status = response.code.context("an answer without a status")?;
    let (mut length, mut hit) = (None, None);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = std::str::from_utf8(header.value)?.parse().ok();
        } else if header.name.eq_ignore_ascii_case("x-cache") {
            hit = Some(header.value == b"hit");
        }
    }
    // These have no body, and need no length.
    let body = if matches!(status, 204 | 304) {
        0
    } else {
        length.context("an answer without content-length")?
    };
    Ok(Some((Answer { status, body, hit }, head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_understood_once_its_head_is_there() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Cache: hit\r\n\r\nhello";
        assert!(parse(&text[..40]).unwrap().is_none());
        let (answer, head) = parse(text).unwrap().unwrap();
        assert_eq!(
            (answer.status, answer.body, answer.hit),
            (200, 5, Some(true))
        );
        assert_eq!(&text[head..], b"hello");
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        let (answer, _) = parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!(answer.body, 0);
    }
}
