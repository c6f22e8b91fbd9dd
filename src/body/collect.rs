//! Reading a request body whole: bounded in size, bounded in time, hashed as it arrives.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::gathered::Gathered;
use super::{BoxError, Buffered};
use crate::reject::{Drain, Manner, Rejection, RejectionKind};

/// Slowest upload that is waited for once `grace` is over, in bytes per second: that of Apache's
/// `RequestReadTimeout body=20,MinRate=500`.
const MIN_RATE: u64 = 500;

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum CollectError {
    /// It is longer than the limit.
    TooLarge,
    /// It arrives too slowly.
    TooSlow,
    /// It broke off.
    Broken(BoxError),
}

impl CollectError {
    /// How much more of the body is read before the refusal, which is in this manner: of one that
    /// is too slow nothing, for it has been waited for.
    pub(crate) fn drain(&self, manner: Manner) -> Drain {
        match self {
            Self::TooSlow => Drain::nothing(),
            Self::TooLarge | Self::Broken(_) => Drain::new(manner),
        }
    }

    /// The refusal that it leads to; `limit` is that of the collector.
    pub(crate) fn refusal(self, limit: usize) -> Rejection {
        match self {
            Self::TooLarge => Rejection::new(
                RejectionKind::BodyTooLarge,
                format!("the request body is longer than {limit} bytes"),
            ),
            Self::TooSlow => Rejection::new(
                RejectionKind::InvalidBody,
                "the request body came too slowly: less than 500 bytes per second",
            ),
            Self::Broken(cause) => Rejection::new(
                RejectionKind::InvalidBody,
                "the request body broke off before its end",
            )
            .with_internal(cause),
        }
    }
}

/// Refuses a body that is not sent as it is.
pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<(), Rejection> {
    let plain = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if plain {
        return Ok(());
    }
    Err(unsupported_encoding("as it is"))
}

/// Refuses a body that cannot be decoded; `how` to send it instead.
pub(crate) fn unsupported_encoding(how: &str) -> Rejection {
    Rejection::new(
        RejectionKind::UnsupportedEncoding,
        format!("the header content-encoding is not supported: send the body {how}"),
    )
}

/// Collects a body's frames.
#[derive(Debug)]
pub(crate) struct Collector {
    limit: u64,
    grace: Duration,
    body: Gathered,
    /// Whether frames are kept, or only counted.
    keeps: bool,
    seen: u64,
    begun: bool,
    /// Set when the body makes us wait for the first time.
    deadline: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Collector {
    pub(crate) fn new(limit: usize, grace: Duration) -> Self {
        Self {
            limit: limit as u64,
            grace,
            body: Gathered::default(),
            keeps: true,
            seen: 0,
            begun: false,
            deadline: None,
        }
    }

    /// Leaves the frames to whoever sees them, and gives back an empty body.
    #[cfg(feature = "compat")]
    pub(crate) fn counting(mut self) -> Self {
        self.keeps = false;
        self
    }

    /// Whether the body has been asked for: then the client was told to continue.
    #[cfg(feature = "compat")]
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether the body is longer than the limit, with so many bytes to come.
    fn is_too_much(&self, more: u64) -> bool {
        self.seen.saturating_add(more) > self.limit
    }

    /// Reads on; `on_frame` sees each frame as soon as it is in, and whether it is known to be the
    /// last.
    pub(crate) fn poll<B>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
        on_frame: impl FnMut(&Bytes, bool),
    ) -> Poll<Result<Buffered, CollectError>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        // Before the first poll: a client that waits for `100 Continue` must not get it for a
        // body that will be refused.
        if self.is_too_much(body.size_hint().lower()) {
            return Poll::Ready(Err(CollectError::TooLarge));
        }
        self.begun = true;
        let frame = body.as_mut().poll_frame(cx);
        self.poll_from(frame, body, cx, on_frame)
    }

    /// The same, from what the body has just given.
    pub(crate) fn poll_from<B>(
        &mut self,
        mut frame: Poll<Option<Result<Frame<Bytes>, B::Error>>>,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
        mut on_frame: impl FnMut(&Bytes, bool),
    ) -> Poll<Result<Buffered, CollectError>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        loop {
            let arrived = match frame {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(CollectError::Broken(error.into())));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(self.body.take())),
                Poll::Pending if self.is_too_slow(cx) => {
                    return Poll::Ready(Err(CollectError::TooSlow));
                }
                Poll::Pending => return Poll::Pending,
            };
            match arrived.into_data() {
                Ok(data) => {
                    if self.is_too_much(data.len() as u64) {
                        return Poll::Ready(Err(CollectError::TooLarge));
                    }
                    let is_last = body.is_end_stream();
                    on_frame(&data, is_last);
                    self.seen += data.len() as u64;
                    if self.keeps {
                        self.body.push(data);
                    }
                    if is_last {
                        return Poll::Ready(Ok(self.body.take()));
                    }
                }
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        self.body.set_trailers(trailers);
                    }
                }
            }
            frame = body.as_mut().poll_frame(cx);
        }
    }

    fn is_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        if self.deadline.is_none() && tokio::runtime::Handle::try_current().is_err() {
            // Without a Tokio runtime there is no timer to wait with.
            return false;
        }
        let (start, sleep) = self
            .deadline
            .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(self.grace))));
        while sleep.as_mut().poll(cx).is_ready() {
            let earned = Duration::from_millis(self.seen.saturating_mul(1000) / MIN_RATE);
            let due = *start + self.grace + earned;
            if due <= Instant::now() {
                return true;
            }
            sleep.as_mut().reset(due);
        }
        false
    }
}
