//! Reading a request body whole: bounded in size, bounded in time, hashed as it arrives.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::{BoxError, Buffered};

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

/// Collects a body's frames.
#[derive(Debug)]
pub(crate) struct Collector {
    limit: u64,
    grace: Duration,
    body: Buffered,
    /// Set when the body makes us wait for the first time.
    deadline: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Collector {
    pub(crate) fn new(limit: usize, grace: Duration) -> Self {
        Self {
            limit: limit as u64,
            grace,
            body: Buffered::empty(),
            deadline: None,
        }
    }

    /// Whether the body is longer than the limit, with so many bytes to come.
    pub(crate) fn is_too_much(&self, more: u64) -> bool {
        self.body.len().saturating_add(more) > self.limit
    }

    /// Reads on, from what the body has just given; `on_frame` sees each frame as soon as it is
    /// in, and whether it is known to be the last.
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
                Poll::Ready(None) => return Poll::Ready(Ok(std::mem::take(&mut self.body))),
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
                    self.body.push(data);
                    if is_last {
                        return Poll::Ready(Ok(std::mem::take(&mut self.body)));
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
            let earned = Duration::from_millis(self.body.len().saturating_mul(1000) / MIN_RATE);
            let due = *start + self.grace + earned;
            if due <= Instant::now() {
                return true;
            }
            sleep.as_mut().reset(due);
        }
        false
    }
}
