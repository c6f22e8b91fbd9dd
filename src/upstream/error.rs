//! What can go wrong on the way to the upstream, and what the caller is told of it.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;
use std::{fmt, io, iter};

use tower::load_shed::error::Overloaded;
use tower::timeout::error::Elapsed;

use crate::body::BoxError;
use crate::reject::{RESENT, Rejection, RejectionKind};

/// The upstream could not be reached, or did not answer as it should.
///
/// [`Display`](fmt::Display) prints what happened without any host or address; the cause is in
/// [`source`](Error::source) and is not repeated in the text.
#[derive(Debug)]
pub struct UpstreamError {
    fault: Fault,
    source: Option<BoxError>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(not(feature = "client"), allow(dead_code))]
pub(super) enum Fault {
    Unreachable,
    Tls,
    ConnectTimeout(Duration),
    NoAnswerWithin(Duration),
    Timeout,
    Closed,
    /// In the middle of a response body.
    CutOff,
    Idle(Duration),
    Garbage,
    Interim,
    /// The request needs HTTP/2, and the upstream does not speak it.
    NoHttp2,
    /// The caller's, not the upstream's.
    RequestBody,
    /// With the signature that it was sent with before.
    Resent,
    Overloaded,
    Other,
}

impl UpstreamError {
    #[cfg(feature = "client")]
    pub(super) fn new(fault: Fault, source: impl Into<BoxError>) -> Self {
        let source = Some(source.into());
        Self { fault, source }
    }

    #[cfg(feature = "client")]
    pub(super) fn fault(&self) -> Fault {
        self.fault
    }

    /// Whether there never was a connection: nothing of the request was sent.
    pub fn is_connect(&self) -> bool {
        matches!(
            self.fault,
            Fault::Unreachable | Fault::Tls | Fault::ConnectTimeout(_)
        )
    }

    /// Whether something took too long.
    pub fn is_timeout(&self) -> bool {
        self.fault.kind() == RejectionKind::UpstreamTimeout
    }
}

impl From<Fault> for UpstreamError {
    fn from(fault: Fault) -> Self {
        let source = None;
        Self { fault, source }
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fault.text())
    }
}

impl Error for UpstreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|e| &**e as &(dyn Error + 'static))
    }
}

impl Fault {
    /// What `error` amounts to, by the first of its causes that is known.
    fn of(error: &(dyn Error + 'static)) -> Self {
        causes(error).find_map(Self::known).unwrap_or(Self::Other)
    }

    fn known(error: &(dyn Error + 'static)) -> Option<Self> {
        use io::ErrorKind as Io;

        if let Some(error) = error.downcast_ref::<UpstreamError>() {
            return Some(error.fault);
        }
        if error.is::<Elapsed>() {
            return Some(Self::Timeout);
        }
        if error.is::<Overloaded>() {
            return Some(Self::Overloaded);
        }
        match error.downcast_ref::<io::Error>()?.kind() {
            Io::ConnectionRefused | Io::HostUnreachable | Io::NetworkUnreachable => {
                Some(Self::Unreachable)
            }
            Io::TimedOut => Some(Self::Timeout),
            Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe | Io::UnexpectedEof => {
                Some(Self::Closed)
            }
            _ => None,
        }
    }

    fn kind(self) -> RejectionKind {
        match self {
            Self::ConnectTimeout(_) | Self::NoAnswerWithin(_) | Self::Timeout | Self::Idle(_) => {
                RejectionKind::UpstreamTimeout
            }
            Self::RequestBody => RejectionKind::InvalidBody,
            Self::Resent => RejectionKind::StackMisordered,
            Self::Overloaded => RejectionKind::RateLimited,
            _ => RejectionKind::UpstreamError,
        }
    }

    fn text(self) -> Cow<'static, str> {
        match self {
            Self::Unreachable => "the upstream could not be reached",
            Self::Tls => "no TLS connection to the upstream could be made",
            Self::ConnectTimeout(after) => {
                let ms = after.as_millis();
                return format!("no connection to the upstream within {ms} ms").into();
            }
            Self::NoAnswerWithin(after) => {
                let ms = after.as_millis();
                return format!("no answer from the upstream within {ms} ms").into();
            }
            Self::Timeout => "no answer from the upstream in time",
            Self::Closed => "the upstream closed the connection before it answered",
            Self::CutOff => "the upstream broke off its answer",
            Self::Idle(after) => {
                let ms = after.as_millis();
                return format!("the upstream fell silent for {ms} ms amid its answer").into();
            }
            Self::Garbage => "the upstream's answer is not valid HTTP",
            Self::Interim => "the upstream's answer is not a final response",
            Self::NoHttp2 => {
                "this request must reach the upstream over HTTP/2, and the upstream does not speak that here: bidirectional streams need it, and signatures that cover :authority (sign host instead)"
            }
            Self::RequestBody => "the request body broke off",
            Self::Resent => RESENT,
            Self::Overloaded => "too many requests at once on this gateway: try again later",
            Self::Other => "the request to the upstream failed",
        }
        .into()
    }
}

/// The refusal that `error` becomes; logs it with all its causes.
pub(super) fn rejection(error: BoxError) -> Rejection {
    let fault = Fault::of(&*error);
    let kind = fault.kind();
    tracing::warn!(status = kind.status().as_u16(), error = %Chain(&*error), "request failed");
    Rejection::new(kind, fault.text()).with_internal(error)
}

/// `error` and what is behind it.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>() {
            // Its `source` is that of the error inside, and leaves that one out.
            Some(error) => error.get_ref().map(|e| e as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        iter::successors(self.0.source(), |&error| error.source())
            .try_for_each(|error| write!(f, ": {error}"))
    }
}
