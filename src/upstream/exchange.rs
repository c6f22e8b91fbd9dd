//! One request and its response, as the ready-made client sees them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderMap, Method, Request, Response, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, capture_connection};
use pin_project_lite::pin_project;

use super::UpstreamError;
use super::client::Pools;
use super::connect::Wire;
use super::deadline::Deadline;
use super::error::{Fault, causes};
use crate::body::{GivenBack, UpstreamBody, light};
use crate::context::Context;
use crate::reject::Drain;

pin_project! {
    /// The response future of [`HyperClient`](super::HyperClient).
    #[derive(Debug)]
    pub struct UpstreamFuture {
        // `None` once it has completed.
        response: Option<legacy::ResponseFuture>,
        // The connection, once the request has one.
        captured: CaptureConnection,
        connect: Duration,
        #[pin]
        deadline: Deadline,
        version: Version,
        spare: Option<Spare>,
        lent: Option<Lent>,
        // Why there is no answer: told once the rest of the body was read away.
        failed: Option<UpstreamError>,
    }
}

/// The body of a request that streams through.
#[derive(Debug)]
struct Lent {
    body: GivenBack,
    drain: Drain,
}

impl Lent {
    /// Only for a layer that answers someone: who sends a request of their own is told at once.
    fn of(request: Request<UpstreamBody>) -> (Option<Self>, Request<UpstreamBody>) {
        let (head, mut body) = request.into_parts();
        let lent = Context::get(&head.extensions).and_then(|context| {
            let drain = Drain::new(context.manner(&head));
            Some(Self {
                body: body.lend()?,
                drain,
            })
        });
        (lent, Request::from_parts(head, body))
    }
}

/// All that is needed to send the request again.
#[derive(Debug)]
struct Spare {
    pools: Arc<Pools>,
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    body: UpstreamBody,
}

impl Spare {
    fn of(pools: Arc<Pools>, request: &Request<UpstreamBody>) -> Option<Self> {
        if request.version() == Version::HTTP_2 {
            return None;
        }
        Some(Self {
            body: request.body().try_clone()?,
            pools,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().clone(),
        })
    }

    fn send(self) -> (legacy::ResponseFuture, CaptureConnection) {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers;
        send(&self.pools, request)
    }
}

fn send(
    pools: &Pools,
    mut request: Request<UpstreamBody>,
) -> (legacy::ResponseFuture, CaptureConnection) {
    let captured = capture_connection(&mut request);
    let client = pools.client(request.version(), request.uri());
    (client.request(request), captured)
}

impl UpstreamFuture {
    pub(super) fn new(
        pools: Arc<Pools>,
        request: Request<UpstreamBody>,
        connect: Duration,
    ) -> Self {
        let version = request.version();
        let (lent, request) = Lent::of(request);
        let spare = Spare::of(Arc::clone(&pools), &request);
        let (response, captured) = send(&pools, request);
        Self {
            response: Some(response),
            captured,
            connect,
            deadline: Deadline::new(Some(connect)),
            version,
            spare,
            lent,
            failed: None,
        }
    }
}

impl Future for UpstreamFuture {
    type Output = Result<Response<UpstreamResponse>, UpstreamError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let Some(response) = this.response.as_mut() else {
                if this.failed.is_some()
                    && let Some(lent) = this.lent
                {
                    ready!(lent.drain.poll(Pin::new(&mut lent.body), cx));
                }
                return match this.failed.take() {
                    Some(error) => Poll::Ready(Err(error)),
                    None => Poll::Pending,
                };
            };
            let polled = Pin::new(response).poll(cx);
            if polled.is_ready() {
                *this.response = None;
            }
            match polled {
                Poll::Ready(Ok(mut response)) => {
                    response.extensions_mut().remove::<Wire>();
                    return Poll::Ready(Ok(response.map(UpstreamResponse::new)));
                }
                Poll::Ready(Err(error)) => {
                    let wire = wire(&this.captured.connection_metadata());
                    let has_broken_off =
                        (this.lent.as_ref()).is_some_and(|lent| lent.body.has_failed());
                    let fault = match has_broken_off {
                        true => Fault::RequestBody,
                        false => fault(&error, *this.version, wire.as_ref()),
                    };
                    let was_dead = fault == Fault::Closed && wire.is_some_and(|w| w.was_dead());
                    let Some(spare) = this.spare.take().filter(|_| was_dead) else {
                        *this.failed = Some(UpstreamError::new(fault, error));
                        continue;
                    };
                    tracing::debug!(%error, "the pooled connection was dead: sending once more");
                    let (response, captured) = spare.send();
                    (*this.response, *this.captured) = (Some(response), captured);
                    this.deadline.set(Deadline::new(Some(*this.connect)));
                }
                Poll::Pending => {
                    // Nothing has to wake us when there is a connection: it is enough to look
                    // when time is up.
                    let after = ready!(this.deadline.as_mut().poll(cx));
                    if this.captured.connection_metadata().is_none() {
                        *this.response = None;
                        *this.failed = Some(Fault::ConnectTimeout(after).into());
                        continue;
                    }
                    this.deadline.as_mut().disarm();
                    return Poll::Pending;
                }
            }
        }
    }
}

fn wire(connected: &Option<Connected>) -> Option<Wire> {
    let mut extras = Extensions::new();
    connected.as_ref()?.get_extras(&mut extras);
    extras.remove()
}

/// What hyper's error amounts to, for a request of this version on this connection.
fn fault(error: &legacy::Error, version: Version, wire: Option<&Wire>) -> Fault {
    if error.is_connect() {
        let own = causes(error).find_map(|error| error.downcast_ref::<UpstreamError>());
        return own.map_or(Fault::Unreachable, UpstreamError::fault);
    }
    if version == Version::HTTP_2 && !wire.is_some_and(Wire::is_http2) {
        return Fault::NoHttp2;
    }
    let hyper = causes(error).find_map(|error| error.downcast_ref::<hyper::Error>());
    match hyper {
        Some(hyper) if hyper.is_parse() => Fault::Garbage,
        // The other errors of the user have no cause.
        Some(hyper) if hyper.is_user() && causes(hyper).nth(1).is_some() => Fault::RequestBody,
        Some(hyper) if hyper.is_user() => Fault::Other,
        Some(_) => Fault::Closed,
        None => Fault::Other,
    }
}

/// The response body of [`HyperClient`](super::HyperClient).
#[derive(Debug, Default)]
pub struct UpstreamResponse {
    /// `None` is the empty body of `Default`.
    body: Option<Incoming>,
}

impl UpstreamResponse {
    fn new(body: Incoming) -> Self {
        Self { body: Some(body) }
    }
}

impl Body for UpstreamResponse {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame
                .map(light)
                .map_err(|error| UpstreamError::new(Fault::CutOff, error))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}
