//! SHA-256 of a body that comes in pieces.

use sha2::{Digest, Sha256};

/// SHA-256 of a request body, the last line of the canonical request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadHash(pub(in crate::sign) [u8; 32]);

impl PayloadHash {
    /// Of a body that is there as a whole.
    pub fn of(body: &[u8]) -> Self {
        let mut hasher = PayloadHasher::new();
        hasher.update(body);
        hasher.finish()
    }
}

/// Hashes a body as its frames arrive.
#[derive(Debug, Clone, Default)]
pub struct PayloadHasher(Sha256);

impl PayloadHasher {
    /// Nothing has come yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next piece of the body, of any length.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The body is complete.
    pub fn finish(self) -> PayloadHash {
        PayloadHash(self.0.finalize().into())
    }
}
