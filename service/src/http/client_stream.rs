//! The stream of a connection: with a timeout for writes, and with its reads noted in the connection's [`Activity`].

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::{
    activity::Activity,
    header_reader::{End, HeaderReader},
};

/// A write fails with `TimedOut` when nothing could be written for `timeout`. Without that, a client that stops reading
/// would hold its connection and the buffered response for ever.
pub(super) struct ClientStream {
    stream: Transport,
    timeout: Duration,
    /// Runs from the first write that had to wait until one succeeds.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Whether it runs because bytes that were accepted could not be sent. Only TLS buffers any.
    flushing: bool,
    activity: Arc<Activity>,
    reader: HeaderReader,
}

impl ClientStream {
    pub(super) fn new(stream: Transport, timeout: Duration, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            timeout,
            deadline: None,
            flushing: false,
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

    /// A flush of a plain connection is always ready, and says nothing about a write that waits.
    fn check_flush(
        &mut self,
        context: &mut Context<'_>,
        flushed: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        if flushed.is_ready() && !self.flushing {
            return flushed;
        }
        self.flushing = true;
        self.check_deadline(context, flushed)
    }

    fn check_deadline<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.flushing = false;
            if self.deadline.take().is_some() {
                self.activity.set_write_blocked(false);
            }
            return written;
        }
        self.activity.set_write_blocked(true);
        let timeout = self.timeout;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(timeout)));
        match deadline.as_mut().poll(context) {
            Poll::Ready(()) => {
                metrics::counter!("http_slow_readers_total").increment(1);
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// With or without TLS.
pub(super) type Transport = Either<TcpStream, TlsStream<TcpStream>>;

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
        let written = pin!(&mut self.stream).poll_write(context, bytes);
        self.check_deadline(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = pin!(&mut self.stream).poll_write_vectored(context, slices);
        self.check_deadline(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = pin!(&mut self.stream).poll_flush(context);
        self.check_flush(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = pin!(&mut self.stream).poll_shutdown(context);
        self.check_flush(context, shut_down)
    }
}
