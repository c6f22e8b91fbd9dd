//! The end of a message that is the same but for its last 64 characters.

use zeroize::Zeroize;

use super::hash::{self, BLOCK, State};

/// Everything before the slot is hashed, everything after it is padding: a hash of such a message
/// costs its last two blocks (three, if the slot lies across two boundaries).
///
/// Both messages of a signature end in the 64 digits of a hash: the canonical request in that of
/// the body, the string to sign in that of the canonical request.
pub(super) struct Tail {
    state: State,
    blocks: [u8; 3 * BLOCK],
    end: u8,
    slot: u8,
}

impl Tail {
    /// Of a message whose first `hashed` bytes, whole blocks, are in `state` and whose next are
    /// `text`, up to the slot.
    pub(super) fn new(mut state: State, hashed: u64, text: &[u8]) -> Self {
        let rest = hash::absorb(&mut state, text);
        let slot = rest.len();
        let used = slot + 64;
        let end = hash::padded(used);
        let mut blocks = [0; 3 * BLOCK];
        blocks[..slot].copy_from_slice(rest);
        blocks[used] = 0x80;
        let bits = (hashed + text.len() as u64 + 64) * 8;
        blocks[end - 8..end].copy_from_slice(&bits.to_be_bytes());
        Self {
            state,
            blocks,
            end: end as u8,
            slot: slot as u8,
        }
    }

    /// The hash of the message with these digits at its end.
    #[inline]
    pub(super) fn finish(&mut self, digits: &[u8; 64]) -> State {
        let (slot, end) = (usize::from(self.slot), usize::from(self.end));
        self.blocks[slot..slot + 64].copy_from_slice(digits);
        let mut state = self.state;
        hash::absorb(&mut state, &self.blocks[..end]);
        state
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // Of the string to sign: made with the key.
        self.state.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;
    use crate::sign::sigv4::hash::{INITIAL, PayloadHash, hex};

    #[test]
    fn agrees_with_the_whole_message_at_every_length() {
        let text: Vec<u8> = (0..200).map(|i| (i * 5) as u8).collect();
        for length in 0..text.len() {
            let mut tail = Tail::new(INITIAL, 0, &text[..length]);
            for digit in [b'0', b'f'] {
                let digits = [digit; 64];
                let whole = [&text[..length], &digits[..]].concat();
                let wanted = PayloadHash::of(&whole).hex();
                assert_eq!(hex(&tail.finish(&digits)), wanted, "{length}");
            }
        }
    }
}
