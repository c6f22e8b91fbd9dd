//! What happened? Token usage and the end of an answer, read as its bytes pass.

// Until the layer that drives them.
#![allow(dead_code)]

pub use self::usage::Usage;

mod frames;
mod reader;
mod scan;
mod sse;
mod tally;
mod usage;

#[cfg(test)]
mod recordings;
