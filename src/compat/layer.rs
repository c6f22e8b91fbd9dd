//! The layer.

/// Takes OpenAI's requests and gives OpenAI's answers. See the [module docs](super).
#[derive(Debug, Clone)]
pub struct OpenAiCompatLayer;
