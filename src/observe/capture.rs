//! Takes the beginning of a request's body as it passes, and the model that it names.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::scan::{Scanner, Table};
use super::tally::{self, Field};
use super::wanted;
use crate::context::Context;

static MODEL: Table<Field> = Table::new(&[wanted::model(&["model"])]);

/// Lets an [`ObservabilityLayer`](super::ObservabilityLayer) outside of it look into request bodies:
/// keep them, and read the `model` of those whose path names none.
///
/// Stands anywhere inside of that layer, and outside of what changes the body; without it records
/// hold no `request_body`, and a model that only the body names is known as the answer names it.
/// It does nothing unless the record needs something of it.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
#[must_use]
pub struct CaptureRequestLayer;

impl CaptureRequestLayer {
    /// A layer.
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for CaptureRequestLayer {
    type Service = CaptureRequest<S>;

    fn layer(&self, inner: S) -> CaptureRequest<S> {
        CaptureRequest { inner }
    }
}

/// The service of [`CaptureRequestLayer`].
#[derive(Debug, Clone)]
pub struct CaptureRequest<S> {
    inner: S,
}

impl<S> CaptureRequest<S> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B> Service<Request<B>> for CaptureRequest<S>
where
    S: Service<Request<CapturedBody<B>>>,
    B: Body<Data = Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let context = Context::capture(request.extensions_mut());
        let is_asked = context.as_ref().is_some_and(Context::looks_for_model);
        let model = is_asked.then(|| Box::new(Scanner::new(&MODEL)));
        self.inner.call(request.map(|inner| {
            if let Some(taken) = context.as_ref().and_then(Context::taken)
                && inner.is_end_stream()
            {
                taken.end();
            }
            CapturedBody {
                inner,
                context,
                model,
            }
        }))
    }
}

pin_project! {
    /// The request body of [`CaptureRequest`]: the inner one.
    pub struct CapturedBody<B> {
        #[pin]
        inner: B,
        context: Option<Context>,
        // Until the model has been found.
        model: Option<Box<Scanner<Field>>>,
    }
}

impl<B: Body<Data = Bytes>> Body for CapturedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let polled = ready!(this.inner.as_mut().poll_frame(cx));
        if let (Some(scanner), Some(context), Some(Ok(frame))) =
            (&mut *this.model, &*this.context, &polled)
        {
            let mut is_found = false;
            let data = frame.data_ref().map_or(&[][..], |data| data);
            scanner.push(data, &mut |_, value| {
                is_found = true;
                if let Some(name) = value.and_then(tally::text) {
                    context.set_asked_model(&name);
                }
            });
            if is_found {
                *this.model = None;
            }
        }
        if let Some(taken) = this.context.as_ref().and_then(Context::taken) {
            if let Some(Ok(frame)) = &polled {
                taken.add(frame.data_ref().map_or(&[][..], |data| data));
            }
            if polled.is_none() || this.inner.is_end_stream() {
                taken.end();
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: fmt::Debug> fmt::Debug for CapturedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapturedBody")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
