//! OpenAI outside, Bedrock inside.

mod answer;
mod error;
mod family;
mod layer;
mod plan;
mod request;
mod translation;

pub use self::answer::Chunks;
pub use self::error::OpenAiError;
pub use self::layer::OpenAiCompatLayer;
pub use self::translation::Translation;
