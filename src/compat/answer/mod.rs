//! From Converse's answer to OpenAI's.

use bytes::BytesMut;

use super::error::OpenAiError;
use super::plan::Plan;
use crate::context::Told;
use crate::eventstream::Frame;

/// The completion that Converse's `answer` amounts to, as JSON text.
pub(super) fn completion(
    _answer: &[u8],
    _plan: &Plan,
    _id: &str,
    _created: u64,
) -> Result<(Vec<u8>, Told), OpenAiError> {
    todo!()
}

/// Translates the events of ConverseStream to server-sent events, chunk by chunk.
#[derive(Debug)]
pub struct Chunks {
    plan: Plan,
}

impl Chunks {
    pub(super) fn new(plan: Plan, _id: &str, _created: u64) -> Self {
        Self { plan }
    }

    /// Appends what `frame` amounts to; nothing, for some.
    ///
    /// # Errors
    /// If it is an exception, or not an event of ConverseStream. The stream is over then.
    pub fn push(&mut self, _frame: &Frame, _out: &mut BytesMut) -> Result<(), OpenAiError> {
        let _ = &self.plan;
        todo!()
    }

    /// Appends what belongs at the end, now that no more frames come.
    ///
    /// # Errors
    /// If the message was not over.
    pub fn finish(&mut self, _out: &mut BytesMut) -> Result<(), OpenAiError> {
        todo!()
    }

    /// What the frames so far have told.
    pub(super) fn told(&self) -> Told {
        todo!()
    }
}
