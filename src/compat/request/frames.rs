//! The translated body as it is written: a list of pieces, of which the long ones are the
//! request's own.

use std::io;

use bytes::{Bytes, BytesMut};

use crate::body::Buffered;

/// From this length on, what stands in the request word for word is not copied.
const LONG: usize = 4096;

/// The most that is set aside before anything is written.
const ROOM: usize = 64 * 1024;

/// Collects what is written.
pub(super) struct Frames<'r> {
    /// Where long pieces may be found.
    request: Option<&'r Bytes>,
    body: Buffered,
    /// What has been copied since the last long piece.
    copied: BytesMut,
}

impl<'r> Frames<'r> {
    /// `length` is that of the request.
    pub(super) fn new(length: usize, request: Option<&'r Bytes>) -> Self {
        let room = length + length / 8 + 256;
        let is_long = request.is_some() && room > ROOM;
        Self {
            request,
            body: Buffered::empty(),
            copied: BytesMut::with_capacity(if is_long { ROOM } else { room }),
        }
    }

    pub(super) fn into_body(mut self) -> Buffered {
        self.body.push(self.copied.freeze());
        self.body
    }

    /// Where in the request `text` is, if it lies there.
    fn place(&self, text: &[u8]) -> Option<Bytes> {
        let request = self.request.filter(|_| text.len() >= LONG)?;
        let start = text.as_ptr().addr().checked_sub(request.as_ptr().addr())?;
        let end = start.checked_add(text.len())?;
        (end <= request.len()).then(|| request.slice(start..end))
    }
}

impl io::Write for Frames<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.write_all(text)?;
        Ok(text.len())
    }

    fn write_all(&mut self, text: &[u8]) -> io::Result<()> {
        match self.place(text) {
            Some(long) => {
                self.body.push(self.copied.split().freeze());
                self.body.push(long);
            }
            None => self.copied.extend_from_slice(text),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bytes::Bytes;

    use super::Frames;

    #[test]
    fn long_pieces_of_the_request_are_not_copied() {
        let request = Bytes::from("x".repeat(9000));
        let mut frames = Frames::new(request.len(), Some(&request));
        let others = "x".repeat(5000);
        for piece in [&request[..10], &request[10..5000], b"y", others.as_bytes()] {
            frames.write_all(piece).unwrap();
        }
        let body = frames.into_body();
        let frames: Vec<&Bytes> = body.frames().collect();
        assert_eq!(
            frames.iter().map(|frame| frame.len()).collect::<Vec<_>>(),
            [10, 4990, 5001]
        );
        assert_eq!(frames[1].as_ptr(), request[10..].as_ptr());
        assert_eq!(body.len(), 10_001);
    }

    #[test]
    fn without_a_request_to_share_it_is_one_piece() {
        let text = "x".repeat(9000);
        let mut frames = Frames::new(text.len(), None);
        frames.write_all(text.as_bytes()).unwrap();
        assert_eq!(frames.into_body().frames().count(), 1);
    }
}
