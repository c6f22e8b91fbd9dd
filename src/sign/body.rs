//! The request body as it leaves the layer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::body::{BoxError, Buffered, UpstreamBody, poll_whole};

pin_project! {
    /// A request body behind [`SigV4SigningLayer`](super::SigV4SigningLayer): held whole where
    /// the layer signed, the caller's own where it did not.
    #[derive(Debug)]
    pub struct SignedBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProj]
    enum Kind<B> {
        Whole { body: Buffered },
        Untouched { #[pin] body: B },
    }
}

impl<B> SignedBody<B> {
    pub(super) fn whole(body: Buffered) -> Self {
        let kind = Kind::Whole { body };
        Self { kind }
    }

    pub(super) fn untouched(body: B) -> Self {
        let kind = Kind::Untouched { body };
        Self { kind }
    }

    /// A second copy of the body, if it is held whole.
    pub fn try_clone(&self) -> Option<Self> {
        match &self.kind {
            Kind::Whole { body } => Some(Self::whole(body.clone())),
            Kind::Untouched { .. } => None,
        }
    }
}

impl<B> From<SignedBody<B>> for UpstreamBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn from(body: SignedBody<B>) -> Self {
        match body.kind {
            Kind::Whole { body } => body.into(),
            Kind::Untouched { body } => Self::new(body),
        }
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
        match self.project().kind.project() {
            KindProj::Whole { body } => poll_whole(body, cx),
            KindProj::Untouched { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { body } => body.is_end_stream(),
            Kind::Untouched { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { body } => body.size_hint(),
            Kind::Untouched { body } => body.size_hint(),
        }
    }
}
