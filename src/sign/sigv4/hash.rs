//! SHA-256 over whole blocks: so that what never changes is hashed once, and a body as its frames
//! arrive.

use std::fmt;

use sha2::block_api::compress256;

/// What SHA-256 hands from block to block.
pub(super) type State = [u32; 8];

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// Before the first block (FIPS 180-4 §5.3.3).
pub(super) const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Hashes the whole blocks at the beginning of `bytes`; hands back the rest.
#[inline]
pub(super) fn absorb<'a>(state: &mut State, bytes: &'a [u8]) -> &'a [u8] {
    let (blocks, rest) = bytes.as_chunks();
    if !blocks.is_empty() {
        compress256(state, blocks);
    }
    rest
}

/// The last blocks of a message of `length` bytes: the less than a block that is left of it, and
/// the padding.
#[inline]
pub(super) fn last(rest: &[u8], length: u64) -> ([u8; 2 * BLOCK], usize) {
    /// The bit after nothing.
    const EMPTY: [u8; 2 * BLOCK] = {
        let mut blocks = [0; 2 * BLOCK];
        blocks[0] = 0x80;
        blocks
    };
    let mut last = EMPTY;
    let end = padded(rest.len());
    last[end - 8..end].copy_from_slice(&(length * 8).to_be_bytes());
    if !rest.is_empty() {
        last[..rest.len()].copy_from_slice(rest);
        last[rest.len()] = 0x80;
    }
    (last, end)
}

/// The hash of a message of `length` bytes that ends in `rest`, all before it being in `state`.
#[inline]
fn end(mut state: State, rest: &[u8], length: u64) -> PayloadHash {
    let (blocks, rest) = rest.split_at(rest.len() - rest.len() % BLOCK);
    // Written first: what is read again at once, in other pieces, has to be waited for.
    let (last, end) = last(rest, length);
    absorb(&mut state, blocks);
    absorb(&mut state, &last[..end]);
    PayloadHash(state)
}

/// Length of the blocks that hold `rest` bytes, the bit after them and the length.
pub(super) fn padded(rest: usize) -> usize {
    (rest + 9).next_multiple_of(BLOCK)
}

/// The 64 lower-case digits of a hash.
///
/// They stand between the compressions, so their time counts in full: written so that the
/// compiler makes vector code of it.
#[inline]
pub(super) fn hex(state: &State) -> [u8; 64] {
    let mut bytes = [0; 32];
    for (word, bytes) in state.iter().zip(bytes.as_chunks_mut().0) {
        *bytes = word.to_be_bytes();
    }
    let mut digits = [0; 64];
    for (byte, digits) in bytes.iter().zip(digits.as_chunks_mut().0) {
        *digits = [digit(byte >> 4), digit(byte & 15)];
    }
    digits
}

#[inline]
fn digit(nibble: u8) -> u8 {
    const LETTERS: u8 = b'a' - b'0' - 10;
    nibble + b'0' + if nibble > 9 { LETTERS } else { 0 }
}

/// SHA-256 of a request body, the last line of the canonical request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PayloadHash(State);

impl PayloadHash {
    /// Of a body that is there as a whole.
    pub fn of(body: &[u8]) -> Self {
        end(INITIAL, body, body.len() as u64)
    }

    #[inline]
    pub(in crate::sign) fn hex(&self) -> [u8; 64] {
        hex(&self.0)
    }
}

impl fmt::Display for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, "{word:08x}"))
    }
}

impl fmt::Debug for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayloadHash({self})")
    }
}

/// Hashes a body as its frames arrive, so that little is left to do after the last one.
///
/// ```
/// use tower_bedrock::sign::{PayloadHash, PayloadHasher};
///
/// let mut hasher = PayloadHasher::new();
/// hasher.update(b"{\"messages\"");
/// hasher.update(b":[]}");
/// assert_eq!(hasher.finish(), PayloadHash::of(b"{\"messages\":[]}"));
/// ```
#[derive(Clone)]
pub struct PayloadHasher {
    state: State,
    length: u64,
    /// The beginning of a block that is not yet whole.
    carry: [u8; BLOCK],
}

impl PayloadHasher {
    /// Nothing has come yet.
    pub fn new() -> Self {
        Self {
            state: INITIAL,
            length: 0,
            carry: [0; BLOCK],
        }
    }

    /// The next piece of the body, of any length.
    pub fn update(&mut self, mut piece: &[u8]) {
        let held = self.held();
        self.length += piece.len() as u64;
        if held > 0 {
            let (fill, rest) = piece.split_at(piece.len().min(BLOCK - held));
            let end = held + fill.len();
            self.carry[held..end].copy_from_slice(fill);
            if end < BLOCK {
                return;
            }
            absorb(&mut self.state, &self.carry);
            piece = rest;
        }
        let rest = absorb(&mut self.state, piece);
        self.carry[..rest.len()].copy_from_slice(rest);
    }

    /// The last piece of the body. Gives the length of its end, of a few blocks, that is left for
    /// [`finish_with`](Self::finish_with).
    #[inline]
    pub(in crate::sign) fn update_last(&mut self, piece: &[u8]) -> usize {
        const LATER: usize = 16 * BLOCK;
        let now = match self.held() {
            0 => piece.len().saturating_sub(LATER).next_multiple_of(BLOCK),
            _ => piece.len(),
        };
        self.update(&piece[..now]);
        piece.len() - now
    }

    /// The body is complete.
    pub fn finish(&self) -> PayloadHash {
        end(self.state, &self.carry[..self.held()], self.length)
    }

    /// The body is complete with what [`update_last`](Self::update_last) has left.
    #[inline]
    pub(in crate::sign) fn finish_with(&self, rest: &[u8]) -> PayloadHash {
        match rest.is_empty() {
            true => self.finish(),
            false => end(self.state, rest, self.length + rest.len() as u64),
        }
    }

    fn held(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }
}

impl Default for PayloadHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for PayloadHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadHasher")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{PayloadHash, PayloadHasher};

    fn reference(bytes: &[u8]) -> String {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn agrees_with_sha2_at_every_length() {
        let bytes: Vec<u8> = (0..300).map(|i| (i * 7) as u8).collect();
        for length in 0..bytes.len() {
            let hash = PayloadHash::of(&bytes[..length]);
            assert_eq!(hash.to_string(), reference(&bytes[..length]));
            assert_eq!(hash.hex(), hash.to_string().as_bytes());
        }
    }

    #[test]
    fn agrees_with_sha2_however_the_body_is_cut() {
        let bytes: Vec<u8> = (0..1000).map(|i| (i * 31) as u8).collect();
        for size in (1..140).chain([999, 1000]) {
            let mut hasher = PayloadHasher::new();
            for piece in bytes.chunks(size) {
                hasher.update(&[]);
                hasher.update(piece);
            }
            assert_eq!(hasher.finish().to_string(), reference(&bytes), "{size}");
        }
    }

    #[test]
    fn agrees_with_sha2_when_the_end_is_hashed_later() {
        let bytes: Vec<u8> = (0..3000).map(|i| (i * 11) as u8).collect();
        for (before, length) in [0, 1, 63, 64, 65, 640]
            .into_iter()
            .flat_map(|before| (0..bytes.len() - before).map(move |length| (before, length)))
        {
            let mut hasher = PayloadHasher::new();
            hasher.update(&bytes[..before]);
            let last = &bytes[before..before + length];
            let later = hasher.update_last(last);
            assert!(later <= 1024);
            let hash = hasher.finish_with(&last[length - later..]);
            assert_eq!(hash, PayloadHash::of(&bytes[..before + length]));
        }
    }
}
