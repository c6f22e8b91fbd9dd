//! Marks that tell texts apart, fast.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by names. Only the configuration may add to it: who knows how names are marked could
/// choose them so that all have the same mark.
pub(crate) type ByName<T> = HashMap<Box<str>, T, BuildHasherDefault<Marker>>;

/// Marks the keys of a [`ByName`].
#[derive(Debug, Default)]
pub(crate) struct Marker(u64);

impl Hasher for Marker {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = fold(self.0, bytes);
    }

    /// The end of a text, after which no other comes.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A mark of these bytes. It is not a cryptographic hash: whoever finds the same mark twice compares
/// what was marked.
#[inline]
pub(crate) fn fold(seed: u64, bytes: &[u8]) -> u64 {
    let mut hash = seed ^ bytes.len() as u64;
    let (pairs, rest) = bytes.as_chunks::<16>();
    for pair in pairs {
        let both = u128::from_le_bytes(*pair);
        hash = mix(hash, both as u64, (both >> 64) as u64);
    }
    if rest.is_empty() {
        return hash;
    }
    // The last bytes are read where they are, some of them twice: it is faster than to copy them.
    let (a, b) = match (
        bytes.last_chunk::<16>(),
        bytes.first_chunk(),
        bytes.last_chunk(),
    ) {
        (Some(last), ..) => {
            let both = u128::from_le_bytes(*last);
            (both as u64, (both >> 64) as u64)
        }
        (_, Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (
            bytes
                .iter()
                .fold(0, |all, &byte| all << 8 | u64::from(byte)),
            0,
        ),
    };
    mix(hash, a, b)
}

#[inline]
pub(crate) fn mix(hash: u64, a: u64, b: u64) -> u64 {
    // Digits of the golden ratio: odd, and half of its bits are set.
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let wide = u128::from(hash ^ a) * u128::from(b ^ ODD);
    wide as u64 ^ (wide >> 64) as u64
}
