use std::collections::VecDeque;
use std::mem;

use bytes::{Bytes, BytesMut};

use super::frame::{OVERHEAD, PRELUDE, Prelude};
use super::{DecodeError, Frame, MAX_HEADERS};

/// The longest frame that a [`Decoder`] takes unless told otherwise: 24 MiB of payload.
pub const DEFAULT_MAX_FRAME: usize = 24 * 1024 * 1024 + MAX_HEADERS + OVERHEAD;

/// Room made for a frame on the word of its prelude alone; more comes with its bytes.
const FIRST_ROOM: usize = 64 * 1024;

/// Takes a stream in pieces and gives back its frames.
///
/// See the [module docs](super).
#[derive(Debug)]
pub struct Decoder {
    max_frame: usize,
    /// What has not been looked at: the rest of one chunk, then those pushed after it.
    chunk: Bytes,
    queue: VecDeque<Bytes>,
    /// The start of a frame that does not lie inside one chunk.
    partial: BytesMut,
    /// The prelude of that frame, as soon as it is complete.
    prelude: Option<Prelude>,
    failed: Option<DecodeError>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self {
            max_frame: DEFAULT_MAX_FRAME,
            chunk: Bytes::new(),
            queue: VecDeque::new(),
            partial: BytesMut::new(),
            prelude: None,
            failed: None,
        }
    }

    /// Refuses frames longer than this, all 16 bytes of framing included.
    #[must_use]
    pub fn with_max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = bytes;
        self
    }

    /// Adds what came next. Call [`next`](Self::next) until it has no more frames.
    pub fn push(&mut self, chunk: Bytes) {
        if self.failed.is_some() || chunk.is_empty() {
            return;
        }
        if self.chunk.is_empty() && self.queue.is_empty() {
            self.chunk = chunk;
        } else {
            self.queue.push_back(chunk);
        }
    }

    /// The next complete frame; `None` if more bytes are needed first.
    ///
    /// # Errors
    ///
    /// The bytes are no event stream, or a frame is too large. From then on every call fails the
    /// same way.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator could not say `not yet`"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.advance();
        if let Err(error) = result {
            self.failed = Some(error);
            self.chunk = Bytes::new();
            self.queue = VecDeque::new();
            self.partial = BytesMut::new();
        }
        result
    }

    /// Whether the stream may end here: call it when there are no more bytes and no more frames.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] if it ends in the middle of a frame, or the earlier failure.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.partial.is_empty() && self.chunk.is_empty() => Ok(()),
            None => Err(DecodeError::Truncated),
        }
    }

    fn advance(&mut self) -> Result<Option<Frame>, DecodeError> {
        loop {
            if self.chunk.is_empty() {
                match self.queue.pop_front() {
                    Some(chunk) => self.chunk = chunk,
                    None => return Ok(None),
                }
            }
            let frame = if self.partial.is_empty() {
                self.slice()?
            } else {
                self.join()?
            };
            if frame.is_some() {
                return Ok(frame);
            }
        }
    }

    /// A frame that starts with the chunk: cut off it if it is whole, else kept to be joined.
    fn slice(&mut self) -> Result<Option<Frame>, DecodeError> {
        if let Some(head) = self.chunk.first_chunk() {
            let prelude = Prelude::read(head, self.max_frame)?;
            if self.chunk.len() >= prelude.total {
                return Frame::check(self.chunk.split_to(prelude.total), prelude).map(Some);
            }
            self.partial.reserve(prelude.total.min(FIRST_ROOM));
            self.prelude = Some(prelude);
        }
        let rest = mem::take(&mut self.chunk);
        self.partial.extend_from_slice(&rest);
        Ok(None)
    }

    /// Adds to the frame at hand what it lacks, if the chunk has it.
    fn join(&mut self) -> Result<Option<Frame>, DecodeError> {
        let wanted = self.prelude.map_or(PRELUDE, |prelude| prelude.total);
        let lacking = wanted.saturating_sub(self.partial.len());
        let now = self.chunk.split_to(lacking.min(self.chunk.len()));
        self.partial.extend_from_slice(&now);
        if now.len() < lacking {
            return Ok(None);
        }
        let prelude = match (self.prelude, self.partial.first_chunk()) {
            (None, Some(head)) => {
                let prelude = Prelude::read(head, self.max_frame)?;
                self.partial.reserve(prelude.total.min(FIRST_ROOM));
                self.prelude = Some(prelude);
                prelude
            }
            (Some(prelude), _) => prelude,
            (None, None) => return Ok(None),
        };
        if self.partial.len() < prelude.total {
            return Ok(None);
        }
        self.prelude = None;
        Frame::check(mem::take(&mut self.partial).freeze(), prelude).map(Some)
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}
