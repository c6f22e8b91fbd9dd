//! The request body as it leaves the layer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::body::{BoxError, Buffered, RequestBody, UpstreamBody};

pin_project! {
    /// A request body behind [`SigV4SigningLayer`](super::SigV4SigningLayer): held whole where
    /// the layer signed, the caller's own where it did not.
    #[derive(Debug)]
    pub struct SignedBody<B> {
        #[pin]
        inner: RequestBody<B>,
    }
}

impl<B> SignedBody<B> {
    pub(super) fn whole(body: Buffered) -> Self {
        let inner = body.into();
        Self { inner }
    }

    pub(super) fn untouched(body: B) -> Self {
        let inner = RequestBody::stream(body);
        Self { inner }
    }

    /// A second copy of the body, if it is held whole.
    pub fn try_clone(&self) -> Option<Self> {
        let inner = self.inner.try_clone()?;
        Some(Self { inner })
    }
}

impl<B> From<SignedBody<B>> for UpstreamBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn from(body: SignedBody<B>) -> Self {
        body.inner.into()
    }
}

impl<B> Body for SignedBody<B>
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
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
