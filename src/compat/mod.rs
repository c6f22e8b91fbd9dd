//! OpenAI outside, Bedrock inside.

mod answer;
mod body;
mod error;
mod family;
mod future;
mod head;
mod layer;
mod models;
mod plan;
mod request;
mod translation;

pub use self::answer::Chunks;
pub use self::body::CompatBody;
pub use self::error::OpenAiError;
pub use self::future::ResponseFuture;
pub use self::layer::{OpenAiCompat, OpenAiCompatLayer};
pub use self::translation::Translation;
