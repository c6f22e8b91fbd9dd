//! `InvokeModelWithBidirectionalStream`: both sides speak at the same time, and every message of the
//! client's is signed in the gateway's own chain.
#![allow(unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod bad;
mod chain;
mod ends;
mod flow;
mod talk;
mod untouched;
mod upstream;
