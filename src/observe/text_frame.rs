//! Most frames of a stream: those with a piece of the model's text, of which nothing is read.

use crate::eventstream::{DEFAULT_MAX_FRAME, OVERHEAD, PRELUDE};

/// The headers of such a frame, as Bedrock writes them.
const HEADERS: [u8; 87] = *b"\x0b:event-type\x07\x00\x11contentBlockDelta\x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00\x05event";

/// The length of the frame that `input` begins with, if it is one with text, its prelude right.
///
/// What is not so may be right all the same, and is told by reading it part by part.
#[inline]
pub(super) fn text_frame(input: &[u8]) -> Option<usize> {
    let (prelude, rest) = input.split_first_chunk::<PRELUDE>()?;
    let headers = rest.first_chunk::<{ HEADERS.len() }>()?;
    let [a, b, c, d, lengths @ ..] = *prelude;
    let total = [a, b, c, d];
    let [e, f, g, h, sum @ ..] = lengths;
    let length = u32::from_be_bytes(total) as usize;
    let is_it = [e, f, g, h] == (HEADERS.len() as u32).to_be_bytes()
        && *headers == HEADERS
        && (OVERHEAD + HEADERS.len()..=DEFAULT_MAX_FRAME).contains(&length)
        && checksum(total) == u32::from_be_bytes(sum);
    is_it.then_some(length)
}

/// The CRC-32 of a prelude with this total length and these headers.
///
/// It is linear: each byte of the length has a share, whatever the others are.
fn checksum(total: [u8; 4]) -> u32 {
    let shares = total.iter().zip(&SHARES);
    shares.fold(WITHOUT_LENGTH, |sum, (byte, shares)| {
        sum ^ shares[usize::from(*byte)]
    })
}

/// With a total length of zero.
const WITHOUT_LENGTH: u32 = {
    let [e, f, g, h] = (HEADERS.len() as u32).to_be_bytes();
    !after(!0, &[0, 0, 0, 0, e, f, g, h])
};

/// Of every value of every byte of the length.
static SHARES: [[u32; 256]; 4] = {
    let mut shares = [[0; 256]; 4];
    let mut place = 0;
    while place < 4 {
        let mut value = 0;
        while value < 256 {
            let mut prelude = [0; 8];
            prelude[place] = value as u8;
            shares[place][value] = after(0, &prelude);
            value += 1;
        }
        place += 1;
    }
    shares
};

/// The state of a CRC-32 after these bytes, bit by bit.
const fn after(mut state: u32, bytes: &[u8; 8]) -> u32 {
    let mut place = 0;
    while place < 8 {
        state ^= bytes[place] as u32;
        let mut bit = 0;
        while bit < 8 {
            let carry = state & 1;
            state >>= 1;
            if carry == 1 {
                state ^= 0xedb8_8320;
            }
            bit += 1;
        }
        place += 1;
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventstream;

    fn frame(event: &str, text: usize) -> Vec<u8> {
        eventstream::event(event, "x".repeat(text).as_bytes()).to_vec()
    }

    #[test]
    fn frames_with_text_are_known_by_their_head() {
        for text in (0..2000).chain([70_000, 1 << 20]) {
            let frame = frame("contentBlockDelta", text);
            assert_eq!(text_frame(&frame), Some(frame.len()), "{text}");
        }
        for event in ["messageStart", "contentBlockStop", "metadata", "chunk"] {
            assert_eq!(text_frame(&frame(event, 10)), None, "{event}");
        }
    }

    #[test]
    fn one_wrong_bit_in_the_head_and_it_is_none() {
        let right = frame("contentBlockDelta", 50);
        for at in 0..PRELUDE + HEADERS.len() {
            for bit in 0..8 {
                let mut wrong = right.clone();
                wrong[at] ^= 1 << bit;
                assert_eq!(text_frame(&wrong), None, "bit {bit} of byte {at}");
            }
            assert_eq!(text_frame(&right[..at]), None, "{at} bytes of it");
        }
    }
}
