//! A body that is held.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// A whole body, kept as the frames it arrived in.
///
/// Frames are handed on as they are, and a clone shares them. Only where a layer reads a body of
/// more than 64 frames are those of less than 512 bytes copied together.
#[derive(Clone, Default)]
pub struct Buffered {
    /// Most bodies are one frame. Empty once it was read.
    first: Bytes,
    /// In a box, for bodies are moved about with their requests.
    more: Option<Box<More>>,
}

/// What few bodies have.
#[derive(Clone, Default)]
struct More {
    frames: VecDeque<Bytes>,
    /// Bytes in them.
    length: u64,
    trailers: Option<HeaderMap>,
}

impl Buffered {
    /// A body without a byte.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Bytes not yet read.
    pub fn len(&self) -> u64 {
        let more = self.more.as_ref().map_or(0, |more| more.length);
        self.first.len() as u64 + more
    }

    /// Whether no byte is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frames not yet read.
    pub fn frames(&self) -> impl Iterator<Item = &Bytes> {
        let first = Some(&self.first).filter(|first| !first.is_empty());
        let more = self.more.iter().flat_map(|more| &more.frames);
        first.into_iter().chain(more)
    }

    /// All of it in one piece; copied only if it came in several.
    #[cfg(feature = "compat")]
    pub(crate) fn into_bytes(self) -> Bytes {
        if self.more.is_none() {
            return self.first;
        }
        let frames: Vec<&[u8]> = self.frames().map(|frame| &frame[..]).collect();
        match self.frames().next() {
            Some(only) if frames.len() == 1 => only.clone(),
            _ => frames.concat().into(),
        }
    }

    /// The frame that came last, of those not yet read.
    #[cfg(feature = "sign")]
    pub(crate) fn last(&self) -> Option<&Bytes> {
        let last = self.more.as_ref().and_then(|more| more.frames.back());
        last.or_else(|| self.frames().next())
    }

    pub(crate) fn push(&mut self, frame: Bytes) {
        if frame.is_empty() {
            return;
        }
        if self.is_empty() {
            self.first = frame;
            return;
        }
        let more = self.more.get_or_insert_default();
        more.length += frame.len() as u64;
        more.frames.push_back(frame);
    }

    pub(crate) fn set_trailers(&mut self, trailers: HeaderMap) {
        self.more.get_or_insert_default().trailers = Some(trailers);
    }
}

impl From<Bytes> for Buffered {
    #[inline]
    fn from(first: Bytes) -> Self {
        Self { first, more: None }
    }
}

impl FromIterator<Bytes> for Buffered {
    fn from_iter<I: IntoIterator<Item = Bytes>>(frames: I) -> Self {
        let mut body = Self::empty();
        frames.into_iter().for_each(|frame| body.push(frame));
        body
    }
}

impl More {
    fn next(&mut self) -> Option<Frame<Bytes>> {
        if let Some(frame) = self.frames.pop_front() {
            self.length = self.length.saturating_sub(frame.len() as u64);
            return Some(Frame::data(frame));
        }
        self.trailers.take().map(Frame::trailers)
    }
}

impl fmt::Debug for Buffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Body for Buffered {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let first = mem::take(&mut self.first);
        if !first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let next = self.more.as_mut().and_then(|more| more.next());
        Poll::Ready(next.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        let has_trailers = |more: &More| more.trailers.is_some();
        self.is_empty() && !self.more.as_deref().is_some_and(has_trailers)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len())
    }
}
