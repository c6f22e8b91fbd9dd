//! The future of an answer: the inner one, watched.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use http::{Response, response};
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::{Held, ObservedBody};
use super::drain::{AfterLeaving, LetGo};
use super::guard::Guard;
use super::observation::End;

pin_project! {
    /// The response future of [`Observability`](super::Observability).
    pub struct ResponseFuture<F, R, D = LetGo> {
        // Dropped before the guard: the upstream is let go first.
        #[pin]
        future: F,
        // An answer that is held back until it is whole; in a box, for few are.
        holding: Option<Box<Holding<R>>>,
        guard: Guard,
        drain: D,
        // Has completed, after which the inner future may not be polled again.
        is_done: bool,
    }
}

struct Holding<R> {
    head: response::Parts,
    body: Pin<Box<R>>,
    frames: Vec<http_body::Frame<Bytes>>,
    size: usize,
    limit: usize,
}

impl<F, R, D> ResponseFuture<F, R, D> {
    pub(super) fn new(future: F, guard: Guard, drain: D) -> Self {
        Self {
            future,
            holding: None,
            guard,
            drain,
            is_done: false,
        }
    }
}

impl<F, R, E, D> Future for ResponseFuture<F, R, D>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes>,
    D: AfterLeaving<R>,
{
    type Output = Result<Response<ObservedBody<R, R::Error>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.holding.is_none() {
            if *this.is_done {
                return Poll::Pending;
            }
            let polled = this.guard.in_span(|| this.future.poll(cx));
            *this.is_done = polled.is_ready();
            let mut response = match ready!(polled) {
                Ok(response) => response,
                Err(error) => {
                    this.guard.finish(End::Failed);
                    return Poll::Ready(Err(error));
                }
            };
            let observed = this.guard.get_mut();
            let follows = observed.is_none_or(|observed| observed.answered(&mut response));
            if !follows {
                this.guard.finish(End::Whole);
            }
            let limit = this
                .guard
                .get_mut()
                .and_then(|observed| observed.holds_up_to());
            match limit {
                None => {
                    let guard = this.guard.take();
                    let read_on = guard.get().and_then(|_| this.drain.reader());
                    return Poll::Ready(Ok(response.map(|body| match read_on {
                        None => ObservedBody::new(body, guard),
                        some => ObservedBody::boxed(Box::pin(body), Held::new(), some, guard),
                    })));
                }
                Some(limit) => {
                    let (head, body) = response.into_parts();
                    *this.holding = Some(Box::new(Holding {
                        head,
                        body: Box::pin(body),
                        frames: Vec::new(),
                        size: 0,
                        limit,
                    }));
                }
            }
        }
        let mut held = Held::new();
        if let Some(holding) = this.holding {
            held.end = ready!(holding.poll(this.guard, cx));
        }
        let Some(holding) = this.holding.take() else {
            return Poll::Pending;
        };
        let Holding {
            mut head,
            body,
            frames,
            ..
        } = *holding;
        held.frames = frames.into();
        if let (Some(Ok(())), Some(observation)) = (&held.end, this.guard.get_mut()) {
            observation.write_usage(&mut head.headers);
        }
        let body = ObservedBody::boxed(body, held, this.drain.reader(), this.guard.take());
        Poll::Ready(Ok(Response::from_parts(head, body)))
    }
}

impl<R: Body<Data = Bytes>> Holding<R> {
    /// Ready with how the body ended, or with nothing if it is longer than allowed.
    fn poll(&mut self, guard: &mut Guard, cx: &mut Task<'_>) -> Poll<Option<Result<(), R::Error>>> {
        while self.size <= self.limit {
            let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(Some(Ok(()))),
            };
            if let (Some(data), Some(observation)) = (frame.data_ref(), guard.get_mut()) {
                self.size = self.size.saturating_add(data.len());
                observation.read(data);
            }
            self.frames.push(frame);
            if self.body.is_end_stream() {
                return Poll::Ready(Some(Ok(())));
            }
        }
        Poll::Ready(None)
    }
}

impl<F, R, D> fmt::Debug for ResponseFuture<F, R, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
