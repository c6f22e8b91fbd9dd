//! The layer: gives every request its ids, and watches until the request has ended.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use uuid::Uuid;

use super::body::ObservedBody;
use super::observation::{EVENT_ID, End, Guard, LOG_ID, Observation, content_length};
use super::sink::{Sink, Sinks, Spans, Tracing};
use crate::context::Context;

/// The longest event id that a client may give.
const MAX_EVENT_ID: usize = 128;

/// Gives every request its ids and leaves one [`Record`](super::Record) of it. See the
/// [module docs](super).
///
/// The default one writes its records with [`Tracing`].
#[derive(Clone)]
#[must_use]
pub struct ObservabilityLayer {
    sinks: Arc<Sinks>,
}

impl ObservabilityLayer {
    /// Gives ids, and leaves no record as long as there is no sink.
    pub fn new() -> Self {
        Self {
            sinks: Arc::default(),
        }
    }

    /// Gives the records to `sink` too.
    pub fn with_sink(self, sink: impl Sink) -> Self {
        Self {
            sinks: Arc::new(self.sinks.with(sink)),
        }
    }

    /// Makes a span of each request too; they end with the request, whether there is a sink or not.
    pub fn with_spans(self, spans: Spans) -> Self {
        Self {
            sinks: Arc::new(self.sinks.with_spans(spans)),
        }
    }

    /// How often a sink has panicked, in all services of this layer.
    pub fn sink_panics(&self) -> u64 {
        self.sinks.panics()
    }
}

impl Default for ObservabilityLayer {
    fn default() -> Self {
        Self::new().with_sink(Tracing::new())
    }
}

impl<S> Layer<S> for ObservabilityLayer {
    type Service = Observability<S>;

    fn layer(&self, inner: S) -> Observability<S> {
        Observability {
            inner,
            sinks: Arc::clone(&self.sinks),
        }
    }
}

impl fmt::Debug for ObservabilityLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservabilityLayer")
            .field("sinks", &self.sinks.len())
            .finish_non_exhaustive()
    }
}

/// The service of [`ObservabilityLayer`].
#[derive(Clone)]
pub struct Observability<S> {
    inner: S,
    sinks: Arc<Sinks>,
}

impl<S> Observability<S> {
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

impl<S: fmt::Debug> fmt::Debug for Observability<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observability")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for Observability<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body,
    R: Body<Data = Bytes>,
{
    type Response = Response<ObservedBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let observation = observe(&self.sinks, &mut head, body.size_hint().exact());
        // Before the inner service is called: it may panic.
        let guard = Guard::new(Some(observation));
        let request = Request::from_parts(head, body);
        let future = guard.in_span(|| self.inner.call(request));
        ResponseFuture { future, guard }
    }
}

/// Begins to observe the request with this head, and with a body of this length.
fn observe(sinks: &Arc<Sinks>, head: &mut Parts, length: Option<u64>) -> Observation {
    let context = Context::claim(&mut head.extensions);
    context.set_inbound(head.uri.clone());
    if let Some(size) = content_length(&head.headers).or(length) {
        context.set_request_size(size);
    }
    let log_id = log_id();
    head.headers.remove(LOG_ID);
    Observation {
        sinks: Arc::clone(sinks),
        event_id: event_id(&head.headers).unwrap_or_else(|| log_id.clone()),
        log_id,
        dialect: context.manner(head).dialect,
        is_head: head.method == Method::HEAD,
        created_at: SystemTime::now(),
        answer: None,
        span: sinks.begin(head.uri.path(), None),
        context,
    }
}

/// A new id, whose text is shared by all that carry it.
fn log_id() -> HeaderValue {
    let mut text = [0; 36];
    Uuid::now_v7().hyphenated().encode_lower(&mut text);
    HeaderValue::from_maybe_shared(Bytes::from_owner(text))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The client's event id, if it is fit to be sent back.
fn event_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(EVENT_ID)?;
    let bytes = value.as_bytes();
    let fits = (1..=MAX_EVENT_ID).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    fits.then(|| value.clone())
}

pin_project! {
    /// The response future of [`Observability`].
    pub struct ResponseFuture<F> {
        // Dropped before the guard: the upstream is let go first.
        #[pin]
        future: F,
        guard: Guard,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<ObservedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.guard.in_span(|| this.future.poll(cx));
        let mut response = match ready!(polled) {
            Ok(response) => response,
            Err(error) => {
                this.guard.finish(End::Failed);
                return Poll::Ready(Err(error));
            }
        };
        let follows = this
            .guard
            .get_mut()
            .is_none_or(|observation| observation.answered(&mut response));
        if !follows {
            this.guard.finish(End::Whole);
        }
        let observation = this.guard.take();
        Poll::Ready(Ok(response.map(|body| ObservedBody::new(body, observation))))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
