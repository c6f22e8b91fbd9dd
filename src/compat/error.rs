//! From what goes wrong at AWS to OpenAI's error object.

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, StatusCode};

use crate::eventstream::DecodeError;

/// An error of the upstream's, as OpenAI would put it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenAiError {
    status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    retry: Retry,
    /// What AWS calls it, for the record.
    fault: String,
}

/// Whether the caller should try again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Retry {
    /// By its own rule for the status.
    Unsaid,
    /// It is of no use.
    Never,
    After(Duration),
}

impl OpenAiError {
    /// Of an answer whose status is an error.
    ///
    /// `own_key`: the credentials were the caller's own, so that it is for the caller to mend them.
    pub(super) fn of_answer(
        _status: StatusCode,
        _headers: &HeaderMap,
        _body: &[u8],
        _own_key: bool,
    ) -> Self {
        todo!()
    }

    /// Of an exception in a stream.
    pub(super) fn of_exception(_name: &str, _payload: &[u8]) -> Self {
        todo!()
    }

    /// Of a stream that is none.
    pub(super) fn of_broken_stream(_error: &DecodeError) -> Self {
        todo!()
    }

    /// Of a stream that ended before the message did.
    pub(super) fn of_cut_stream() -> Self {
        todo!()
    }

    /// Of an answer with a success status that is not what was asked for.
    pub(super) fn of_unexpected_answer(_headers: &HeaderMap, _body: &[u8]) -> Self {
        todo!()
    }

    /// Whether the stream ended too early, rather than with a word of what is wrong.
    pub(super) fn is_cut(&self) -> bool {
        todo!()
    }

    /// Sets the headers that go with it.
    pub(super) fn write_headers(&self, _headers: &mut HeaderMap) {
        todo!()
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether, and when, the caller should try again.
    pub(super) fn retry(&self) -> Retry {
        self.retry
    }

    /// What AWS calls it.
    pub(super) fn fault(&self) -> &str {
        &self.fault
    }

    /// The JSON text of the error object.
    pub fn to_json(&self) -> Vec<u8> {
        todo!()
    }

    /// Appends the error object as a server-sent event.
    pub(super) fn write_event(&self, _out: &mut BytesMut) {
        todo!()
    }
}

impl fmt::Display for OpenAiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for OpenAiError {}
