//! The response body: a list of steps played in order.

use std::collections::VecDeque;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::duplex::Duplex;

/// One step of a body.
#[derive(Debug)]
pub(super) enum Step {
    Data(Bytes),
    /// Lets what was sent reach the wire on its own.
    Flush,
    Wait(Duration),
    /// Aborts the transfer: a broken connection in HTTP/1.1, a reset stream in HTTP/2.
    Abort,
    /// The same when the peer has left already.
    Gone,
    /// Sends nothing more and does not end.
    Hang,
}

/// Counts a peer that leaves before the answer's end: armed from the request's head to the last step.
#[derive(Debug)]
pub(super) struct Departure {
    count: Arc<AtomicU64>,
    armed: bool,
}

impl Departure {
    pub(super) fn watch(count: &Arc<AtomicU64>) -> Self {
        Self {
            count: Arc::clone(count),
            armed: true,
        }
    }

    /// The peer has left for certain.
    pub(super) fn happened(mut self) -> Self {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.armed = false;
        self
    }

    fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        if self.armed {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Debug)]
pub(super) struct Script {
    steps: VecDeque<Step>,
    /// The exact length, when the answer declares one.
    length: Option<u64>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// What says how it goes on when there are no more steps.
    source: Option<Box<Duplex>>,
    departure: Departure,
}

impl Script {
    pub(super) fn new(steps: Vec<Step>, length: Option<u64>, mut departure: Departure) -> Self {
        if steps.is_empty() {
            departure.disarm();
        }
        Self {
            steps: steps.into(),
            length,
            sleep: None,
            source: None,
            departure,
        }
    }

    /// The body of an answer that is made while its request arrives.
    pub(super) fn of(source: Duplex, departure: Departure) -> Self {
        Self {
            steps: VecDeque::new(),
            length: None,
            sleep: None,
            source: Some(Box::new(source)),
            departure,
        }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.sleep = None;
            }
            let step = self.steps.pop_front();
            match step {
                Some(Step::Data(data)) => {
                    if self.steps.is_empty() && self.source.is_none() {
                        self.departure.disarm();
                    }
                    if let Some(length) = &mut self.length {
                        *length = length.saturating_sub(data.len() as u64);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Step::Flush) => {
                    // hyper flushes whenever the body is pending.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(sleep(time))),
                Some(step @ (Step::Abort | Step::Gone)) => {
                    if matches!(step, Step::Abort) {
                        self.departure.disarm();
                    }
                    self.steps.clear();
                    self.source = None;
                    let cut = io::Error::other("the emulator cuts this answer");
                    return Poll::Ready(Some(Err(cut)));
                }
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
                None => {
                    let more = match &mut self.source {
                        Some(source) => ready!(source.poll_steps(cx)),
                        None => None,
                    };
                    let Some(more) = more else {
                        self.source = None;
                        self.departure.disarm();
                        return Poll::Ready(None);
                    };
                    self.steps.extend(more);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.sleep.is_none() && self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}
