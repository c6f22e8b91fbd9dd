//! What no signer can avoid.

use aws_sigv4::sign::v4::generate_signing_key;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use crate::request::{self, REGION, SECRET, SERVICE};
use crate::variant::Variant;

const IV: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The irreducible chain: every prefix is a midstate, every tail is padded already, so only those
/// blocks are left that depend on the body, each on the one before.
pub(crate) struct Irreducible {
    body: Bytes,
    body_tail: Tail,
    canonical: Tail,
    inner: Tail,
    outer: Tail,
}

/// A message of which all is known but some bytes at its end.
struct Tail {
    /// After the blocks that are known.
    midstate: [u32; 8],
    /// The last ones, padded.
    blocks: Vec<[u8; 64]>,
    /// Where in `blocks` the missing bytes go.
    missing: usize,
}

impl Tail {
    /// `head` comes after the blocks that gave `midstate`, `missing` bytes come after it.
    fn new(mut midstate: [u32; 8], before: usize, head: &[u8], missing: usize) -> Self {
        let (known, rest) = head.as_chunks();
        compress256(&mut midstate, known);

        let mut tail = [rest, &vec![0; missing], &[0x80]].concat();
        let padded = (tail.len() + 8).next_multiple_of(64);
        tail.resize(padded - 8, 0);
        let bits = 8 * (before + head.len() + missing) as u64;
        tail.extend(bits.to_be_bytes());
        Self {
            midstate,
            blocks: tail.as_chunks().0.to_vec(),
            missing: rest.len(),
        }
    }

    fn hash<const N: usize>(&mut self, missing: &[u8; N]) -> [u8; 32] {
        self.blocks.as_flattened_mut()[self.missing..][..N].copy_from_slice(missing);
        let mut state = self.midstate;
        compress256(&mut state, &self.blocks);
        bytes(state)
    }
}

impl Irreducible {
    pub(crate) fn new(body: &Bytes, token: Option<&str>) -> Self {
        let key = signing_key();
        let keyed = |mask: u8| {
            let mut block = [mask; 64];
            block.iter_mut().zip(&key).for_each(|(to, key)| *to ^= key);
            let mut state = IV;
            compress256(&mut state, &[block]);
            state
        };
        let (_, rest) = body.as_chunks::<64>();
        let whole = body.len() - rest.len();
        Self {
            body: body.clone(),
            body_tail: Tail::new(IV, whole, rest, 0),
            canonical: Tail::new(IV, 0, request::canonical_head(token).as_bytes(), 64),
            inner: Tail::new(keyed(0x36), 64, request::string_head().as_bytes(), 64),
            outer: Tail::new(keyed(0x5c), 64, &[], 32),
        }
    }

    pub(crate) fn sign(&mut self) -> [u8; 64] {
        let mut state = IV;
        compress256(&mut state, self.body.as_chunks().0);
        compress256(&mut state, &self.body_tail.blocks);
        let canonical = self.canonical.hash(&hex(bytes(state)));
        let inner = self.inner.hash(&hex(canonical));
        hex(self.outer.hash(&inner))
    }

    pub(crate) fn variant(mut self, column: &'static str, row: &'static str) -> Variant {
        Variant::new(column, row, || (), move |()| self.sign())
    }
}

/// The hashes of RustCrypto over the whole canonical request and string to sign, with a key that
/// is kept and without any allocation.
pub(crate) struct RustCrypto {
    body: Bytes,
    canonical: Vec<u8>,
    string_to_sign: Vec<u8>,
    key: Hmac<Sha256>,
}

impl RustCrypto {
    pub(crate) fn new(body: &Bytes, token: Option<&str>) -> Self {
        let with_room = |head: String| [head.as_bytes(), &[0; 64]].concat();
        Self {
            body: body.clone(),
            canonical: with_room(request::canonical_head(token)),
            string_to_sign: with_room(request::string_head()),
            key: Hmac::new_from_slice(&signing_key()).expect("a key of any length"),
        }
    }

    pub(crate) fn sign(&mut self) -> [u8; 64] {
        put_last(&mut self.canonical, hex(Sha256::digest(&self.body).into()));
        let canonical = Sha256::digest(&self.canonical).into();
        put_last(&mut self.string_to_sign, hex(canonical));
        let mut mac = self.key.clone();
        mac.update(&self.string_to_sign);
        hex(mac.finalize().into_bytes().into())
    }

    pub(crate) fn variant(mut self, column: &'static str, row: &'static str) -> Variant {
        Variant::new(column, row, || (), move |()| self.sign())
    }
}

fn signing_key() -> [u8; 32] {
    let key = generate_signing_key(SECRET, request::now(), REGION, SERVICE);
    key.as_ref().try_into().expect("32 bytes")
}

fn put_last(text: &mut [u8], digits: [u8; 64]) {
    if let Some(last) = text.last_chunk_mut() {
        *last = digits;
    }
}

fn bytes(state: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    bytes
}

/// Without a branch or a table, so that the compiler makes vector instructions of it.
fn hex(bytes: [u8; 32]) -> [u8; 64] {
    let mut digits = [0; 64];
    for (to, byte) in digits.as_chunks_mut().0.iter_mut().zip(bytes) {
        *to = [byte >> 4, byte & 15].map(|half| half + b'0' + if half > 9 { 39 } else { 0 });
    }
    digits
}
