//! The requests of a connection whose responses have not been sent completely.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};

/// Counts of a connection's requests: all that have started, and those in flight.
#[derive(Default)]
pub(super) struct RequestCounts {
    started: AtomicUsize,
    in_flight: AtomicUsize,
}

impl RequestCounts {
    pub(super) fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// Counts a request as in flight until it is dropped.
pub(super) struct InFlight(Arc<RequestCounts>);

impl InFlight {
    pub(super) fn new(counts: &Arc<RequestCounts>) -> Self {
        counts.started.fetch_add(1, Ordering::Relaxed);
        counts.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counts))
    }

    /// A response may be streamed for hours, and its request is in flight for as long.
    pub(super) fn until_sent(self, body: Body) -> ResponseBody {
        ResponseBody {
            body,
            _in_flight: self,
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of a response whose request is in flight.
pub(super) struct ResponseBody {
    body: Body,
    _in_flight: InFlight,
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
