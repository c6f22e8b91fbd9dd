//! Where chance comes from: a seed, or the bytes of a fuzzer.

use std::collections::VecDeque;

/// A source of numbers; the same seed or the same bytes give the same ones.
#[derive(Debug, Clone)]
pub struct Dice(Source);

#[derive(Debug, Clone)]
enum Source {
    /// SplitMix64.
    Seed(u64),
    /// Zeros from their end on.
    Bytes(VecDeque<u8>),
}

impl Dice {
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seed(seed))
    }

    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Source::Bytes(bytes.to_vec().into()))
    }

    /// Whether every byte was used; a seed never ends.
    pub fn is_spent(&self) -> bool {
        match &self.0 {
            Source::Seed(_) => false,
            Source::Bytes(bytes) => bytes.is_empty(),
        }
    }

    fn draw(&mut self, bytes: usize) -> u64 {
        match &mut self.0 {
            Source::Seed(state) => split_mix(state),
            Source::Bytes(left) => left
                .drain(..bytes.min(left.len()))
                .fold(0, |number, byte| number << 8 | u64::from(byte)),
        }
    }

    /// One of `0..end`; 0 if that is empty.
    pub fn below(&mut self, end: usize) -> usize {
        let bytes = if end <= 256 { 1 } else { 5 };
        let number = self.draw(bytes) % (end.max(1) as u64);
        usize::try_from(number).unwrap_or_default()
    }

    /// In `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// `length` characters out of `alphabet`.
    pub fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        // Two of a fuzzer's bytes decide a text of any length.
        let mut state = self.draw(2);
        let mut number = 0;
        (0..length)
            .map(|at| {
                if at % 8 == 0 {
                    number = split_mix(&mut state);
                }
                let byte = usize::from(number.to_le_bytes()[at % 8]);
                char::from(alphabet[byte % alphabet.len()])
            })
            .collect()
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
