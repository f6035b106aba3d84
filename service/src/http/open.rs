//! Which requests of a connection are not answered to the end yet.

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

/// Requests begun so far on a connection, and those that are open.
#[derive(Default)]
pub(super) struct Requests {
    begun: AtomicUsize,
    open: AtomicUsize,
}

impl Requests {
    pub(super) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// A request that is open, until this is dropped.
pub(super) struct Open(Arc<Requests>);

impl Open {
    pub(super) fn new(requests: &Arc<Requests>) -> Self {
        requests.begun.fetch_add(1, Ordering::Relaxed);
        requests.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(requests))
    }

    /// An answer may go on for hours, and its connection is in use for as long.
    pub(super) fn until_sent(self, body: Body) -> Sending {
        Sending { body, _open: self }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer, with its request.
pub(super) struct Sending {
    body: Body,
    _open: Open,
}

impl hyper::body::Body for Sending {
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
