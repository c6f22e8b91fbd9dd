//! What is left to do for a signature once everything but the body's hash is known.

use super::hash::{self, BLOCK, State};
use super::key::SigningKey;
use super::scope::Scope;
use super::tail::Tail;

/// The two messages of a signature, hashed as far as they are known, and the key.
///
/// With it a signature costs five compressions: two for the end of the canonical request, two
/// for that of the string to sign, one for the outer hash of HMAC.
pub(super) struct Proof {
    canonical: Tail,
    to_sign: Tail,
    key: SigningKey,
}

/// A message's first blocks.
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    pub(super) state: State,
    /// Bytes in it: whole blocks.
    pub(super) length: usize,
}

impl Beginning {
    /// The whole blocks of `text`.
    pub(super) fn of(text: &[u8]) -> Self {
        let mut state = hash::INITIAL;
        let rest = hash::absorb(&mut state, text);
        let length = text.len() - rest.len();
        Self { state, length }
    }
}

impl Proof {
    /// For this canonical request, of which the `beginning` is hashed already. `scratch` is
    /// written over.
    pub(super) fn new(
        canonical: &[u8],
        beginning: Beginning,
        scope: &Scope<'_>,
        key: SigningKey,
        scratch: &mut Vec<u8>,
    ) -> Self {
        let Beginning { state, length } = beginning;
        scratch.clear();
        scope.write_to_sign(b"AWS4-HMAC-SHA256", |part| scratch.extend_from_slice(part));
        Self {
            canonical: Tail::new(state, length as u64, &canonical[length..]),
            // HMAC's pad comes first.
            to_sign: Tail::new(key.inner(), BLOCK as u64, scratch),
            key,
        }
    }

    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The signature of the request with this body.
    #[inline]
    pub(super) fn sign(&mut self, payload: &[u8; 64]) -> [u8; 64] {
        let canonical = self.canonical.finish(payload);
        let inner = self.to_sign.finish(&hash::hex(&canonical));
        hash::hex(&self.key.outer(&inner))
    }
}
