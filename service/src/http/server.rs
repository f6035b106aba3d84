//! The accept loop, in place of axum's `serve`, which has neither timeouts nor a connection limit.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, Version, header},
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::{
    activity::{Activity, Deadline, InFlight},
    client_stream::{ClientStream, Transport},
    response_body::respond,
    stalled_streams::StreamExecutor,
    tls::Tls,
    write_timeout::WriteTimeout,
};
use crate::{client_address::Peer, config::HttpArgs, shutdown::Shutdown, tokens::ConnectionToken};

/// Concurrent requests of one HTTP/2 connection. A proxy that needs more opens another connection.
const MAX_STREAMS: u32 = 32;

/// The maximum number of bytes of a request's body that HTTP/2 accepts before they are read: the largest body of most
/// routes.
const STREAM_WINDOW: u32 = 64 << 10;

/// The same for all requests of a connection.
const CONNECTION_WINDOW: u32 = 256 << 10;

/// The maximum number of bytes that are buffered for each stream of HTTP/2 and for each connection of HTTP/1, either way. A
/// header of HTTP/1 must fit.
const MAX_BUFFER: usize = 64 << 10;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

type Builder = auto::Builder<StreamExecutor>;

/// Serves until `shutdown`. Drain: asks the clients of each connection to close it, by `Connection: close` or, in HTTP/2, GOAWAY. Soft:
/// accepts no new connections, finishes requests in flight, and closes idle connections. Hard: closes all connections. At `args.max_connections`, new connections wait in the listener's
/// backlog. Errors: a certificate that cannot be used; none after the start. A failed accept is logged and retried.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    args: &HttpArgs,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    let max_open_files = raise_open_file_limit();
    let tls = Tls::new(&args.tls).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!(%address, scheme, max_open_files, "http: listening");
    if let Some(tls) = tls.clone() {
        tokio::spawn(
            shutdown
                .soft
                .clone()
                .run_until_cancelled_owned(tls.reload()),
        );
    }
    let builder = Arc::new(builder(args));
    let permits = Arc::new(Semaphore::new(
        args.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    let tasks = TaskTracker::new();
    while let Some((stream, permit)) = accept(&listener, &permits, &shutdown).await {
        let connection = Connection {
            builder: Arc::clone(&builder),
            app: app.clone(),
            tls: tls.clone(),
            header_timeout: args.header_timeout,
            idle_timeout: args.idle_timeout,
            write_timeout: args.write_timeout,
            shutdown: shutdown.clone(),
        };
        tasks.spawn(async move {
            connection.run(stream).await;
            drop(permit);
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
    tracing::info!(%address, "http: stopped listening, all connections are closed");
    Ok(())
}

/// Raises the limit of open files to the hard limit and gives it: a connection takes one, and the usual soft limit is
/// 1,024.
fn raise_open_file_limit() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "http: cannot raise the limit of open files (ulimit -n), a connection needs one");
        0
    })
}

fn builder(args: &HttpArgs) -> Builder {
    let mut builder = auto::Builder::new(StreamExecutor {
        write_timeout: args.write_timeout,
    });
    // hyper's timeout for headers also runs between requests. The clock of a connection has both timeouts.
    builder
        .http1()
        .header_read_timeout(None)
        .max_buf_size(MAX_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_BUFFER)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

/// Takes a permit first, then accepts a connection. None once the service shuts down.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    shutdown: &Shutdown,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepted = async {
        let permit = Arc::clone(permits).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, permit)),
                Err(error) => {
                    // Usually out of file descriptors: waiting lets some connections end.
                    tracing::warn!(%error, "http: cannot accept a connection, retrying in 100 ms");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = shutdown.soft.cancelled() => None,
        accepted = accepted => accepted,
    }
}

struct Connection {
    builder: Arc<Builder>,
    app: Router,
    tls: Option<Tls>,
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    shutdown: Shutdown,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Responses are written whole, so Nagle's algorithm would only delay them.
        let _ = stream.set_nodelay(true);
        let gauge = metrics::gauge!("http_connections");
        gauge.increment(1.0);
        // Without an address it is already closed.
        let peer = stream.peer_addr().ok().map(|address| Peer(address.ip()));
        let activity = Arc::new(Activity::new());
        let stream = WriteTimeout::new(stream, self.write_timeout, Arc::clone(&activity));
        if let Some(stream) = self.handshake(stream).await {
            self.serve(stream, peer, activity).await;
        }
        gauge.decrement(1.0);
    }

    /// With TLS, which may take as long as a header.
    async fn handshake(&self, stream: WriteTimeout) -> Option<Transport> {
        let Some(tls) = &self.tls else {
            return Some(Transport::Left(stream));
        };
        let accepted = timeout(self.header_timeout, tls.accept(stream));
        tokio::select! {
            accepted = accepted => match accepted.ok()? {
                Ok(stream) => Some(Transport::Right(stream)),
                Err(error) => {
                    tracing::debug!(%error, "http: a TLS handshake failed");
                    None
                }
            },
            () = self.shutdown.soft.cancelled() => None,
        }
    }

    async fn serve(self, stream: Transport, peer: Option<Peer>, activity: Arc<Activity>) {
        let token = ConnectionToken::default();
        if self.shutdown.drain.is_cancelled() {
            activity.set_draining();
        }
        let service = service_fn(|request: Request<Incoming>| {
            let in_flight = InFlight::new(&activity);
            let is_http_2 = request.version() >= Version::HTTP_2;
            if is_http_2 {
                activity.set_http_2();
            } else {
                // In HTTP/2, the bytes of the next header may have been read before this request was parsed.
                activity.header_ended();
            }
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(token.clone());
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let response = self.app.clone().oneshot(request);
            async move {
                let mut response = response.await?;
                if in_flight.is_draining() && !is_http_2 {
                    // A client that reads this sends nothing more. Closing an idle connection could cut a request.
                    response.headers_mut().insert(header::CONNECTION, CLOSE);
                }
                Ok::<_, Infallible>(respond(response, in_flight))
            }
        });
        let stream = ClientStream::new(stream, Arc::clone(&activity));
        let stream = TokioIo::new(stream);
        let mut connection = pin!(self.builder.serve_connection(stream, service));
        // A header may begin at any time, and its deadline is then earlier than the one that this clock was set to.
        let interval = self.header_timeout.min(self.idle_timeout);
        let mut clock = pin!(sleep(interval));
        let (mut draining, mut closing) = (false, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "http: a connection failed");
                    }
                    return;
                }
                () = self.shutdown.hard.cancelled() => return,
                () = self.shutdown.drain.cancelled(), if !draining => {
                    draining = true;
                    activity.set_draining();
                }
                // In HTTP/1, this would cut a request that is on its way.
                () = activity.http_2(), if draining && !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.shutdown.soft.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = clock.as_mut() => {
                    let now = Instant::now();
                    let next = now + interval;
                    let deadline = activity.deadline(self.header_timeout, self.idle_timeout);
                    let next = match deadline {
                        Some(Deadline::Header(at)) if at <= now => return,
                        Some(Deadline::Idle(at)) if at <= now && closing => return,
                        Some(Deadline::Idle(at)) if at <= now => {
                            closing = true;
                            connection.as_mut().graceful_shutdown();
                            // A client of HTTP/2 has this long to confirm it.
                            next
                        }
                        Some(Deadline::Header(at) | Deadline::Idle(at)) => at.min(next),
                        None => next,
                    };
                    clock.as_mut().reset(next);
                }
            }
        }
    }
}
