//! Pieces of a stream that came in one read are handed on as one.
//!
//! hyper hands them over one by one, and for each of them wakes the task that reads them, which
//! writes each to its client by itself. Who lets hyper's task go on before it hands on a piece finds
//! the next one there. Nothing waits for what has not come: a piece that came alone is handed on at
//! once.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;

use super::wire::Wire;
use crate::body::light;

/// As much as is read at once.
const MOST: usize = 8 * 1024;
/// More than what is around the data of a chunk: its length and line ends.
const AROUND: usize = 32;

/// The first time hyper's server asks again before it lets go of the thread.
const WAITS: u8 = 2;

type Piece = Option<hyper::Result<Frame<Bytes>>>;

/// Gathers what comes over a connection of HTTP/1.1.
#[derive(Debug)]
pub(super) struct Gather {
    wire: Wire,
    pieces: Vec<Bytes>,
    length: usize,
    /// What came after these pieces: trailers, an error or the end.
    then: Option<Piece>,
    /// How often the connection's task has been let go on since the last piece came.
    waits: u8,
}

impl Gather {
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            pieces: Vec::new(),
            length: 0,
            then: None,
            waits: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.then.is_none()
    }

    pub(super) fn poll(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Piece> {
        if let Some(then) = self.then.take() {
            return Poll::Ready(then);
        }
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                    let data = frame.into_data().unwrap_or_default();
                    let is_alone = data.len() + AROUND >= self.wire.latest_read();
                    if self.pieces.is_empty() && (is_alone || data.len() >= MOST) {
                        return Poll::Ready(Some(Ok(light(Frame::data(data)))));
                    }
                    self.length += data.len();
                    self.pieces.push(data);
                    self.waits = 0;
                    if self.length >= MOST {
                        return Poll::Ready(self.take());
                    }
                }
                Poll::Ready(other) if self.pieces.is_empty() => return Poll::Ready(other),
                Poll::Ready(other) => {
                    self.then = Some(other);
                    return Poll::Ready(self.take());
                }
                Poll::Pending if self.pieces.is_empty() => return Poll::Pending,
                Poll::Pending if self.waits >= WAITS => return Poll::Ready(self.take()),
                Poll::Pending => {
                    self.waits += 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }

    /// What is there, in one piece that keeps nothing else alive.
    fn take(&mut self) -> Piece {
        let mut whole = Vec::with_capacity(self.length);
        for piece in self.pieces.drain(..) {
            whole.extend_from_slice(&piece);
        }
        self.length = 0;
        Some(Ok(Frame::data(whole.into())))
    }
}
