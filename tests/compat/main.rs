//! The OpenAI-compatible API: requests in, answers out, and the layer around them.

mod answers;
mod requests;
