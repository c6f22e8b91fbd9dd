//! Signs so many requests and takes no time: for tools that count instructions.

use std::hint::black_box;

use crate::{request, signer};

/// What is done with each request.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    /// Signed without a session token.
    Sign,
    /// Signed with one.
    SignWithToken,
    /// Prepared and dropped.
    Baseline,
}

impl Count {
    pub(crate) fn parse(argument: &str) -> Option<Self> {
        match argument {
            "--count" => Some(Self::Sign),
            "--count-token" => Some(Self::SignWithToken),
            "--count-baseline" => Some(Self::Baseline),
            _ => None,
        }
    }

    /// Steady state, 256 bytes.
    pub(crate) fn run(self, requests: u64) {
        let token = request::session_token();
        let token = matches!(self, Self::SignWithToken).then_some(&*token);
        let sign = signer::signer(token);
        let body = request::body(256);
        let mut parts = request::same();
        for _ in 0..requests {
            let mut parts = black_box(parts());
            if !matches!(self, Self::Baseline) {
                sign(&mut parts, &body, request::now());
            }
            black_box(&parts);
        }
    }
}
