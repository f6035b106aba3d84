//! The accept loop, in place of axum's `serve`, which has neither a header timeout nor a connection limit.

use std::{pin::pin, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::{
    in_flight::{InFlight, RequestCounts},
    write_timeout::WriteTimeout,
};
use crate::{config::HttpArgs, shutdown::Shutdown, tokens::ConnectionToken};

/// Concurrent requests of one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// Serves until `shutdown`. Soft: accepts no new connections, finishes requests in flight, and closes idle
/// connections. Hard: closes all connections. At `args.max_connections`, new connections wait in the listener's
/// backlog. Errors: none after the start; a failed accept is logged and retried.
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
    tracing::info!(%address, max_open_files, "http: listening");
    let builder = Arc::new(builder(args));
    let permits = Arc::new(Semaphore::new(
        args.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    let tasks = TaskTracker::new();
    while let Some((stream, permit)) = accept(&listener, &permits, &shutdown).await {
        let connection = Connection {
            builder: Arc::clone(&builder),
            app: app.clone(),
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

fn builder(args: &HttpArgs) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(args.header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
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
                    tokio::time::sleep(Duration::from_millis(100)).await;
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
    builder: Arc<auto::Builder<TokioExecutor>>,
    app: Router,
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
        self.serve(stream).await;
        gauge.decrement(1.0);
    }

    async fn serve(self, stream: TcpStream) {
        let counts = Arc::new(RequestCounts::default());
        let token = ConnectionToken::default();
        let service = service_fn(|request: Request<Incoming>| {
            let in_flight = InFlight::new(&counts);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(token.clone());
            let response = self.app.clone().oneshot(request);
            async move {
                response
                    .await
                    .map(|response| response.map(|body| in_flight.until_sent(body)))
            }
        });
        let stream = TokioIo::new(WriteTimeout::new(stream, self.write_timeout));
        let mut connection = pin!(self.builder.serve_connection(stream, service));
        // hyper's header timeout starts with the first bytes of HTTP/1. This clock closes connections of clients that
        // send nothing at all, and idle HTTP/2 connections.
        let mut clock = interval(self.header_timeout);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        clock.tick().await;
        let (mut started_before, mut shutting_down) = (0, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "http: a connection failed");
                    }
                    return;
                }
                () = self.shutdown.hard.cancelled() => return,
                () = self.shutdown.soft.cancelled(), if !shutting_down => {
                    shutting_down = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = clock.tick() => {
                    let started = counts.started();
                    if started == started_before && counts.in_flight() == 0 {
                        return;
                    }
                    if started_before == 0 {
                        clock = interval(self.idle_timeout);
                        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
                        clock.tick().await;
                    }
                    started_before = started;
                }
            }
        }
    }
}
