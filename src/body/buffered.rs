//! A body that is held.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
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
    /// Most bodies are one frame; it needs no list.
    first: Option<Bytes>,
    rest: Option<VecDeque<Bytes>>,
    trailers: Option<Box<HeaderMap>>,
    remaining: u64,
}

impl Buffered {
    /// A body without a byte.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Bytes not yet read.
    pub fn len(&self) -> u64 {
        self.remaining
    }

    /// Whether no byte is left.
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// The frames not yet read.
    pub fn frames(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().chain(self.rest.iter().flatten())
    }

    /// All of it in one piece; copied only if it came in several.
    #[cfg(feature = "compat")]
    pub(crate) fn into_bytes(self) -> Bytes {
        match (self.first, self.rest) {
            (None, None) => Bytes::new(),
            (Some(only), None) => only,
            (first, rest) => {
                let frames: Vec<Bytes> = first
                    .into_iter()
                    .chain(rest.into_iter().flatten())
                    .collect();
                frames.concat().into()
            }
        }
    }

    /// The frame that came last, of those not yet read.
    #[cfg(feature = "sign")]
    pub(crate) fn last(&self) -> Option<&Bytes> {
        let rest = self.rest.as_ref().and_then(VecDeque::back);
        rest.or(self.first.as_ref())
    }

    pub(crate) fn push(&mut self, frame: Bytes) {
        if frame.is_empty() {
            return;
        }
        self.remaining += frame.len() as u64;
        match &mut self.rest {
            Some(rest) => rest.push_back(frame),
            None if self.first.is_some() => self.rest = Some(VecDeque::from([frame])),
            None => self.first = Some(frame),
        }
    }

    pub(crate) fn set_trailers(&mut self, trailers: HeaderMap) {
        self.trailers = Some(Box::new(trailers));
    }
}

impl From<Bytes> for Buffered {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        let remaining = bytes.len() as u64;
        Self {
            first: (remaining > 0).then_some(bytes),
            rest: None,
            trailers: None,
            remaining,
        }
    }
}

impl FromIterator<Bytes> for Buffered {
    fn from_iter<I: IntoIterator<Item = Bytes>>(frames: I) -> Self {
        let mut body = Self::empty();
        frames.into_iter().for_each(|frame| body.push(frame));
        body
    }
}

impl fmt::Debug for Buffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered")
            .field("len", &self.remaining)
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
        let next = self.first.take();
        let next = next.or_else(|| self.rest.as_mut()?.pop_front());
        Poll::Ready(match next {
            Some(frame) => {
                self.remaining = self.remaining.saturating_sub(frame.len() as u64);
                Some(Ok(Frame::data(frame)))
            }
            None => self.trailers.take().map(|t| Ok(Frame::trailers(*t))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0 && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
