//! Bodies: the ones that are held, and the ones that pass through.
//!
//! | name | is | made by |
//! |---|---|---|
//! | [`Buffered`] | a whole body as the frames it came in; cloning it copies no data | whoever must see a body before sending it |
//! | [`Received`] | a body from a server, which ends with an error if its client has reset it | whoever stands outermost |
//! | [`RequestBody`] | [`Buffered`], or the caller's body untouched | layers that buffer some requests only |
//! | [`UpstreamBody`] | [`Buffered`], or any body behind one box | the ready-made client |
//! | [`ResponseBody`] | the inner service's body, or bytes of our own | every layer that can refuse |
//!
//! All of them keep trailers, tell [`size_hint`](http_body::Body::size_hint) as well as what they
//! hold does, and give `Bytes` that nobody has copied. A request body of any type comes in:
//!
//! ```
//! use bytes::Bytes;
//! use http_body::Body;
//! use tower_bedrock::body::{Buffered, RequestBody, UpstreamBody};
//!
//! let held = Buffered::from(Bytes::from_static(b"{}"));
//! assert_eq!(held.size_hint().exact(), Some(2));
//! let again = held.clone(); // of the handle, not of the bytes
//! assert_eq!(again.len(), 2);
//!
//! // What is held can be sent twice; what streams through cannot.
//! let held = RequestBody::<http_body_util::Empty<Bytes>>::from(held);
//! let streamed = RequestBody::stream(http_body_util::Empty::<Bytes>::new());
//! assert!(held.try_clone().is_some() && streamed.try_clone().is_none());
//! let upstream = UpstreamBody::from(held);
//! ```

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

#[cfg_attr(not(feature = "client"), allow(dead_code))]
mod begun;
mod buffered;
mod collect;
mod gathered;
#[cfg_attr(not(feature = "client"), allow(dead_code))]
mod lent;
mod received;
mod upstream;

pub use self::buffered::Buffered;
pub use self::received::Received;
pub use self::upstream::{IntoUpstreamBody, UpstreamBody};

pub(crate) use self::begun::Begun;
#[cfg(feature = "client")]
pub(crate) use self::lent::GivenBack;

#[cfg(feature = "sign")]
pub(crate) use self::collect::check_encoding;
#[cfg(feature = "compat")]
pub(crate) use self::collect::unsupported_encoding;
#[cfg(any(feature = "sign", feature = "compat"))]
pub(crate) use self::collect::{CollectError, Collector};

/// Any error, as Tower passes it around.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Longest request body that a layer holds unless told otherwise: 32 MiB. Bedrock itself takes
/// 25,000,000 bytes.
pub const DEFAULT_LIMIT: usize = 32 * 1024 * 1024;

pin_project! {
    /// A request body that is held whole, or that streams through.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        kind: RequestKind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = RequestKindProj]
    enum RequestKind<B> {
        Whole { body: Buffered },
        Stream { #[pin] body: B },
    }
}

impl<B> RequestBody<B> {
    /// The caller's body, as it is.
    pub fn stream(body: B) -> Self {
        let kind = RequestKind::Stream { body };
        Self { kind }
    }

    /// A second copy of the body, if it is held whole.
    pub fn try_clone(&self) -> Option<Self> {
        match &self.kind {
            RequestKind::Whole { body } => Some(body.clone().into()),
            RequestKind::Stream { .. } => None,
        }
    }
}

impl<B> From<Buffered> for RequestBody<B> {
    fn from(body: Buffered) -> Self {
        let kind = RequestKind::Whole { body };
        Self { kind }
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            RequestKindProj::Whole { body } => poll_whole(body, cx),
            RequestKindProj::Stream { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            RequestKind::Whole { body } => body.is_end_stream(),
            RequestKind::Stream { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            RequestKind::Whole { body } => body.size_hint(),
            RequestKind::Stream { body } => body.size_hint(),
        }
    }
}

/// The same frame, which keeps no read buffer alive that is much larger than it.
///
/// hyper reads into a new buffer as long as a piece of the last one is in use, so small pieces that
/// wait for a slow reader would hold one each.
pub(crate) fn light(frame: Frame<Bytes>) -> Frame<Bytes> {
    frame.map_data(|data| match is_heavy(&data) || data.is_empty() {
        true => data,
        false => Bytes::copy_from_slice(&data),
    })
}

/// Whether a piece fills most of a buffer: three quarters of that which hyper begins with.
pub(crate) fn is_heavy(data: &Bytes) -> bool {
    data.len() >= 6 * 1024
}

/// Polls a held body where errors are boxed.
fn poll_whole(
    body: &mut Buffered,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    Pin::new(body)
        .poll_frame(cx)
        .map_err(|never| match never {})
}

pin_project! {
    /// The inner service's response body, or a short answer of a layer's own.
    ///
    /// It is [`Default`] whatever the inner body is, as `tower_http::cors` asks.
    #[derive(Debug)]
    pub struct ResponseBody<R> {
        #[pin]
        kind: ResponseKind<R>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = ResponseKindProj]
    enum ResponseKind<R> {
        Inner { #[pin] body: R },
        Own { body: Option<Bytes> },
    }
}

impl<R> ResponseBody<R> {
    /// The inner service's body.
    pub fn inner(body: R) -> Self {
        let kind = ResponseKind::Inner { body };
        Self { kind }
    }

    /// An answer of our own.
    pub fn own(body: impl Into<Bytes>) -> Self {
        let body = Some(body.into()).filter(|body| !body.is_empty());
        let kind = ResponseKind::Own { body };
        Self { kind }
    }

    /// Length of an answer of our own.
    pub(crate) fn own_len(&self) -> u64 {
        match &self.kind {
            ResponseKind::Own { body: Some(body) } => body.len() as u64,
            ResponseKind::Own { body: None } | ResponseKind::Inner { .. } => 0,
        }
    }
}

impl<R> Default for ResponseBody<R> {
    fn default() -> Self {
        Self::own(Bytes::new())
    }
}

impl<R: Body<Data = Bytes>> Body for ResponseBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.project().kind.project() {
            ResponseKindProj::Inner { body } => body.poll_frame(cx),
            ResponseKindProj::Own { body } => {
                Poll::Ready(body.take().map(|body| Ok(Frame::data(body))))
            }
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            ResponseKind::Inner { body } => body.is_end_stream(),
            ResponseKind::Own { body } => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            ResponseKind::Inner { body } => body.size_hint(),
            ResponseKind::Own { .. } => SizeHint::with_exact(self.own_len()),
        }
    }
}
