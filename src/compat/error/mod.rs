//! From what goes wrong at AWS to OpenAI's error object.

mod headers;
mod said;
mod scrub;
mod table;

use std::fmt;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use http::{HeaderMap, StatusCode};

use self::said::Said;
use self::scrub::scrubbed;
use self::table::Row;
use super::answer::write_string;
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
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        own_key: bool,
    ) -> Self {
        let said = Said::in_body(body);
        let name = headers
            .get("x-amzn-errortype")
            .and_then(|name| name.to_str().ok())
            .filter(|name| !name.is_empty());
        let name = bare(name.unwrap_or(&said.name));
        let row = Row::of(name, Some(status), &said.message, own_key);
        let message = if said.message.is_empty() {
            format!(
                "the model's service answered with status {}",
                status.as_u16()
            )
        } else {
            said.message
        };
        let mut error = Self::new(row, name, message);
        if let Some(wait) = headers::wait(headers)
            && error.retry == Retry::Unsaid
            && [429, 503].contains(&error.status.as_u16())
        {
            error.retry = Retry::After(wait);
        }
        error
    }

    /// Of an exception in a stream.
    pub(super) fn of_exception(name: &str, payload: &[u8]) -> Self {
        Self::of_fault(name, &Said::in_body(payload).message)
    }

    /// Of an error in a stream that is told in its headers.
    pub(super) fn of_fault(name: &str, message: &str) -> Self {
        let name = bare(name);
        let row = Row::of(name, None, message, false);
        let message = if message.is_empty() {
            "the model's service reported an error"
        } else {
            message
        };
        Self::new(row, name, message.to_owned())
    }

    /// Of a stream that is none.
    pub(super) fn of_broken_stream(error: &DecodeError) -> Self {
        match error {
            DecodeError::Truncated => Self::of_cut_stream(),
            _ => Self::of_unreadable_stream(),
        }
    }

    /// Of a stream that ended before the message did.
    pub(super) fn of_cut_stream() -> Self {
        Self::of_upstream("the model's answer broke off before its end")
    }

    /// Of an answer that is longer than it may be.
    pub(super) fn of_long_answer(limit: usize) -> Self {
        Self::of_upstream(&format!(
            "the model's answer is longer than the {limit} bytes that are translated: ask for a stream"
        ))
    }

    /// Of a stream that does not make a message.
    pub(super) fn of_unreadable_stream() -> Self {
        Self::of_upstream("the model's answer is damaged and cannot be read further")
    }

    /// Of an answer with a success status that is not what was asked for.
    pub(super) fn of_unexpected_answer(body: &[u8]) -> Self {
        let said = Said::in_body(body);
        match bare(&said.name) {
            "" => Self::of_upstream("the model's service gave an answer that cannot be read"),
            name @ "UnknownOperationException" => {
                let message = "the model's service does not know this model".to_owned();
                Self::new(Row::of(name, None, "", false), name, message)
            }
            name => Self::of_fault(name, &said.message),
        }
    }

    fn of_upstream(message: &str) -> Self {
        Self::new(Row::UPSTREAM, "", message.to_owned())
    }

    fn new(row: Row, fault: &str, message: String) -> Self {
        Self {
            status: row.status,
            kind: row.kind,
            code: row.code,
            message: row
                .message
                .map_or_else(|| scrubbed(&message), str::to_owned),
            retry: if row.is_final() {
                Retry::Never
            } else {
                Retry::Unsaid
            },
            fault: scrubbed(fault),
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The `type` of the error object.
    pub fn kind(&self) -> &str {
        self.kind
    }

    /// The `code` of the error object.
    pub fn code(&self) -> Option<&str> {
        self.code
    }

    /// What AWS calls it; empty, if it is not AWS that says so.
    pub(super) fn fault(&self) -> &str {
        &self.fault
    }

    /// What the record calls it.
    pub(super) fn name(&self) -> String {
        match self.fault() {
            "" => self.message.clone(),
            fault => fault.to_owned(),
        }
    }

    /// The JSON text of the error object.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.message.len() + 128);
        self.write(&mut out);
        out
    }

    /// Appends the error object as a server-sent event.
    pub(super) fn write_event(&self, out: &mut BytesMut) {
        out.put_slice(b"data: ");
        self.write(out);
        out.put_slice(b"\n\n");
    }

    /// Puts on an answer what goes with it.
    pub(super) fn write_headers(&self, headers: &mut HeaderMap) {
        headers::write(self.retry, headers);
    }

    fn write(&self, out: &mut impl BufMut) {
        out.put_slice(b"{\"error\":{\"message\":");
        write_string(&self.message, out);
        out.put_slice(b",\"type\":");
        write_string(self.kind, out);
        out.put_slice(b",\"param\":null,\"code\":");
        match self.code {
            Some(code) => write_string(code, out),
            None => out.put_slice(b"null"),
        }
        out.put_slice(b"}}");
    }
}

impl fmt::Display for OpenAiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for OpenAiError {}

/// `ns#Name:http://…` → `Name`
fn bare(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
