//! One request and its answer, translated: no I/O, no clock.

use bytes::Bytes;

use super::answer::{self, Chunks};
use super::error::OpenAiError;
use super::plan::Plan;
use super::request;
use crate::body::Buffered;
use crate::context::{Policy, Told};
use crate::reject::Rejection;

/// A chat completion request of OpenAI's, as Bedrock's Converse takes it.
///
/// It is what [`OpenAiCompatLayer`](super::OpenAiCompatLayer) does to a request, for use without
/// Tower.
///
/// ```
/// use tower_bedrock::Policy;
/// use tower_bedrock::compat::Translation;
///
/// # fn main() -> Result<(), tower_bedrock::Rejection> {
/// let request = br#"{"model": "aws-bedrock/amazon.nova-lite-v1:0",
///     "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64, "seed": 7}"#;
/// let translation = Translation::of(request, &Policy::new())?;
/// assert_eq!(translation.model(), "amazon.nova-lite-v1:0");
/// assert_eq!(
///     translation.body(),
///     r#"{"messages":[{"role":"user","content":[{"text":"Hello"}]}],"inferenceConfig":{"maxTokens":64}}"#,
/// );
/// assert_eq!(translation.dropped(), ["seed"]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Translation {
    pub(super) model: Box<str>,
    pub(super) body: Buffered,
    pub(super) plan: Plan,
}

impl Translation {
    /// Translates the JSON text of a request. `policy` tells the aliases of models, and whether
    /// parameters without a counterpart are refused.
    ///
    /// # Errors
    /// What the caller has to change, with the parameter at fault.
    pub fn of(request: &[u8], policy: &Policy) -> Result<Self, Rejection> {
        request::translate(request, None, policy)
    }

    /// The same of a request that may be shared: what is long in it and passes through word for
    /// word, such as an image, is not copied, but is a frame of the translated body by itself.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_bytes(request: &Bytes, policy: &Policy) -> Result<Self, Rejection> {
        request::translate(request, Some(request), policy)
    }

    /// The model's id at Bedrock, not encoded.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The client's name for the model, if it is not the id.
    pub(super) fn alias(&self) -> Option<&str> {
        let name = &*self.plan.model;
        let name = name.strip_prefix(request::models::PROVIDER).unwrap_or(name);
        Some(name).filter(|name| *name != &*self.model)
    }

    /// The body for Converse or ConverseStream, in one piece.
    pub fn body(&self) -> Bytes {
        self.body.clone().into_bytes()
    }

    /// The same in the pieces that it is made of.
    pub fn frames(&self) -> &Buffered {
        &self.body
    }

    /// The same, which the answer can be translated without.
    pub(super) fn take_body(&mut self) -> Buffered {
        std::mem::take(&mut self.body)
    }

    /// Whether ConverseStream is to be called.
    pub fn is_stream(&self) -> bool {
        self.plan.stream
    }

    /// The parameters that were left out since Bedrock has no counterpart for them.
    pub fn dropped(&self) -> Vec<&str> {
        self.plan.dropped.iter().map(|name| &**name).collect()
    }

    /// The completion that Converse's `answer` amounts to. `id` is what makes its `id` unique,
    /// `created` is in seconds since 1970.
    ///
    /// # Errors
    /// If it is no answer of Converse.
    pub fn completion(
        &self,
        answer: &[u8],
        id: &str,
        created: u64,
    ) -> Result<Vec<u8>, OpenAiError> {
        answer::completion(answer, &self.plan, id, created).map(|(json, _)| json)
    }

    /// The same, with what the record wants to know.
    pub(super) fn told_completion(
        &self,
        answer: &[u8],
        id: &str,
        created: u64,
    ) -> Result<(Vec<u8>, Told), OpenAiError> {
        answer::completion(answer, &self.plan, id, created)
    }

    /// Translates the events of ConverseStream to chunks.
    pub fn chunks(&self, id: &str, created: u64) -> Chunks {
        Chunks::new(self.plan.clone(), id, created)
    }
}
