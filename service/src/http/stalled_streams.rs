//! Resetting responses of HTTP/2 whose clients do not take them.
//!
//! A client grants each stream a window of bytes. Without one, the response waits in memory, while the socket works and
//! so has no timeout.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use tokio::{
    task_local,
    time::{Sleep, sleep},
};

task_local! {
    static PROGRESS: Arc<Progress>;
}

/// How far the response of a stream is: the number of times that it began or ceased to wait for its client. Odd while it
/// waits.
#[derive(Default)]
pub(super) struct Progress(AtomicU64);

impl Progress {
    /// That of the stream that this task runs. None in HTTP/1, where the socket itself blocks.
    pub(super) fn of_this_stream() -> Option<Arc<Self>> {
        PROGRESS.try_with(Arc::clone).ok()
    }

    /// A piece of the body is ready, and waits for the client's window.
    pub(super) fn piece_waits(&self) {
        self.0.fetch_or(1, Relaxed);
    }

    /// The client's window has room for all pieces so far.
    pub(super) fn pieces_are_taken(&self) {
        let count = self.0.load(Relaxed);
        self.0.store(count + count % 2, Relaxed);
    }

    /// The number of the piece that waits.
    fn waiting_piece(&self) -> Option<u64> {
        let count = self.0.load(Relaxed);
        (count % 2 == 1).then_some(count)
    }
}

/// Runs the streams of HTTP/2 connections, and resets those that make no progress for `write_timeout`.
#[derive(Debug, Clone)]
pub(super) struct StreamExecutor {
    pub(super) write_timeout: Duration,
}

impl<F> hyper::rt::Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(run(stream, self.write_timeout));
    }
}

/// Dropping the future of a stream before its end resets the stream.
async fn run(stream: impl Future<Output = ()>, write_timeout: Duration) {
    let progress = Arc::new(Progress::default());
    let mut stream = pin!(PROGRESS.scope(Arc::clone(&progress), stream));
    let mut timer: Option<(u64, Pin<Box<Sleep>>)> = None;
    let end_or_timeout = poll_fn(|context| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let Some(piece) = progress.waiting_piece() else {
            timer = None;
            return Poll::Pending;
        };
        let running = timer.take_if(|(of, _)| *of == piece);
        let new = || (piece, Box::pin(sleep(write_timeout)));
        let (_, deadline) = timer.insert(running.unwrap_or_else(new));
        deadline.as_mut().poll(context).map(|()| {
            metrics::counter!("http_slow_readers_total").increment(1);
        })
    });
    end_or_timeout.await;
}
