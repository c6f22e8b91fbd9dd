//! From OpenAI's request to Converse's.

use super::translation::Translation;
use crate::context::Policy;
use crate::reject::Rejection;

/// Translates the JSON text of a chat completion request.
pub(super) fn translate(_request: &[u8], _policy: &Policy) -> Result<Translation, Rejection> {
    todo!()
}
