//! An answer that is read whole: one that is not streamed, or an error.

use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{Response, response};
use http_body::Body;
use serde::de::IgnoredAny;

use super::body::CompatBody;
use super::error::OpenAiError;
use super::future::Asked;
use super::head;
use super::layer::Settings;
use super::translation::Translation;
use crate::body::ResponseBody;
use crate::context::Told;

/// Longest answer that is read to learn what it complains of, in bytes.
const MAX_ERROR: usize = 64 * 1024;

/// How far an answer has been read.
pub(super) struct Collecting<R> {
    head: response::Parts,
    body: R,
    read: BytesMut,
    /// It is what was asked for, by its head.
    is_answer: bool,
    translation: Translation,
}

/// How the reading of an answer ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    Whole,
    /// There is more than is read.
    TooLong,
    /// It broke off.
    Cut,
}

impl<R> Collecting<R> {
    pub(super) fn new(
        head: response::Parts,
        body: R,
        is_answer: bool,
        translation: Translation,
    ) -> Self {
        Self {
            head,
            body,
            read: BytesMut::new(),
            is_answer,
            translation,
        }
    }

    /// The completion that the answer amounts to, or the error.
    pub(super) fn complete(mut self, end: End, asked: &Asked) -> Response<CompatBody<R>> {
        match self.completion(end, asked) {
            Ok((json, told)) => {
                asked.context.tell(told);
                head::describe(&mut self.head, &self.translation);
                Response::from_parts(self.head, CompatBody::plain(ResponseBody::own(json)))
            }
            Err(error) => {
                let is_cut = self.is_cut(end);
                asked.context.tell(Told {
                    fault: Some(error.name()).filter(|_| !is_cut),
                    is_cut,
                    ..Told::default()
                });
                failed(self.head, &error, &self.translation)
            }
        }
    }

    /// Whether an answer ended before its time. What an error says that breaks off is said.
    fn is_cut(&self, end: End) -> bool {
        self.head.status.is_success()
            && match end {
                End::Whole => self.is_answer && is_unfinished(&self.read),
                End::TooLong => false,
                End::Cut => true,
            }
    }

    fn completion(&self, end: End, asked: &Asked) -> Result<(Vec<u8>, Told), OpenAiError> {
        let (status, headers) = (self.head.status, &self.head.headers);
        if !status.is_success() {
            let error = OpenAiError::of_answer(status, headers, &self.read, asked.own_key);
            return Err(error);
        }
        match end {
            End::Cut => Err(OpenAiError::of_cut_stream()),
            _ if !self.is_answer => Err(OpenAiError::of_unexpected_answer(&self.read)),
            End::TooLong => Err(OpenAiError::of_long_answer(asked.settings.answer_limit)),
            End::Whole => {
                let id = head::answer_id(headers);
                self.translation
                    .told_completion(&self.read, &id, head::created())
            }
        }
    }
}

impl<R: Body<Data = Bytes> + Unpin> Collecting<R> {
    /// Reads on.
    pub(super) fn poll(&mut self, settings: &Settings, cx: &mut Task<'_>) -> Poll<End> {
        let limit = match self.is_answer {
            true => settings.answer_limit,
            false => MAX_ERROR,
        };
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let data = frame.data_ref().map_or(&[][..], |data| data);
                    if self.read.len() + data.len() > limit {
                        return Poll::Ready(End::TooLong);
                    }
                    self.read.extend_from_slice(data);
                }
                Some(Err(_)) => return Poll::Ready(End::Cut),
                None => return Poll::Ready(End::Whole),
            }
        }
    }
}

/// Whether this is the beginning of a JSON text, and not all of it.
fn is_unfinished(json: &[u8]) -> bool {
    let read = serde_json::from_slice::<IgnoredAny>(json);
    !json.is_empty() && read.is_err_and(|error| error.is_eof())
}

/// The answer that says `error`, on the head of the upstream's.
pub(super) fn failed<R>(
    mut head: response::Parts,
    error: &OpenAiError,
    translation: &Translation,
) -> Response<CompatBody<R>> {
    head::fail(&mut head, error, translation);
    Response::from_parts(head, CompatBody::plain(ResponseBody::own(error.to_json())))
}
