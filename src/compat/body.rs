//! The response body: the inner one, bytes of our own, or a stream of chunks made of Bedrock's
//! event stream as it arrives.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::answer::Chunks;
use super::error::OpenAiError;
use crate::body::ResponseBody;
use crate::context::Context;
use crate::eventstream::{DecodeError, Decoder};

/// A comment of server-sent events: clients skip it.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// The response body of [`OpenAiCompat`](super::OpenAiCompat).
///
/// It is [`Default`] whatever the inner body is, as `tower_http::cors` asks.
pub struct CompatBody<R> {
    kind: Kind<R>,
}

enum Kind<R> {
    Plain(ResponseBody<R>),
    Events(Events<R>),
}

impl<R> CompatBody<R> {
    pub(super) fn plain(body: ResponseBody<R>) -> Self {
        let kind = Kind::Plain(body);
        Self { kind }
    }

    pub(super) fn events(events: Events<R>) -> Self {
        let kind = Kind::Events(events);
        Self { kind }
    }
}

impl<R> Default for CompatBody<R> {
    fn default() -> Self {
        Self::plain(ResponseBody::default())
    }
}

impl<R> fmt::Debug for CompatBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompatBody").finish_non_exhaustive()
    }
}

impl<R: Body<Data = Bytes> + Unpin> Body for CompatBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match &mut self.get_mut().kind {
            Kind::Plain(body) => Pin::new(body).poll_frame(cx),
            Kind::Events(events) => events
                .poll_text(cx)
                .map(|text| text.map(|text| Ok(Frame::data(text)))),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Plain(body) => body.is_end_stream(),
            Kind::Events(events) => events.upstream.is_none() && events.stream.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Plain(body) => body.size_hint(),
            Kind::Events(_) => SizeHint::new(),
        }
    }
}

/// Bedrock's event stream on its way to server-sent events.
pub(super) struct Events<R> {
    /// `None` once it has ended, or is of no more use.
    upstream: Option<R>,
    // In a box, so that an answer that is none of these is not as large.
    stream: Box<Stream>,
}

/// How far a stream has come.
struct Stream {
    decoder: Decoder,
    /// Bytes that came and are in no frame yet.
    unread: u64,
    broken: Option<DecodeError>,
    chunks: Chunks,
    /// What was translated and not yet sent.
    text: BytesMut,
    /// What ended the stream before its time, and was not yet said.
    failed: Option<OpenAiError>,
    quiet: Option<Quiet>,
    /// Until it has been told what there was.
    context: Option<Context>,
}

/// Time without news.
struct Quiet {
    every: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<R: Body<Data = Bytes> + Unpin> Events<R> {
    pub(super) fn new(
        upstream: R,
        chunks: Chunks,
        context: Context,
        keep_alive: Option<Duration>,
    ) -> Self {
        Self {
            upstream: Some(upstream),
            stream: Box::new(Stream {
                decoder: Decoder::new(),
                unread: 0,
                broken: None,
                chunks,
                text: BytesMut::new(),
                failed: None,
                quiet: keep_alive.map(|every| Quiet { every, sleep: None }),
                context: Some(context),
            }),
        }
    }

    /// Completes once there is something to send. What fails before that is the whole answer.
    pub(super) fn poll_begin(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), OpenAiError>> {
        while self.stream.text.is_empty() && self.upstream.is_some() {
            ready!(self.poll_more(cx));
        }
        let Stream { text, failed, .. } = &mut *self.stream;
        match failed.take_if(|_| text.is_empty()) {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Ready(Ok(())),
        }
    }

    /// The next piece of the stream.
    fn poll_text(&mut self, cx: &mut Task<'_>) -> Poll<Option<Bytes>> {
        while self.stream.text.is_empty() && self.upstream.is_some() {
            if self.poll_more(cx).is_pending() {
                let Some(quiet) = &mut self.stream.quiet else {
                    return Poll::Pending;
                };
                ready!(quiet.poll(cx));
                return Poll::Ready(Some(Bytes::from_static(KEEP_ALIVE)));
            }
        }
        Poll::Ready(self.stream.take_text())
    }

    /// Reads one piece of the upstream's answer and translates all events that it completes.
    fn poll_more(&mut self, cx: &mut Task<'_>) -> Poll<()> {
        let Some(upstream) = &mut self.upstream else {
            return Poll::Ready(());
        };
        let stream = &mut *self.stream;
        let ended = match ready!(Pin::new(upstream).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => stream.translate(data).map(|()| false),
                Err(_) => Ok(false),
            },
            Some(Err(_)) => Err(stream.chunks.fail(&DecodeError::Truncated)),
            None => stream.finish().map(|()| true),
        };
        match ended {
            Ok(false) => {}
            Ok(true) => self.end(),
            Err(error) => {
                self.stream.failed = Some(error);
                self.end();
            }
        }
        Poll::Ready(())
    }
}

impl<R> Events<R> {
    /// Lets the upstream go, and tells what there was.
    fn end(&mut self) {
        self.upstream = None;
        self.stream.tell();
    }
}

impl<R> Drop for Events<R> {
    /// Before its end, if the caller has left.
    fn drop(&mut self) {
        self.end();
    }
}

impl Stream {
    fn translate(&mut self, data: Bytes) -> Result<(), OpenAiError> {
        self.unread = self.unread.saturating_add(data.len() as u64);
        self.decoder.push(data);
        let translated = self.translate_events();
        if let Some(context) = &self.context {
            let (contents, is_over) = self.chunks.progress();
            context.progress().note(contents, is_over);
        }
        translated
    }

    fn translate_events(&mut self) -> Result<(), OpenAiError> {
        loop {
            match self.decoder.next() {
                Ok(Some(event)) => {
                    self.unread = self.unread.saturating_sub(event.raw().len() as u64);
                    self.chunks.push(&event, &mut self.text)?;
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.broken = Some(error);
                    return Err(self.chunks.fail(&error));
                }
            }
        }
    }

    fn finish(&mut self) -> Result<(), OpenAiError> {
        match self.decoder.finish() {
            Ok(()) => self.chunks.finish(&mut self.text),
            Err(error) => Err(self.chunks.fail(&error)),
        }
    }

    /// Whether nothing is left to be sent.
    fn is_over(&self) -> bool {
        self.text.is_empty() && self.failed.is_none()
    }

    /// What there is to send; `None` at the end.
    fn take_text(&mut self) -> Option<Bytes> {
        if let Some(error) = self.failed.take() {
            error.write_event(&mut self.text);
        }
        if let Some(quiet) = &mut self.quiet {
            quiet.sleep = None;
        }
        let text = self.text.split().freeze();
        Some(text).filter(|text| !text.is_empty())
    }

    /// Tells the record, once.
    fn tell(&mut self) {
        let Some(context) = self.context.take() else {
            return;
        };
        let mut told = self.chunks.told();
        told.broken = self.broken.map(|error| (error, self.unread));
        if let Some(error) = &self.failed
            && !told.is_cut
        {
            told.fault.get_or_insert_with(|| error.name());
        }
        context.tell(told);
    }
}

impl Quiet {
    /// Completes every so often while nothing else does.
    fn poll(&mut self, cx: &mut Task<'_>) -> Poll<()> {
        if self.sleep.is_none() && tokio::runtime::Handle::try_current().is_err() {
            // Without a Tokio runtime there is no timer to wait with.
            return Poll::Pending;
        }
        let every = self.every;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(every)));
        ready!(sleep.as_mut().poll(cx));
        self.sleep = None;
        Poll::Ready(())
    }
}
