//! The upstream's response body, watched for silence.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::UpstreamError;
use super::error::Fault;
use crate::body::BoxError;
use crate::context::Context;

pin_project! {
    /// The inner service's response body; ends with an error if nothing comes for too long, which
    /// is seen up to a sixteenth of that time late.
    ///
    /// Time counts only while someone waits for the body: a slow reader is not a silent upstream.
    /// In a bidirectional stream, neither is one that listens.
    #[derive(Debug)]
    pub struct TimedBody<R> {
        #[pin]
        body: Option<R>,
        idle: Option<Duration>,
        other: Option<OtherSide>,
        // Of the request, if silence is to be noted.
        facts: Option<Context>,
        // Since when the body makes us wait, once that was looked at.
        since: Option<Instant>,
        // Boxed so that the body stays `Unpin`, and small while it never waits.
        alarm: Option<Pin<Box<Alarm>>>,
    }
}

impl<R> TimedBody<R> {
    pub(super) fn new(
        body: R,
        idle: Option<Duration>,
        other: Option<OtherSide>,
        facts: &Context,
    ) -> Self {
        Self {
            body: Some(body),
            idle,
            other,
            facts: idle.is_some().then(|| facts.clone()),
            since: None,
            alarm: None,
        }
    }
}

/// Empty.
impl<R> Default for TimedBody<R> {
    fn default() -> Self {
        Self {
            body: None,
            idle: None,
            other: None,
            facts: None,
            since: None,
            alarm: None,
        }
    }
}

/// The request body of a bidirectional stream.
#[derive(Debug)]
pub(super) struct OtherSide {
    facts: Context,
    sent: Option<u64>,
}

impl OtherSide {
    pub(super) fn new(facts: &Context) -> Self {
        Self {
            facts: facts.clone(),
            sent: facts.request_size(),
        }
    }

    /// Whether it has, since it was asked last; and if nobody counts what it says, it may have.
    fn has_spoken(&mut self) -> bool {
        let sent = self.facts.request_size();
        let before = std::mem::replace(&mut self.sent, sent);
        sent.is_none() || sent != before
    }
}

impl<R> Body for TimedBody<R>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = body.poll_frame(cx) {
            *this.since = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let Some(idle) = *this.idle else {
            return Poll::Pending;
        };
        loop {
            ready!(poll_silence(this.since, this.alarm, idle, cx));
            if !this.other.as_mut().is_some_and(OtherSide::has_spoken) {
                break;
            }
            *this.since = None;
        }
        // Closes the connection at once, however long the caller keeps this body.
        this.body.set(None);
        if let Some(facts) = this.facts.take() {
            facts.set_silence(idle);
        }
        Poll::Ready(Some(Err(UpstreamError::from(Fault::Idle(idle)).into())))
    }

    #[inline]
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

pin_project! {
    /// A timer that is set, and whom it wakes.
    #[derive(Debug)]
    struct Alarm {
        #[pin]
        sleep: Sleep,
        waker: Waker,
        // Set for the end of a silence, not for a look at whether there is one.
        is_last: bool,
    }
}

impl Alarm {
    fn new(at: Instant, cx: &Task<'_>) -> Self {
        Self {
            sleep: sleep_until(at),
            waker: cx.waker().clone(),
            is_last: false,
        }
    }

    /// Whether nothing is to be done but to wait for it.
    fn is_quiet(&self, cx: &Task<'_>) -> bool {
        !self.sleep.is_elapsed() && self.waker.will_wake(cx.waker())
    }

    fn poll(self: Pin<&mut Self>, at: Instant, cx: &mut Task<'_>) -> Poll<()> {
        let mut this = self.project();
        this.waker.clone_from(cx.waker());
        if this.sleep.deadline() != at {
            this.sleep.as_mut().reset(at);
        }
        // A task that has used up its turn would not be noted down by the timer.
        Pin::new(&mut unconstrained(this.sleep)).poll(cx)
    }
}

/// While frames come, it is not noted when: it is enough to look so many times in the longest
/// silence whether one has come.
const LOOKS: u32 = 16;

/// Completes when `idle` has passed since the last frame, or up to a sixteenth more. The clock is
/// not read with every frame, nor the timer asked or moved.
fn poll_silence(
    since: &mut Option<Instant>,
    alarm: &mut Option<Pin<Box<Alarm>>>,
    idle: Duration,
    cx: &mut Task<'_>,
) -> Poll<()> {
    let in_silence = since.is_some();
    let is_quiet = |alarm: &Pin<Box<Alarm>>| alarm.is_quiet(cx) && (in_silence || !alarm.is_last);
    if alarm.as_ref().is_some_and(is_quiet) {
        return Poll::Pending;
    }
    loop {
        let now = Instant::now();
        let is_last = since.is_some();
        let since = *since.get_or_insert(now);
        let Some(due) = since.checked_add(idle) else {
            return Poll::Pending;
        };
        if now >= due {
            return Poll::Ready(());
        }
        if alarm.is_none() && tokio::runtime::Handle::try_current().is_err() {
            // Without a Tokio runtime there is no timer to wait with.
            return Poll::Pending;
        }
        let at = if is_last { due } else { since + idle / LOOKS };
        let mut alarm = alarm
            .get_or_insert_with(|| Box::pin(Alarm::new(at, cx)))
            .as_mut();
        *alarm.as_mut().project().is_last = is_last;
        ready!(alarm.poll(at, cx));
    }
}
