//! The accept loop. axum's own `serve` has no header timeout and no cap, so this stands in its place.

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
    open::{Open, Requests},
    patience::Patient,
};
use crate::{config::HttpArgs, shutdown::Shutdown};

/// An HTTP/2 client has this many requests under way on one connection.
const MAX_STREAMS: u32 = 128;

/// Serves until `shutdown`. Soft: no new connections, requests under way finish, idle connections close.
/// Hard: whatever is left is cut. Over `args.max_connections`, new connections wait in the listener's
/// queue. Errors: none after the start; a failed accept is logged and tried again.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    args: &HttpArgs,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    let files = files();
    tracing::info!(%address, files, "listening");
    let builder = Arc::new(builder(args));
    let places = Arc::new(Semaphore::new(
        args.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    let tasks = TaskTracker::new();
    while let Some((stream, place)) = next(&listener, &places, &shutdown).await {
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
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
    tracing::info!(%address, "no longer listening");
    Ok(())
}

/// As many open files as this process may have: a connection takes one, and the usual limit is 1,024.
fn files() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot raise the limit of open files");
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

/// A place first, then a connection to take it. None once the service shuts down.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    shutdown: &Shutdown,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepted = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
                Err(error) => {
                    // Out of file descriptors, mostly: waiting lets some connections end.
                    tracing::warn!(%error, "cannot accept a connection; trying again");
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
        // Answers are written whole, so waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let gauge = metrics::gauge!("http_connections");
        gauge.increment(1.0);
        self.exchange(stream).await;
        gauge.decrement(1.0);
    }

    async fn exchange(self, stream: TcpStream) {
        let requests = Arc::new(Requests::default());
        let service = service_fn(|request: Request<Incoming>| {
            let open = Open::new(&requests);
            let answer = self.app.clone().oneshot(request.map(Body::new));
            async move {
                answer
                    .await
                    .map(|answer| answer.map(|body| open.until_sent(body)))
            }
        });
        let stream = TokioIo::new(Patient::new(stream, self.write_timeout));
        let mut connection = pin!(self.builder.serve_connection(stream, service));
        // hyper's header timeout begins with the first bytes of HTTP/1; a client that sends nothing at all,
        // or sits on an HTTP/2 connection, is up to this clock.
        let mut clock = interval(self.header_timeout);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        clock.tick().await;
        let (mut seen, mut leaving) = (0, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "a connection ended badly");
                    }
                    return;
                }
                () = self.shutdown.hard.cancelled() => return,
                () = self.shutdown.soft.cancelled(), if !leaving => {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = clock.tick() => {
                    let begun = requests.begun();
                    if begun == seen && requests.open() == 0 {
                        return;
                    }
                    if seen == 0 {
                        clock = interval(self.idle_timeout);
                        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
                        clock.tick().await;
                    }
                    seen = begun;
                }
            }
        }
    }
}
