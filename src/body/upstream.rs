//! The request body of the ready-made client.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

#[cfg(feature = "client")]
use super::GivenBack;
use super::lent::Lent;
use super::{Begun, BoxError, Buffered, RequestBody, RequestKind, light, poll_whole};

/// The request body of the ready-made client: held whole, or anything at all behind one box.
pub struct UpstreamBody {
    kind: UpstreamKind,
    /// Told when the request is about to be sent.
    begun: Option<Arc<Begun>>,
}

enum UpstreamKind {
    Whole(Buffered),
    Streamed(Streamed),
}

/// In an enum of its own, so that there is room in [`UpstreamKind`] to tell which it is: bodies are
/// moved about with their requests.
enum Streamed {
    Own(AnyBody),
    #[cfg_attr(not(feature = "client"), allow(dead_code))]
    Lent(Lent),
}

pub(super) type AnyBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

impl UpstreamBody {
    /// Takes any body; boxes it.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        // `RequestBody` is what turns the body's own error into a boxed one.
        let body = Box::pin(RequestBody::stream(body));
        Self::of(UpstreamKind::Streamed(Streamed::Own(body)))
    }

    fn of(kind: UpstreamKind) -> Self {
        Self { kind, begun: None }
    }

    /// A second copy of the body, if it is held whole.
    pub fn try_clone(&self) -> Option<Self> {
        match &self.kind {
            UpstreamKind::Whole(body) => Some(body.clone().into()),
            UpstreamKind::Streamed(_) => None,
        }
    }

    /// It is held.
    #[cfg(feature = "client")]
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.kind, UpstreamKind::Whole(_))
    }

    /// Tells when the request with this body is begun to be sent.
    #[cfg(feature = "client")]
    pub(crate) fn watch(&mut self) -> Arc<Begun> {
        Arc::clone(self.begun.insert(Begun::watched()))
    }

    /// From now on, what is left of a body that streams through when this one is dropped comes
    /// back.
    #[cfg(feature = "client")]
    pub(crate) fn lend(&mut self) -> Option<GivenBack> {
        match std::mem::replace(&mut self.kind, UpstreamKind::Whole(Buffered::empty())) {
            UpstreamKind::Streamed(Streamed::Own(body)) if !body.is_end_stream() => {
                let (lent, owner) = Lent::new(body);
                self.kind = UpstreamKind::Streamed(Streamed::Lent(lent));
                Some(owner)
            }
            other => {
                self.kind = other;
                None
            }
        }
    }
}

impl Streamed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Own(body) => body.as_mut().poll_frame(cx),
            Self::Lent(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Lent(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Lent(body) => body.size_hint(),
        }
    }
}

/// What the ready-made client can send: whatever is `Into<UpstreamBody>`, as the bodies of this
/// crate's layers are.
#[diagnostic::on_unimplemented(
    message = "`HyperClient` cannot send a body of type `{Self}`",
    label = "this body was made by none of the layers",
    note = "make it an `UpstreamBody`, just outside of `HyperClient`: `.map_request(|request: http::Request<_>| request.map(UpstreamBody::new))`"
)]
pub trait IntoUpstreamBody {
    /// The same body.
    fn into_upstream_body(self) -> UpstreamBody;
}

#[diagnostic::do_not_recommend]
impl<B: Into<UpstreamBody>> IntoUpstreamBody for B {
    fn into_upstream_body(self) -> UpstreamBody {
        self.into()
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            UpstreamKind::Whole(body) => body.fmt(f),
            UpstreamKind::Streamed(_) => f.write_str("UpstreamBody { .. }"),
        }
    }
}

impl From<Buffered> for UpstreamBody {
    fn from(body: Buffered) -> Self {
        Self::of(UpstreamKind::Whole(body))
    }
}

impl<B> From<RequestBody<B>> for UpstreamBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn from(body: RequestBody<B>) -> Self {
        match body.kind {
            RequestKind::Whole { body } => body.into(),
            RequestKind::Stream { body } => Self::new(body),
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let frame = ready!(match &mut self.kind {
                UpstreamKind::Whole(body) => poll_whole(body, cx),
                UpstreamKind::Streamed(body) => body.poll_frame(cx),
            });
            // HTTP/2 peers count empty frames, and close the connection that others use as well.
            let is_empty = |frame: &Frame<Bytes>| frame.data_ref().is_some_and(Bytes::is_empty);
            match frame {
                Some(Ok(frame)) if is_empty(&frame) => {
                    if self.is_end_stream() {
                        return Poll::Ready(None);
                    }
                }
                Some(Ok(frame)) if matches!(self.kind, UpstreamKind::Streamed(_)) => {
                    return Poll::Ready(Some(Ok(light(frame))));
                }
                frame => return Poll::Ready(frame),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        if let Some(begun) = &self.begun {
            begun.begin();
        }
        match &self.kind {
            UpstreamKind::Whole(body) => body.is_end_stream(),
            UpstreamKind::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            UpstreamKind::Whole(body) => body.size_hint(),
            UpstreamKind::Streamed(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffered, UpstreamBody};

    /// hyper-util moves a request, and its body with it, more than twenty times.
    #[test]
    fn bodies_are_small() {
        assert!(size_of::<Buffered>() <= 5 * size_of::<usize>());
        assert!(size_of::<UpstreamBody>() <= 6 * size_of::<usize>());
    }
}
