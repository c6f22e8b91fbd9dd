//! One request and its response, as the ready-made client sees them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version,
};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, capture_connection};
use pin_project_lite::pin_project;

use super::UpstreamError;
use super::client::Pools;
use super::connect::{Leash, Wire, within};
use super::deadline::Deadline;
use super::error::{Fault, causes};
use super::gather::Gather;
use crate::body::{Begun, GivenBack, UpstreamBody, light};
use crate::context::Context;
use crate::reject::Drain;

pin_project! {
    /// The response future of [`HyperClient`](super::HyperClient).
    #[derive(Debug)]
    pub struct UpstreamFuture {
        // The answer to come. `None` once it has completed, or if nothing is sent.
        sending: Option<Sending>,
        connect: Duration,
        // Set while the request waits for a connection which others may wait for too.
        deadline: Option<Deadline>,
        version: Version,
        // In a box, for futures are moved about.
        spare: Option<Box<Spare>>,
        lent: Option<Lent>,
        // Why there is no answer: told once the rest of the body was read away.
        failed: Option<UpstreamError>,
    }
}

/// An answer to come, and the connection once the request has one, if others may share it.
///
/// Over HTTP/1.1 it is known without: there a request that has to wait makes a connection itself,
/// which is given up when the request would be.
type Sending = (legacy::ResponseFuture, Option<CaptureConnection>);

/// The body of a request that streams through.
#[derive(Debug)]
struct Lent {
    body: GivenBack,
    drain: Drain,
}

impl Lent {
    /// Only for a layer that answers someone: who sends a request of their own is told at once.
    fn of(request: Request<UpstreamBody>) -> (Option<Self>, Request<UpstreamBody>) {
        // Mostly it is held, and there is nothing to be taken apart.
        if request.body().is_whole() {
            return (None, request);
        }
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
    headers: Written,
    body: UpstreamBody,
    begun: Arc<Begun>,
}

impl Spare {
    fn of(pools: &Arc<Pools>, request: &mut Request<UpstreamBody>) -> Option<Box<Self>> {
        if request.version() == Version::HTTP_2 {
            return None;
        }
        Some(Box::new(Self {
            body: request.body().try_clone()?,
            begun: request.body_mut().watch(),
            pools: Arc::clone(pools),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: Written::of(request.headers()),
        }))
    }

    fn send(self) -> Sending {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers.read();
        send(&self.pools, request)
    }
}

/// Headers written down in one piece: a copy of the map itself is several, and counts a reference
/// to each name and value. It is read for the few requests that are sent twice.
struct Written(Vec<u8>);

impl Written {
    /// Before each header: the lengths of name and value, and whether it is sensitive.
    fn of(headers: &HeaderMap) -> Self {
        // Of a request to Bedrock that is signed.
        let mut text = Vec::with_capacity(1024);
        for (name, value) in headers {
            let (name, value, is_sensitive) = (
                name.as_str().as_bytes(),
                value.as_bytes(),
                value.is_sensitive(),
            );
            let [a, b, c, d] = Self::length(name);
            let [e, f, g, h] = Self::length(value);
            text.extend_from_slice(&[a, b, c, d, e, f, g, h, u8::from(is_sensitive)]);
            text.extend_from_slice(name);
            text.extend_from_slice(value);
        }
        Self(text)
    }

    /// No head is 4 GiB long; one that were would not be read back.
    fn length(part: &[u8]) -> [u8; 4] {
        u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes()
    }

    fn read(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut rest = &self.0[..];
        while let Some((name, value, after)) = Self::next(rest) {
            headers.append(name, value);
            rest = after;
        }
        headers
    }

    fn next(text: &[u8]) -> Option<(HeaderName, HeaderValue, &[u8])> {
        let (name, text) = text.split_first_chunk()?;
        let (value, text) = text.split_first_chunk()?;
        let (is_sensitive, text) = text.split_first()?;
        let length = |bytes| usize::try_from(u32::from_le_bytes(bytes)).ok();
        let (name, text) = text.split_at_checked(length(*name)?)?;
        let (value, text) = text.split_at_checked(length(*value)?)?;
        let mut value = HeaderValue::from_bytes(value).ok()?;
        value.set_sensitive(*is_sensitive == 1);
        Some((HeaderName::from_bytes(name).ok()?, value, text))
    }
}

/// It holds secrets.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").finish_non_exhaustive()
    }
}

fn send(pools: &Pools, mut request: Request<UpstreamBody>) -> Sending {
    let is_shared = request.version() == Version::HTTP_2;
    let captured = is_shared.then(|| capture_connection(&mut request));
    let client = pools.client(request.version(), request.uri());
    (client.request(request), captured)
}

impl UpstreamFuture {
    pub(super) fn new(
        pools: &Arc<Pools>,
        request: Request<UpstreamBody>,
        connect: Duration,
    ) -> Self {
        let version = request.version();
        let (lent, mut request) = Lent::of(request);
        let spare = Spare::of(pools, &mut request);
        Self {
            sending: Some(send(pools, request)),
            connect,
            deadline: None,
            version,
            spare,
            lent,
            failed: None,
        }
    }

    /// Nothing is sent.
    pub(super) fn refused(fault: Fault) -> Self {
        Self {
            sending: None,
            connect: Duration::ZERO,
            deadline: None,
            version: Version::HTTP_11,
            spare: None,
            lent: None,
            failed: Some(fault.into()),
        }
    }
}

impl Future for UpstreamFuture {
    type Output = Result<Response<UpstreamResponse>, UpstreamError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        loop {
            let Some((response, captured)) = this.sending.as_mut() else {
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
            let patience = captured.is_none().then_some(*this.connect);
            match within(patience, || Pin::new(response).poll(cx)) {
                Poll::Ready(Ok(mut response)) => {
                    *this.sending = None;
                    let wire = response.extensions_mut().remove::<Wire>();
                    let version = response.version();
                    return Poll::Ready(Ok(
                        response.map(|body| UpstreamResponse::new(body, wire, version))
                    ));
                }
                Poll::Ready(Err(error)) => {
                    let wire = error.connect_info().and_then(wire);
                    *this.sending = None;
                    let has_broken_off =
                        (this.lent.as_ref()).is_some_and(|lent| lent.body.has_failed());
                    let fault = match has_broken_off {
                        true => Fault::RequestBody,
                        false => fault(&error, *this.version, wire.as_ref()),
                    };
                    let spare = this.spare.take().filter(|spare| {
                        let was_dead = |wire: &Wire| wire.was_dead(&spare.begun);
                        fault == Fault::Closed && wire.as_ref().is_some_and(was_dead)
                    });
                    let Some(spare) = spare else {
                        *this.failed = Some(UpstreamError::new(fault, error));
                        continue;
                    };
                    tracing::debug!(%error, "the pooled connection was dead: sending once more");
                    *this.sending = Some(spare.send());
                    *this.deadline = None;
                }
                Poll::Pending => {
                    // Mostly there is a connection at once, and no timer to be set.
                    let has_connection =
                        |captured: &CaptureConnection| captured.connection_metadata().is_some();
                    if captured.as_ref().is_none_or(has_connection) {
                        *this.deadline = None;
                        return Poll::Pending;
                    }
                    let new = || Deadline::new(Some(*this.connect));
                    let deadline = Pin::new(this.deadline.get_or_insert_with(new));
                    let after = ready!(deadline.poll(cx));
                    *this.sending = None;
                    *this.failed = Some(Fault::ConnectTimeout(after).into());
                }
            }
        }
    }
}

fn wire(connected: &Connected) -> Option<Wire> {
    let mut extras = Extensions::new();
    connected.get_extras(&mut extras);
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
    is_http2: bool,
    /// In a box, for most answers come in one piece.
    gather: Option<Box<Gather>>,
    _leash: Option<Leash>,
}

impl UpstreamResponse {
    fn new(body: Incoming, wire: Option<Wire>, version: Version) -> Self {
        let is_http2 = version == Version::HTTP_2;
        let leash = wire.as_ref().and_then(Wire::leash);
        let is_stream = !is_http2 && body.size_hint().exact().is_none();
        let wire = wire.filter(|_| is_stream);
        Self {
            body: Some(body),
            is_http2,
            gather: wire.map(|wire| Box::new(Gather::new(wire))),
            _leash: leash,
        }
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

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::Written;

    #[test]
    fn headers_written_down_are_the_same_when_read() {
        let mut headers = HeaderMap::new();
        assert_eq!(Written::of(&headers).read(), headers);
        let mut secret = HeaderValue::from_static("AWS4-HMAC-SHA256 Signature=00ff");
        secret.set_sensitive(true);
        headers.insert("authorization", secret);
        headers.insert("x-empty", HeaderValue::from_static(""));
        headers.append("x-two", HeaderValue::from_bytes(b"\xff").unwrap());
        headers.append("x-two", HeaderValue::from_static("b"));
        let written = Written::of(&headers);
        let read = written.read();
        assert_eq!(read, headers);
        assert!(read["authorization"].is_sensitive() && !read["x-empty"].is_sensitive());
        assert_eq!(read.get_all("x-two").iter().count(), 2);
    }
}
