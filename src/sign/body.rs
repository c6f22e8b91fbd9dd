//! The request body as it leaves the layer.

use std::pin::Pin;
use std::task::{Context as Task, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::conversation::{Conversation, count};
use crate::body::{BoxError, Buffered, UpstreamBody};
use crate::context::Context;

pin_project! {
    /// A request body behind [`SigV4SigningLayer`](super::SigV4SigningLayer): held whole where
    /// the layer signed, signed message by message in a bidirectional stream, and the caller's own
    /// where the layer did not sign.
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
        Stream { #[pin] body: B, side: Option<Side> },
    }
}

/// A body that is one side of a conversation.
#[derive(Debug)]
enum Side {
    /// It passes, and its bytes are counted.
    Counted(Context),
    /// Its messages are signed. One box for minutes of it, lest every body be as large.
    Chained(Box<Conversation>),
}

impl<B> SignedBody<B> {
    pub(super) fn whole(body: Buffered) -> Self {
        let kind = Kind::Whole { body };
        Self { kind }
    }

    pub(super) fn untouched(body: B) -> Self {
        let kind = Kind::Stream { body, side: None };
        Self { kind }
    }

    /// The caller's own, whose bytes are counted.
    pub(super) fn counted(body: B, facts: Context) -> Self {
        facts.set_request_size(0);
        Self::side(body, Side::Counted(facts))
    }

    pub(super) fn chained(body: B, conversation: Conversation) -> Self {
        Self::side(body, Side::Chained(Box::new(conversation)))
    }

    fn side(body: B, side: Side) -> Self {
        let side = Some(side);
        let kind = Kind::Stream { body, side };
        Self { kind }
    }

    /// A second copy of the body, if it is held whole. Not for sending it a second time: what
    /// repeats requests belongs outside of signing, see the [module docs](super#order).
    pub fn try_clone(&self) -> Option<Self> {
        match &self.kind {
            Kind::Whole { body } => Some(Self::whole(body.clone())),
            Kind::Stream { .. } => None,
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
            Kind::Stream { body, side: None } => Self::new(body),
            kind => Self::new(SignedBody { kind }),
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
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProj::Whole { body } => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            KindProj::Stream { body, side } => match side {
                None => body.poll_frame(cx).map_err(Into::into),
                Some(Side::Counted(facts)) => {
                    let polled = body.poll_frame(cx);
                    if let Poll::Ready(Some(Ok(frame))) = &polled
                        && let Some(bytes) = frame.data_ref()
                    {
                        count(facts, bytes);
                    }
                    polled.map_err(Into::into)
                }
                Some(Side::Chained(conversation)) => conversation.poll(body, cx),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { body } => body.is_end_stream(),
            Kind::Stream { body, side } => match side {
                Some(Side::Chained(conversation)) => conversation.is_over(),
                _ => body.is_end_stream(),
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { body } => body.size_hint(),
            Kind::Stream { body, side } => match side {
                Some(Side::Chained(_)) => SizeHint::new(),
                _ => body.size_hint(),
            },
        }
    }
}
