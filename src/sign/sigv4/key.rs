//! The signing key: good for one day, one region, one service.

use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::hash::{self, BLOCK, INITIAL, State};

/// The key as HMAC uses it: with both pads hashed (RFC 2104 §4 suggests it).
#[derive(Clone)]
pub(super) struct SigningKey {
    inner: State,
    outer: State,
}

impl SigningKey {
    /// Derives the key of the day that has the second `now` in it.
    pub(super) fn derive(secret: &str, now: u64, region: &str, service: &str) -> Self {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        let key = v4::generate_signing_key(secret, time, region, service);
        Self {
            inner: padded(key.as_ref(), 0x36),
            outer: padded(key.as_ref(), 0x5c),
        }
    }

    /// HMAC has hashed one block when its message begins.
    pub(super) fn inner(&self) -> State {
        self.inner
    }

    /// HMAC of a whole message.
    pub(super) fn mac(&self, message: &[u8]) -> State {
        let mut state = self.inner;
        let rest = hash::absorb(&mut state, message);
        // The pad's block came first.
        let (last, end) = hash::last(rest, (BLOCK + message.len()) as u64);
        hash::absorb(&mut state, &last[..end]);
        self.outer(&state)
    }

    /// The outer hash of HMAC, over the inner one.
    #[inline]
    pub(super) fn outer(&self, inner: &State) -> State {
        outer(self.outer, inner)
    }
}

#[inline]
fn outer(mut state: State, inner: &State) -> State {
    /// 32 bytes, the bit after them, and the length: these, and the pad's block.
    const EMPTY: [u8; BLOCK] = {
        let mut block = [0; BLOCK];
        block[32] = 0x80;
        [block[62], block[63]] = ((BLOCK as u16 + 32) * 8).to_be_bytes();
        block
    };
    let mut block = EMPTY;
    for (word, bytes) in inner.iter().zip(block[..32].as_chunks_mut().0) {
        *bytes = word.to_be_bytes();
    }
    hash::absorb(&mut state, &block);
    state
}

fn padded(key: &[u8], pad: u8) -> State {
    let mut block = [pad; BLOCK];
    block.iter_mut().zip(key).for_each(|(pad, key)| *pad ^= key);
    let mut state = INITIAL;
    hash::absorb(&mut state, &block);
    block.zeroize();
    state
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

impl ZeroizeOnDrop for SigningKey {}
