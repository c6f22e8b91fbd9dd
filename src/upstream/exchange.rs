//! One request and its response, as the ready-made client sees them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
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
use super::connect::{Leash, Wire};
use super::deadline::Deadline;
use super::error::{Fault, causes};
use crate::body::UpstreamBody;

pin_project! {
    /// The response future of [`HyperClient`](super::HyperClient).
    #[derive(Debug)]
    pub struct UpstreamFuture {
        response: legacy::ResponseFuture,
        // The connection, once the request has one.
        captured: CaptureConnection,
        connect: Duration,
        #[pin]
        deadline: Deadline,
        version: Version,
        spare: Option<Spare>,
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
        let spare = Spare::of(Arc::clone(&pools), &request);
        let (response, captured) = send(&pools, request);
        Self {
            response,
            captured,
            connect,
            deadline: Deadline::new(Some(connect)),
            version,
            spare,
        }
    }
}

impl Future for UpstreamFuture {
    type Output = Result<Response<UpstreamResponse>, UpstreamError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match Pin::new(&mut *this.response).poll(cx) {
                Poll::Ready(Ok(mut response)) => {
                    let wire = response.extensions_mut().remove::<Wire>();
                    let leash = wire.and_then(Wire::leash);
                    return Poll::Ready(
                        Ok(response.map(|body| UpstreamResponse::new(body, leash))),
                    );
                }
                Poll::Ready(Err(error)) => {
                    let wire = wire(&this.captured.connection_metadata());
                    let fault = fault(&error, *this.version, wire.as_ref());
                    let was_dead = fault == Fault::Closed && wire.is_some_and(|w| w.was_dead());
                    let Some(spare) = this.spare.take().filter(|_| was_dead) else {
                        return Poll::Ready(Err(UpstreamError::new(fault, error)));
                    };
                    tracing::debug!(%error, "the pooled connection was dead: sending once more");
                    (*this.response, *this.captured) = spare.send();
                    this.deadline.set(Deadline::new(Some(*this.connect)));
                }
                Poll::Pending => {
                    // Nothing has to wake us when there is a connection: it is enough to look
                    // when time is up.
                    let after = ready!(this.deadline.as_mut().poll(cx));
                    if this.captured.connection_metadata().is_none() {
                        return Poll::Ready(Err(Fault::ConnectTimeout(after).into()));
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
    _leash: Option<Leash>,
}

impl UpstreamResponse {
    fn new(body: Incoming, leash: Option<Leash>) -> Self {
        Self {
            body: Some(body),
            _leash: leash,
        }
    }
}

impl Body for UpstreamResponse {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        Pin::new(body)
            .poll_frame(cx)
            .map_err(|error| UpstreamError::new(Fault::CutOff, error))
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
