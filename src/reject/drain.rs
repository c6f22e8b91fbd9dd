//! Reading away the request body of a refused request.
//!
//! A client that is still uploading does not look for an answer. HTTP/1.1 connections would be
//! closed under it, and what it gets then is a reset instead of the refusal; some HTTP/2 clients
//! hang. So a refusal is given only once the rest of the body was read and dropped. In a conversation
//! (gRPC, bidirectional streams) a client hears while it speaks, and may never come to an end: it is
//! answered at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http_body::Body;
use tokio::time::Sleep;

use super::Manner;

/// A longer body is not worth reading away.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Nor is a slower one.
const MAX_TIME: Duration = Duration::from_secs(10);
/// One that has no end in sight only as long as what is on its way may take.
const MAX_TIME_OF_CONVERSATIONS: Duration = Duration::from_millis(100);

/// How far a body has been read away.
#[derive(Debug)]
pub(crate) struct Drain {
    /// All is left unread: the client waits to be told to go on, say.
    is_left: bool,
    most: Duration,
    seen: u64,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Drain {
    pub(crate) fn new(manner: Manner) -> Self {
        Self {
            is_left: manner.awaits_continue,
            most: match manner.converses {
                true => MAX_TIME_OF_CONVERSATIONS,
                false => MAX_TIME,
            },
            seen: 0,
            sleep: None,
        }
    }

    /// Nothing is read away.
    pub(crate) fn nothing() -> Self {
        Self {
            is_left: true,
            most: Duration::ZERO,
            seen: 0,
            sleep: None,
        }
    }

    /// Completes when the body has been read, or when reading on is not worth it.
    pub(crate) fn poll<B: Body>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.is_left || body.size_hint().lower() > MAX_BYTES {
            return Poll::Ready(());
        }
        while self.seen <= MAX_BYTES {
            match body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.seen += frame.data_ref().map_or(0, |data| data.remaining() as u64);
                }
                Poll::Ready(_) => break,
                Poll::Pending => {
                    // Without a Tokio runtime there is no timer to wait with.
                    if tokio::runtime::Handle::try_current().is_err() {
                        break;
                    }
                    let most = self.most;
                    let sleep = self
                        .sleep
                        .get_or_insert_with(|| Box::pin(tokio::time::sleep(most)));
                    ready!(sleep.as_mut().poll(cx));
                    break;
                }
            }
        }
        Poll::Ready(())
    }
}
