//! The layer: gives every request its ids, and watches until the request has ended.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::asked::Asked;
use super::body::ObservedBody;
use super::cost::Prices;
use super::drain::{AfterLeaving, Drain, LetGo};
use super::future::ResponseFuture;
use super::guard::Guard;
use super::ids::{event_id, log_id};
use super::observation::{LOG_ID, Observation, content_length};
use super::payload::{Capture, Side};
use super::place::has_model_in_body;
use super::settings::Settings;
use super::sink::{Sink, Spans, Tracing};
use super::trace::SpanId;
use crate::context::Context;
use crate::headers::Present;

/// Gives every request its ids and leaves one [`Record`](super::Record) of it. See the
/// [module docs](super).
///
/// The default one writes its records with [`Tracing`]. `D` says what becomes of an answer whose
/// client leaves.
#[derive(Clone)]
#[must_use]
pub struct ObservabilityLayer<D = LetGo> {
    settings: Arc<Settings>,
    drain: D,
}

impl ObservabilityLayer {
    /// Gives ids, and leaves no record as long as there is no sink.
    pub fn new() -> Self {
        Self {
            settings: Arc::default(),
            drain: LetGo,
        }
    }
}

impl<D> ObservabilityLayer<D> {
    /// Gives the records to `sink` too.
    pub fn with_sink(self, sink: impl Sink) -> Self {
        self.with(|settings| settings.sinks = Arc::new(settings.sinks.with(sink)))
    }

    /// Makes a span of each request too; they end with the request, whether there is a sink or not.
    pub fn with_spans(self, spans: Spans) -> Self {
        self.with(|settings| settings.sinks = Arc::new(settings.sinks.with_spans(spans)))
    }

    /// What tokens cost; [`Prices::bundled`], unless this says something else.
    pub fn with_prices(self, prices: Prices) -> Self {
        self.with(|settings| {
            settings.prices = prices;
            settings.known = Arc::default();
        })
    }

    /// Keeps the beginning of bodies with the records. That of the request needs a
    /// [`CaptureRequestLayer`](super::CaptureRequestLayer) inside of this layer.
    pub fn with_payloads(self, capture: Capture) -> Self {
        self.with(|settings| settings.payloads = Some(capture))
    }

    /// Says in the head of an answer that is no stream what was used and what that costs:
    /// `x-bedrock-usage-tokens-in`, `-tokens-out`, `-tokens-cache-read`, `-tokens-cache-write`,
    /// `-cost` in US dollars, each if it is known.
    ///
    /// The head is held back until the body has come, for which up to `limit` bytes of it are kept.
    /// A longer answer goes without these headers.
    pub fn with_usage_headers(self, limit: usize) -> Self {
        self.with(|settings| settings.usage_headers = Some(limit))
    }

    /// Reads an answer on whose client has left, so that its usage is known: for at most this long
    /// after that, and at most so many bytes. The record is made then, and says when the client
    /// left. It needs a Tokio runtime with its timer, and bodies that can be sent to another
    /// thread; more than 1024 answers at a time are let go.
    ///
    /// Without it, the upstream is let go together with the client, which may end what it costs.
    pub fn with_drain(self, time: Duration, bytes: u64) -> ObservabilityLayer<Drain> {
        self.draining(Some((time, bytes)))
    }

    /// How often a sink has panicked, in all services of this layer.
    pub fn sink_panics(&self) -> u64 {
        self.settings.sinks.panics()
    }

    /// How many event streams could not be read to their end, since a frame of theirs was broken
    /// or too long, in all services of this layer.
    pub fn unread_streams(&self) -> u64 {
        self.settings.unread()
    }

    pub(crate) fn draining(self, limits: Option<(Duration, u64)>) -> ObservabilityLayer<Drain> {
        ObservabilityLayer {
            settings: self.settings,
            drain: Drain::new(limits),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl Default for ObservabilityLayer {
    fn default() -> Self {
        Self::new().with_sink(Tracing::new())
    }
}

impl<S, D: Clone> Layer<S> for ObservabilityLayer<D> {
    type Service = Observability<S, D>;

    fn layer(&self, inner: S) -> Observability<S, D> {
        Observability {
            inner,
            settings: Arc::clone(&self.settings),
            drain: self.drain.clone(),
        }
    }
}

impl<D> fmt::Debug for ObservabilityLayer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservabilityLayer")
            .field("sinks", &self.settings.sinks.len())
            .finish_non_exhaustive()
    }
}

/// The service of [`ObservabilityLayer`].
#[derive(Clone)]
pub struct Observability<S, D = LetGo> {
    inner: S,
    settings: Arc<Settings>,
    drain: D,
}

impl<S, D> Observability<S, D> {
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

impl<S: fmt::Debug, D> fmt::Debug for Observability<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observability")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B, R, D> Service<Request<B>> for Observability<S, D>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body,
    R: Body<Data = Bytes>,
    D: AfterLeaving<R>,
{
    type Response = Response<ObservedBody<R, R::Error>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R, D>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let length = body.size_hint().exact();
        // Before the inner service is called: it may panic.
        let guard = Guard::new(|| observe(&self.settings, &mut head, length));
        let request = Request::from_parts(head, body);
        let future = guard.in_span(|| self.inner.call(request));
        ResponseFuture::new(future, guard, self.drain.clone())
    }
}

/// Begins to observe the request with this head, and with a body of this length, unless it is
/// observed already.
fn observe(settings: &Arc<Settings>, head: &mut Parts, length: Option<u64>) -> Option<Observation> {
    let context = Context::claim(&mut head.extensions, &head.uri)?;
    context.set_inbound(head.uri.clone());
    let present = Present::in_head(&head.headers);
    let stated = present.has(Present::CONTENT_LENGTH);
    let stated = stated.then(|| content_length(&head.headers)).flatten();
    if let Some(size) = stated.or(length) {
        context.set_request_size(size);
    }
    let created_at = SystemTime::now();
    let log_id = log_id(created_at);
    let asks = present.has(Present::ASKS);
    if asks {
        head.headers.remove(LOG_ID);
    }
    let is_idle = settings.sinks.is_empty() && settings.usage_headers.is_none();
    let asked = (asks && !is_idle)
        .then(|| Asked::of(&head.headers))
        .flatten();
    let event_id = asks.then(|| event_id(&head.headers)).flatten();
    let parent = asked.as_ref();
    let parent = parent.and_then(|asked| {
        // Who names no span gets one made up: the trace is what counts.
        let span = asked.parent_span_id.or_else(|| SpanId::of(&log_id));
        asked.trace_id.zip(span)
    });
    let observation = Observation {
        settings: Arc::clone(settings),
        event_id: event_id.unwrap_or_else(|| log_id.clone()),
        log_id,
        dialect: context.manner_of(head, || present).dialect,
        is_head: head.method == Method::HEAD,
        created_at,
        asked,
        answer: None,
        left: None,
        span: settings.sinks.begin(head, parent),
        context,
    };
    if !observation.span.is_none() {
        observation.context.look_for_host();
    }
    if !is_idle && has_model_in_body(head.uri.path()) {
        observation.context.look_for_model();
    }
    if let Some(limit) = observation.keeps(Side::Request) {
        observation.context.take_body(limit);
    }
    Some(observation)
}
