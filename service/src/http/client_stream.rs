//! The stream of a connection, with or without TLS, whose reads are noted in the connection's [`Activity`].

use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::{
    activity::Activity,
    header_reader::{End, HeaderReader},
    write_timeout::WriteTimeout,
};

/// With or without TLS.
pub(super) type Transport = Either<WriteTimeout, TlsStream<WriteTimeout>>;

pub(super) struct ClientStream {
    stream: Transport,
    activity: Arc<Activity>,
    reader: HeaderReader,
}

impl ClientStream {
    pub(super) fn new(stream: Transport, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            activity,
            reader: HeaderReader::new(),
        }
    }

    fn observe(&mut self, bytes: &[u8]) {
        match self.reader.read(bytes) {
            // The server notes the end of a header of HTTP/1 when it has parsed it. What a client sends during a
            // request is its body, or the begin of a pipelined request; while that is incomplete, it counts as idle.
            End::Http1 if self.activity.has_requests() => {}
            End::Http1 | End::InHeader => self.activity.header_began(),
            End::OutsideHeader => self.activity.header_ended(),
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(pin!(&mut self.stream).poll_read(context, buffer))?;
        let bytes = &buffer.filled()[before..];
        if !bytes.is_empty() {
            self.observe(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(context)
    }
}
