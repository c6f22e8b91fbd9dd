//! A body that is being read: so that it does not weigh many times what it says.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::Buffered;

/// So many frames are kept as they come.
const FEW: usize = 64;
/// Of more than these, shorter ones are copied together: in a list of their own they would weigh
/// more, and each may keep a whole read buffer alive.
const SHORT: usize = 512;
/// Into pieces of about this length.
const PIECE: usize = 16 * 1024;

/// Frames, as they come in.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    body: Buffered,
    kept: usize,
    short: BytesMut,
}

impl Gathered {
    pub(super) fn push(&mut self, frame: Bytes) {
        if self.kept >= FEW && frame.len() < SHORT {
            self.short.extend_from_slice(&frame);
            if self.short.len() >= PIECE {
                self.seal();
            }
            return;
        }
        self.seal();
        self.body.push(frame);
        self.kept += 1;
    }

    pub(super) fn set_trailers(&mut self, trailers: HeaderMap) {
        self.body.set_trailers(trailers);
    }

    /// All that was pushed.
    pub(super) fn take(&mut self) -> Buffered {
        self.seal();
        std::mem::take(&mut self.body)
    }

    fn seal(&mut self) {
        if !self.short.is_empty() {
            self.body.push(self.short.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::{FEW, Gathered, PIECE, SHORT};

    fn lengths(frames: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut gathered = Gathered::default();
        let mut whole = BytesMut::new();
        let mut next = 0..;
        for length in frames {
            let frame: Bytes = next.by_ref().take(length).map(|n: u32| n as u8).collect();
            whole.extend_from_slice(&frame);
            gathered.push(frame);
        }
        let body = gathered.take();
        let frames: Vec<_> = body.frames().cloned().collect();
        assert_eq!(frames.concat(), whole);
        assert_eq!(body.len(), whole.len() as u64);
        frames.iter().map(Bytes::len).collect()
    }

    #[test]
    fn few_frames_are_kept() {
        assert_eq!(lengths([1, 0, 2, 600]), [1, 2, 600]);
        assert_eq!(lengths([1; FEW]), [1; FEW]);
    }

    #[test]
    fn many_short_ones_become_long_ones() {
        let found = lengths(std::iter::repeat_n(1, FEW + 2 * PIECE + 3));
        assert_eq!(found[..FEW], [1; FEW]);
        assert_eq!(found[FEW..], [PIECE, PIECE, 3]);
    }

    #[test]
    fn long_ones_stay_as_they_are_and_in_their_place() {
        let mut frames = vec![SHORT; FEW + 1];
        frames.extend([1, 2, SHORT, 3]);
        let found = lengths(frames);
        assert_eq!(found[FEW + 1..], [3, SHORT, 3]);
    }
}
