//! A request under way: from the pool to the head of its answer.

use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use http::{Extensions, Request, Response, Version};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, capture_connection};

use super::UpstreamError;
use super::client::Pools;
use super::connect::within;
use super::deadline::Deadline;
use super::error::{Fault, causes};
use super::wire::Wire;
use crate::body::{Begun, UpstreamBody};

/// An answer to come.
#[derive(Debug)]
pub(super) struct Sending {
    response: legacy::ResponseFuture,
    /// The connection once the request has one, if others may share it.
    ///
    /// Over HTTP/1.1 it is known without: there a request that has to wait makes a connection itself,
    /// which is given up when the request would be.
    captured: Option<CaptureConnection>,
    connect: Duration,
    /// Set while the request waits for a connection which others may wait for too.
    deadline: Option<Deadline>,
    version: Version,
}

impl Sending {
    pub(super) fn new(
        pools: &Pools,
        mut request: Request<UpstreamBody>,
        connect: Duration,
    ) -> Self {
        let version = request.version();
        let is_shared = version == Version::HTTP_2;
        let captured = is_shared.then(|| capture_connection(&mut request));
        let client = pools.client(version, request.uri());
        Self {
            response: client.request(request),
            captured,
            connect,
            deadline: None,
            version,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Task<'_>) -> Poll<Result<Response<Incoming>, Failure>> {
        let patience = self.captured.is_none().then_some(self.connect);
        let response = Pin::new(&mut self.response);
        if let Poll::Ready(outcome) = within(patience, || response.poll(cx)) {
            let version = self.version;
            return Poll::Ready(outcome.map_err(|error| Failure::of(error, version)));
        }
        // Mostly there is a connection at once, and no timer to be set.
        let has_connection =
            |captured: &CaptureConnection| captured.connection_metadata().is_some();
        if self.captured.as_ref().is_none_or(has_connection) {
            self.deadline = None;
            return Poll::Pending;
        }
        let new = || Deadline::new(Some(self.connect));
        let deadline = self.deadline.get_or_insert_with(new);
        let after = ready!(Pin::new(deadline).poll(cx));
        Poll::Ready(Err(Failure::from(Fault::ConnectTimeout(after))))
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) source: Option<legacy::Error>,
    wire: Option<Wire>,
}

impl Failure {
    fn of(error: legacy::Error, version: Version) -> Self {
        let wire = error.connect_info().and_then(wire);
        Self {
            fault: fault(&error, version, wire.as_ref()),
            source: Some(error),
            wire,
        }
    }

    /// Whether the connection that the request was given was closed already.
    pub(super) fn is_of_a_dead_connection(&self, begun: &Begun) -> bool {
        let was_dead = |wire: &Wire| wire.was_dead(begun);
        self.fault == Fault::Closed && self.wire.as_ref().is_some_and(was_dead)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let (source, wire) = (None, None);
        Self {
            fault,
            source,
            wire,
        }
    }
}

impl From<Failure> for UpstreamError {
    fn from(failure: Failure) -> Self {
        match failure.source {
            Some(source) => Self::new(failure.fault, source),
            None => failure.fault.into(),
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
