//! What a connection is doing: requests in flight, a header that is being sent, or nothing.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Shared by a connection's clock, its stream and its requests. Times are in microseconds since the connection was
/// opened.
pub(super) struct Activity {
    opened: Instant,
    in_flight: AtomicUsize,
    /// The end of the last request, or 0 if there was none.
    idle_since: AtomicU64,
    /// The first byte of a header that is not complete, or [`NO_HEADER`].
    header_since: AtomicU64,
    write_blocked: AtomicBool,
    /// Notified by each request of HTTP/2.
    http_2: Notify,
    is_draining: AtomicBool,
    /// Bytes of responses that have not been handed to the connection.
    unsent: AtomicUsize,
}

const NO_HEADER: u64 = u64::MAX;

/// When a connection must be closed, if nothing happens on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    /// For the rest of a header.
    Header(Instant),
    /// For the first byte of the next request.
    Idle(Instant),
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            in_flight: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            header_since: AtomicU64::new(NO_HEADER),
            write_blocked: AtomicBool::new(false),
            http_2: Notify::new(),
            is_draining: AtomicBool::new(false),
            unsent: AtomicUsize::new(0),
        }
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_micros() as u64
    }

    pub(super) fn has_requests(&self) -> bool {
        self.in_flight.load(Acquire) > 0
    }

    /// The client has sent a part of a header. Does nothing if that header began earlier.
    pub(super) fn header_began(&self) {
        if self.header_since.load(Relaxed) == NO_HEADER {
            self.header_since.store(self.now(), Relaxed);
        }
    }

    pub(super) fn header_ended(&self) {
        self.header_since.store(NO_HEADER, Relaxed);
    }

    /// Whether the client takes nothing of what is written to it at present.
    pub(super) fn set_write_blocked(&self, blocked: bool) {
        self.write_blocked.store(blocked, Relaxed);
    }

    /// There is a request of HTTP/2.
    pub(super) fn set_http_2(&self) {
        self.http_2.notify_one();
    }

    /// Returns once there was a request of HTTP/2.
    pub(super) async fn http_2(&self) {
        self.http_2.notified().await;
    }

    /// The service is about to stop.
    pub(super) fn set_draining(&self) {
        self.is_draining.store(true, Relaxed);
    }

    /// None while there are requests in flight or unsent bytes, which have timeouts of their own.
    pub(super) fn deadline(
        &self,
        header_timeout: Duration,
        idle_timeout: Duration,
    ) -> Option<Deadline> {
        let at = |micros| self.opened + Duration::from_micros(micros);
        match self.header_since.load(Relaxed) {
            NO_HEADER if self.has_requests() || self.write_blocked.load(Relaxed) => None,
            NO_HEADER => Some(Deadline::Idle(
                at(self.idle_since.load(Relaxed)) + idle_timeout,
            )),
            since => Some(Deadline::Header(at(since) + header_timeout)),
        }
    }
}

/// A request in flight, until it is dropped.
pub(super) struct InFlight {
    activity: Arc<Activity>,
    /// Bytes of its response that have not been handed to the connection.
    unsent: usize,
}

impl InFlight {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.in_flight.fetch_add(1, Relaxed);
        Self {
            activity: Arc::clone(activity),
            unsent: 0,
        }
    }

    /// Whether the client should close the connection after this request.
    pub(super) fn is_draining(&self) -> bool {
        self.activity.is_draining.load(Relaxed)
    }

    /// Adds to the unsent bytes of the response, and gives those of the connection before.
    pub(super) fn queue(&mut self, bytes: usize) -> usize {
        self.unsent += bytes;
        self.activity.unsent.fetch_add(bytes, Relaxed)
    }

    /// Subtracts from them. Bytes that were not queued are ignored: a body may be longer than was known.
    pub(super) fn dequeue(&mut self, bytes: usize) {
        let bytes = bytes.min(self.unsent);
        self.unsent -= bytes;
        self.activity.unsent.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.dequeue(self.unsent);
        let activity = &self.activity;
        activity.idle_since.store(activity.now(), Relaxed);
        // After the time, which a reader that sees no request must see too.
        activity.in_flight.fetch_sub(1, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(75);

    #[tokio::test]
    async fn the_deadline_is_that_of_what_the_client_does() {
        let activity = Arc::new(Activity::new());
        let deadline = || activity.deadline(HEADER, IDLE);
        let opened = Deadline::Idle(activity.opened + IDLE);
        assert_eq!(deadline(), Some(opened));

        activity.header_began();
        let header = deadline();
        assert!(matches!(header, Some(Deadline::Header(at)) if at < activity.opened + IDLE));
        activity.header_began();
        assert_eq!(deadline(), header, "a later byte gives a header more time");

        activity.header_ended();
        let requests = [InFlight::new(&activity), InFlight::new(&activity)];
        assert_eq!(deadline(), None);
        tokio::time::sleep(Duration::from_millis(2)).await;
        drop(requests);
        assert!(matches!(deadline(), Some(Deadline::Idle(at)) if at > activity.opened + IDLE));

        activity.set_write_blocked(true);
        assert_eq!(deadline(), None);
    }
}
