//! Pieces of a stream that came in one read are handed on as one.
//!
//! hyper hands them over one by one, and for each of them wakes the task that reads them, which
//! writes each to its client by itself. Who lets hyper's task go on before it hands on a piece finds
//! the next one there. Nothing waits for what has not come: a piece that came alone is handed on at
//! once.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;

use super::wire::Wire;
use crate::body::{is_heavy, light};

/// As much as is read at once, and at most handed on as one.
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
    /// Copied, so that no piece keeps alive what it was read into.
    whole: Vec<u8>,
    /// What came after that: a piece for which there is no room, trailers, an error or the end.
    then: Option<Piece>,
    /// How often the connection's task has been let go on since the last piece came.
    waits: u8,
}

impl Gather {
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            whole: Vec::new(),
            then: None,
            waits: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.then.is_none()
    }

    pub(super) fn poll(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Piece> {
        loop {
            let next = match self.then.take() {
                Some(then) => Poll::Ready(then),
                None => Pin::new(&mut *body).poll_frame(cx),
            };
            match next {
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                    let data = frame.into_data().unwrap_or_default();
                    if self.whole.len() + data.len() > MOST && !self.whole.is_empty() {
                        self.then = Some(Some(Ok(Frame::data(data))));
                        return Poll::Ready(self.take());
                    }
                    let at_once = self.wire.latest_read();
                    let is_alone = data.len() + AROUND >= at_once;
                    if self.whole.is_empty() && (is_alone || is_heavy(&data)) {
                        return Poll::Ready(Some(Ok(light(Frame::data(data)))));
                    }
                    self.push(&data, at_once);
                }
                Poll::Ready(other) if self.whole.is_empty() => return Poll::Ready(other),
                Poll::Ready(other) => {
                    self.then = Some(other);
                    return Poll::Ready(self.take());
                }
                Poll::Pending if self.whole.is_empty() => return Poll::Pending,
                Poll::Pending if self.waits >= WAITS => return Poll::Ready(self.take()),
                Poll::Pending => {
                    self.waits += 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Mostly all of it came in one read.
    fn push(&mut self, data: &[u8], at_once: usize) {
        let length = self.whole.len() + data.len();
        if length > self.whole.capacity() {
            let room = at_once.clamp(length, MOST);
            self.whole.reserve_exact(room - self.whole.len());
        }
        self.whole.extend_from_slice(data);
        self.waits = 0;
    }

    /// What is there, in one piece.
    fn take(&mut self) -> Piece {
        let whole = mem::take(&mut self.whole);
        Some(Ok(Frame::data(whole.into())))
    }
}
