//! The OpenAI-compatible API: requests in, answers out, and the layer around them.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod layer;
mod records;
mod requests;
