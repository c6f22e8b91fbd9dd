//! A bidirectional stream: the request is read as its answer is, message by message.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::request;
use http_body::Body;
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep};

use super::answer::Content;
use super::builder::{Clock, Settings};
use super::faults::{Fault, flushed};
use super::log::{Entry, Verdict};
use super::operations;
use super::refusal::Refusal;
use super::script::Step;
use super::verify::{Arrived, Payload, verify_head};
use crate::eventstream::Decoder;

use self::message::{BASE64, Message, Reader};
use self::sonic::Session;

mod message;
mod sonic;

const STREAM: &str = "application/vnd.amazon.eventstream";
/// A message whose chunk is as long as may be, in base64 and wrapped twice, and some more to say what is wrong with it.
const LONGEST_FRAME: usize = 2 * 1024 * 1024;
const KEPT_BODY: usize = 64 * 1024;
/// The longest session of Nova Sonic.
const SESSION: Duration = Duration::from_secs(8 * 60);
/// How long the request may stay open after its last message.
const LINGER: Duration = Duration::from_secs(5);

/// A stream whose head was accepted.
#[derive(Debug)]
pub(super) struct Opening {
    reader: Reader,
    model: Model,
    fault: Option<Fault>,
    clock: Clock,
}

#[derive(Debug)]
enum Model {
    Sonic(Box<Session>),
    /// Every other model says what it hears.
    Echo,
}

/// Checks the head of the request.
pub(super) fn open(
    settings: &Settings,
    id: &str,
    head: &request::Parts,
) -> Result<Opening, Refusal> {
    let reader = if settings.verify {
        let arrived = Arrived::of(head, Payload::Events);
        Reader::new(verify_head(&arrived, &settings.keys, settings.now())?)
    } else {
        Reader::unverified()
    };
    if !operations::valid_id(id) {
        return Err(Refusal::validation(
            "The provided model identifier is invalid.",
        ));
    }
    if head.headers.get(CONTENT_TYPE).map(AsRef::as_ref) != Some(STREAM.as_bytes()) {
        return Err(Refusal::validation(&format!(
            "The content type of this operation is {STREAM}."
        )));
    }
    let model = if id.contains("sonic") {
        Model::Sonic(Box::new(Session::new()))
    } else {
        Model::Echo
    };
    Ok(Opening {
        reader,
        model,
        fault: Fault::of(id)?,
        clock: settings.clock.clone(),
    })
}

impl Opening {
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    pub(super) fn begin<B>(self, body: B, entry: Entry) -> Duplex<B> {
        let limit = match self.model {
            Model::Sonic(_) => Some(Box::pin(sleep(SESSION))),
            Model::Echo => None,
        };
        Duplex {
            opening: self,
            body,
            decoder: Decoder::new().with_max_frame(LONGEST_FRAME),
            limit,
            lingers: false,
            received: Received {
                entry: Some(entry),
                kept: BytesMut::new(),
                length: 0,
                messages: 0,
            },
            finished: false,
        }
    }
}

/// The answer's steps, made as the request arrives. Nothing is read that was not asked for.
#[derive(Debug)]
pub(super) struct Duplex<B = Incoming> {
    opening: Opening,
    body: B,
    decoder: Decoder,
    limit: Option<Pin<Box<Sleep>>>,
    /// The last message has come, the end of the request has not.
    lingers: bool,
    received: Received,
    finished: bool,
}

impl<B: Body<Data = Bytes> + Unpin> Duplex<B> {
    /// What to send next; nothing when the answer is over.
    pub(super) fn poll_steps(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<Step>>> {
        if self.opening.fault == Some(Fault::HangBody) {
            return Poll::Pending;
        }
        loop {
            if self.finished {
                return Poll::Ready(None);
            }
            let steps = match self.decoder.next() {
                Ok(Some(frame)) => self.answer(|opening, messages| {
                    let now = opening.clock.now();
                    let message = opening.reader.read(&frame, now)?;
                    *messages += u64::from(matches!(message, Message::Chunk(_)));
                    opening.reply(message)
                }),
                Err(error) => self.fail(&Refusal::validation(&error.to_string())),
                Ok(None) => match Pin::new(&mut self.body).poll_frame(cx) {
                    Poll::Pending => match self.overdue(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(steps) => steps,
                    },
                    Poll::Ready(None) => self.end(),
                    Poll::Ready(Some(Err(_))) => {
                        self.finished = true;
                        vec![Step::Gone]
                    }
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            self.received.keep(&data);
                            self.decoder.push(data);
                        }
                        continue;
                    }
                },
            };
            if !steps.is_empty() {
                return Poll::Ready(Some(steps));
            }
        }
    }

    /// Answers one message, with the fault of the model in the first answer.
    fn answer(
        &mut self,
        take: impl FnOnce(&mut Opening, &mut u64) -> Result<Vec<Bytes>, Refusal>,
    ) -> Vec<Step> {
        let frames = match take(&mut self.opening, &mut self.received.messages) {
            Ok(frames) => frames,
            Err(refusal) => return self.fail(&refusal),
        };
        if self.opening.over() && !self.lingers {
            self.lingers = true;
            let limit = self.limit.get_or_insert_with(|| Box::pin(sleep(LINGER)));
            limit.as_mut().reset(Instant::now() + LINGER);
        }
        if frames.is_empty() {
            return Vec::new();
        }
        let Some(fault) = self.opening.fault else {
            return flushed(frames);
        };
        match fault {
            Fault::SlowFrames(time) => {
                let slowly = frames.into_iter();
                return slowly
                    .flat_map(|frame| [Step::Wait(time), Step::Data(frame)])
                    .collect();
            }
            _ => self.opening.fault = None,
        }
        if fault.ends_stream() {
            self.finished = true;
            self.received.close(Verdict::Incomplete);
        }
        fault.steps(Content::Frames {
            frames,
            closing: 1,
            binary: true,
        })
    }

    /// An exception, and the end of the answer.
    fn fail(&mut self, refusal: &Refusal) -> Vec<Step> {
        self.finished = true;
        self.received.close(Verdict::Refused(refusal.name));
        vec![Step::Data(refusal.frame())]
    }

    /// The request is over.
    fn end(&mut self) -> Vec<Step> {
        if let Err(error) = self.decoder.finish() {
            return self.fail(&Refusal::validation(&error.to_string()));
        }
        if self.opening.reader.lacks_end() {
            let refusal = Refusal::validation(
                "The stream ended without the signed empty message that ends it.",
            );
            self.received.close(Verdict::Incomplete);
            return self.fail(&refusal);
        }
        self.finished = true;
        let messages = self.received.messages;
        self.received.close(if self.opening.reader.is_chained() {
            Verdict::Chained(messages)
        } else {
            Verdict::Accepted
        });
        Vec::new()
    }

    /// When nothing comes for too long.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Step>> {
        let Some(limit) = &mut self.limit else {
            return Poll::Pending;
        };
        if limit.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(if self.lingers {
            self.end()
        } else {
            self.fail(&Refusal::service(
                408,
                "ModelTimeoutException",
                "Model has timed out in processing the request. Try your request again.",
            ))
        })
    }
}

impl Opening {
    fn reply(&mut self, message: Message) -> Result<Vec<Bytes>, Refusal> {
        let Message::Chunk(bytes) = message else {
            return Ok(Vec::new());
        };
        let chunk = |(index, bytes): (usize, String)| {
            operations::event_frame("chunk", json!({ "bytes": bytes }), index)
        };
        let events = match &mut self.model {
            Model::Echo => vec![BASE64.encode(bytes)],
            Model::Sonic(session) => {
                let events = session.take(&bytes)?;
                events
                    .iter()
                    .map(|event| BASE64.encode(event.to_string()))
                    .collect()
            }
        };
        Ok(events.into_iter().enumerate().map(chunk).collect())
    }

    /// Whether no further message is allowed.
    fn over(&self) -> bool {
        self.reader.is_ended() || matches!(&self.model, Model::Sonic(session) if session.ended())
    }
}

/// What the log will say of the request.
#[derive(Debug)]
struct Received {
    entry: Option<Entry>,
    kept: BytesMut,
    length: u64,
    messages: u64,
}

impl Received {
    fn keep(&mut self, data: &Bytes) {
        self.length = self.length.saturating_add(data.len() as u64);
        let room = KEPT_BODY.saturating_sub(self.kept.len());
        self.kept
            .extend_from_slice(data.get(..room).unwrap_or(data));
    }

    fn close(&mut self, verdict: Verdict) {
        if let Some(mut entry) = self.entry.take() {
            entry.arrived(self.length);
            entry.counted(self.messages);
            entry.close(&std::mem::take(&mut self.kept).freeze(), verdict);
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.close(Verdict::Incomplete);
    }
}

#[cfg(test)]
mod tests;
