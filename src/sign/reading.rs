//! A body on its way in: held, and hashed as it arrives.

use std::pin::Pin;
use std::task::{Context as Task, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::settings::Settings;
use super::sigv4::{PayloadHash, PayloadHasher};
use crate::body::{BoxError, Buffered, CollectError, Collector};
use crate::context::Context;

impl Settings {
    /// Longest body that is signed. What a layer of ours has made of a request that was within the
    /// limit is no longer the caller's business.
    pub(super) fn limit(&self, facts: Option<&Context>) -> usize {
        match facts.is_some_and(Context::is_translated) {
            true => usize::MAX,
            false => self.body_limit,
        }
    }
}

/// What a body gives when it is polled.
type Polled<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

/// What a body gives first.
pub(super) enum First<E> {
    /// All that there is.
    Whole(Bytes),
    Other(Polled<E>),
}

/// Asks a body that was not asked before.
#[inline]
pub(super) fn first<B>(
    mut body: Pin<&mut B>,
    cx: &mut Task<'_>,
    limit: usize,
) -> Result<First<B::Error>, CollectError>
where
    B: Body<Data = Bytes>,
{
    let limit = limit as u64;
    // Before the first poll: a client that waits for `100 Continue` must not get it for a body
    // that will be refused.
    if body.size_hint().lower() > limit {
        return Err(CollectError::TooLarge);
    }
    let frame = match body.as_mut().poll_frame(cx) {
        Poll::Ready(Some(Ok(frame))) => frame,
        other => return Ok(First::Other(other)),
    };
    Ok(match frame.into_data() {
        Ok(data) if body.is_end_stream() && data.len() as u64 <= limit => First::Whole(data),
        Ok(data) => First::Other(Poll::Ready(Some(Ok(Frame::data(data))))),
        Err(frame) => First::Other(Poll::Ready(Some(Ok(frame)))),
    })
}

/// How far a body has been read.
pub(super) struct Reading {
    collector: Collector,
    hash: BodyHash,
}

impl Reading {
    pub(super) fn new(limit: usize, settings: &Settings) -> Self {
        Self {
            collector: Collector::new(limit, settings.body_grace),
            hash: BodyHash::new(),
        }
    }

    pub(super) fn poll<B>(
        &mut self,
        body: Pin<&mut B>,
        cx: &mut Task<'_>,
    ) -> Poll<Result<Buffered, CollectError>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let Self { collector, hash } = self;
        collector.poll(body, cx, |frame, is_last| hash.update(frame, is_last))
    }

    /// The same, from what the body has given already.
    pub(super) fn poll_from<B>(
        &mut self,
        frame: Polled<B::Error>,
        body: Pin<&mut B>,
        cx: &mut Task<'_>,
    ) -> Poll<Result<Buffered, CollectError>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let Self { collector, hash } = self;
        collector.poll_from(frame, body, cx, |frame, is_last| {
            hash.update(frame, is_last)
        })
    }

    pub(super) fn hash(&self) -> BodyHash {
        self.hash.clone()
    }
}

/// The hash of a body, all but its end.
#[derive(Clone)]
pub(super) struct BodyHash {
    hasher: PayloadHasher,
    /// Length of the end.
    later: usize,
}

impl BodyHash {
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            hasher: PayloadHasher::new(),
            later: 0,
        }
    }

    #[inline]
    pub(super) fn update(&mut self, frame: &[u8], is_last: bool) {
        match is_last {
            true => self.later = self.hasher.update_last(frame),
            false => self.hasher.update(frame),
        }
    }

    /// Of the whole body, which is the one whose frames were seen.
    #[inline]
    pub(super) fn finish(&self, body: &Buffered) -> PayloadHash {
        let last = body.last().map_or(&[][..], |last| last);
        self.hasher.finish_with(&last[last.len() - self.later..])
    }
}
