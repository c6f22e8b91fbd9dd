//! The answer's body, as the ready-made client hands it on.

use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use http::{Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::UpstreamError;
use super::error::Fault;
use super::gather::Gather;
use super::leash::Leash;
use super::wire::Wire;
use crate::body::light;

/// The response body of [`HyperClient`](super::HyperClient).
#[derive(Debug, Default)]
pub struct UpstreamResponse {
    /// `None` is the empty body of `Default`.
    body: Option<Incoming>,
    is_http2: bool,
    /// In a box, for most answers come in one piece.
    gather: Option<Box<Gather>>,
    _leash: Option<Leash>,
}

impl UpstreamResponse {
    pub(super) fn of(mut response: Response<Incoming>) -> Response<Self> {
        let wire = response.extensions_mut().remove::<Wire>();
        let is_http2 = response.version() == Version::HTTP_2;
        response.map(|body| {
            let leash = wire.as_ref().and_then(Wire::leash);
            let is_stream = !is_http2 && body.size_hint().exact().is_none();
            let wire = wire.filter(|_| is_stream);
            Self {
                body: Some(body),
                is_http2,
                gather: wire.map(|wire| Box::new(Gather::new(wire))),
                _leash: leash,
            }
        })
    }
}

impl Body for UpstreamResponse {
    type Data = Bytes;
    type Error = UpstreamError;

    #[inline]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(match &mut this.gather {
            Some(gather) => gather.poll(body, cx),
            None => Pin::new(&mut *body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map(light))),
        });
        // hyper takes a reset without an error, and a GOAWAY that excludes this stream, for its end.
        if this.is_http2 && frame.is_none() && !body.is_end_stream() {
            this.body = None;
            return Poll::Ready(Some(Err(Fault::CutOff.into())));
        }
        Poll::Ready(
            frame.map(|frame| frame.map_err(|error| UpstreamError::new(Fault::CutOff, error))),
        )
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        let is_given = self.gather.as_ref().is_none_or(|gather| gather.is_empty());
        is_given && self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}
