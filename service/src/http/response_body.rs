//! The body of a response, whose request is in flight until the body has been sent or dropped.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::{IntoResponse, Response},
};
use hyper::body::{Frame, SizeHint};

use super::{activity::InFlight, stalled_streams::Progress};
use crate::problem::{Problem, codes};

/// In HTTP/2, a body is sent in pieces of this size, so that little of it is beyond the reach of its timeout.
const PIECE: usize = 16 << 10;

/// While so many bytes of responses wait on a connection of HTTP/2, further ones that are not small are refused.
const MAX_UNSENT: usize = 4 << 20;

/// A response may be streamed for hours, and its request is in flight for as long.
pub(super) struct ResponseBody {
    body: Body,
    /// In HTTP/2 only.
    pieces: Option<Pieces>,
    in_flight: InFlight,
}

struct Pieces {
    progress: Arc<Progress>,
    /// The part of the body's current frame that has not been handed to the connection.
    rest: Bytes,
}

/// The response of a request in flight; in HTTP/2, in the task of its stream.
pub(super) fn respond(response: Response, mut in_flight: InFlight) -> Response<ResponseBody> {
    let Some(progress) = Progress::of_this_stream() else {
        return response.map(|body| ResponseBody {
            body,
            pieces: None,
            in_flight,
        });
    };
    // A body of unknown size is made as it is sent.
    let size = response.body().size_hint().exact().unwrap_or(0) as usize;
    let response = if in_flight.queue(size) > MAX_UNSENT && size > PIECE {
        in_flight.dequeue(size);
        metrics::counter!("http_unsent_refused_total").increment(1);
        refusal()
    } else {
        response
    };
    response.map(|body| ResponseBody {
        body,
        pieces: Some(Pieces {
            progress,
            rest: Bytes::new(),
        }),
        in_flight,
    })
}

fn refusal() -> Response {
    let detail =
        "too much of the responses to earlier requests of this connection has not been read";
    Problem::temporary(codes::OVERLOADED, detail).into_response()
}

impl Pieces {
    /// The last byte is a piece of its own: when it is handed over, the client's window has room for all that was before.
    /// What is handed over together with the end can wait for a window without a timeout.
    fn next(&mut self, is_last_frame: bool) -> Bytes {
        let length = self.rest.len();
        let keep_last = usize::from(is_last_frame && (2..=PIECE).contains(&length));
        self.rest.split_to(length.min(PIECE) - keep_last)
    }
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(pieces) = &mut this.pieces else {
            return Pin::new(&mut this.body).poll_frame(context);
        };
        pieces.progress.pieces_are_taken();
        if pieces.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => pieces.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let piece = pieces.next(this.body.is_end_stream());
        pieces.progress.piece_waits();
        this.in_flight.dequeue(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        let has_rest = |pieces: &Pieces| !pieces.rest.is_empty();
        !self.pieces.as_ref().is_some_and(has_rest) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.pieces.as_ref().map_or(0, |pieces| pieces.rest.len()) as u64;
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_is_a_piece_of_its_own() {
        let lengths = |length: usize, is_last_frame| {
            let mut pieces = Pieces {
                progress: Arc::default(),
                rest: vec![0; length].into(),
            };
            let mut lengths = vec![pieces.next(is_last_frame).len()];
            while !pieces.rest.is_empty() {
                lengths.push(pieces.next(is_last_frame).len());
            }
            lengths
        };
        assert_eq!(lengths(0, true), [0]);
        assert_eq!(lengths(1, true), [1]);
        assert_eq!(lengths(500, true), [499, 1]);
        assert_eq!(lengths(PIECE, true), [PIECE - 1, 1]);
        assert_eq!(lengths(PIECE + 1, true), [PIECE, 1]);
        assert_eq!(lengths(2 * PIECE, true), [PIECE, PIECE - 1, 1]);
        assert_eq!(lengths(PIECE + 5, false), [PIECE, 5]);
    }
}
