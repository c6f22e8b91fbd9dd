//! Reading away the request body of a refused request.
//!
//! A client that is still uploading does not look for an answer. HTTP/1.1 connections would be
//! closed under it, and what it gets then is a reset instead of the refusal; some HTTP/2 clients
//! hang. So a refusal is given only once the rest of the body was read and dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

/// A longer body is not worth reading away.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Nor is a slower one.
const MAX_TIME: Duration = Duration::from_secs(10);

pin_project! {
    /// Completes when the body has been read, or when reading on is not worth it.
    #[derive(Debug)]
    pub(crate) struct Drain<B> {
        #[pin]
        body: Option<B>,
        seen: u64,
        sleep: Option<Pin<Box<Sleep>>>,
    }
}

impl<B: Body> Drain<B> {
    /// `awaits_continue`: the client sends its body only if asked to, so it is not asked.
    pub(crate) fn new(body: B, awaits_continue: bool) -> Self {
        let worthwhile = !awaits_continue && body.size_hint().lower() <= MAX_BYTES;
        Self {
            body: Some(body).filter(|_| worthwhile),
            seen: 0,
            sleep: None,
        }
    }
}

impl<B> Drain<B> {
    /// Nothing left to read.
    pub(crate) fn nothing() -> Self {
        Self {
            body: None,
            seen: 0,
            sleep: None,
        }
    }
}

impl<B: Body> Future for Drain<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(mut body) = this.body.as_mut().as_pin_mut() else {
            return Poll::Ready(());
        };
        while *this.seen <= MAX_BYTES {
            match body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let len = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                    *this.seen += len;
                }
                Poll::Ready(_) => break,
                Poll::Pending => {
                    // Without a Tokio runtime there is no timer to wait with.
                    if tokio::runtime::Handle::try_current().is_err() {
                        break;
                    }
                    let sleep = this
                        .sleep
                        .get_or_insert_with(|| Box::pin(tokio::time::sleep(MAX_TIME)));
                    ready!(sleep.as_mut().poll(cx));
                    break;
                }
            }
        }
        this.body.set(None);
        Poll::Ready(())
    }
}
