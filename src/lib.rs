//! Tower layers that put Amazon Bedrock behind a gateway of your own.

pub mod eventstream;

#[cfg(feature = "observe")]
pub mod observe;
