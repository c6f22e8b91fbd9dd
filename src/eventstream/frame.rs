use std::fmt;

use bytes::Bytes;

use super::crc::crc32_of_eight;
use super::{DecodeError, HeaderValue, Headers, MAX_HEADERS};

/// What a frame has besides headers and payload: the prelude and the checksum at its end.
pub(crate) const OVERHEAD: usize = PRELUDE + 4;

/// Both lengths and their checksum.
pub(crate) const PRELUDE: usize = 12;

/// One verified frame of a stream.
///
/// Cloning is cheap: all of it is one [`Bytes`].
#[derive(Clone)]
pub struct Frame {
    raw: Bytes,
    payload: Bytes,
    headers: usize,
}

impl Frame {
    /// `raw` is as long as `prelude` says.
    pub(super) fn check(raw: Bytes, prelude: Prelude) -> Result<Self, DecodeError> {
        let Some((covered, sum)) = raw.split_last_chunk::<4>() else {
            return Err(DecodeError::Truncated);
        };
        if crc32fast::hash(covered) != u32::from_be_bytes(*sum) {
            return Err(DecodeError::MessageChecksum);
        }
        let start = PRELUDE + prelude.headers;
        let headers = covered.get(PRELUDE..start).ok_or(DecodeError::Truncated)?;
        Headers::validated(headers)?;
        let payload = raw.slice(start..covered.len());
        Ok(Self {
            raw,
            payload,
            headers: prelude.headers,
        })
    }

    /// The frame that these bytes are, from the first to the last.
    #[cfg(feature = "sign")]
    pub(crate) fn whole(bytes: Bytes) -> Result<Self, DecodeError> {
        let head = bytes.first_chunk().ok_or(DecodeError::Truncated)?;
        let prelude = Prelude::read(head, usize::MAX)?;
        match prelude.total == bytes.len() {
            true => Self::check(bytes, prelude),
            false => Err(DecodeError::Truncated),
        }
    }

    /// What the frame carries; JSON, for every event of Bedrock.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The frame as it came, checksums included.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The headers, in their order.
    pub fn headers(&self) -> Headers<'_> {
        let end = PRELUDE + self.headers;
        Headers::trusted(self.raw.get(PRELUDE..end).unwrap_or_default())
    }

    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<HeaderValue<'_>> {
        self.headers()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// `event`, `exception` or `error`; empty if the frame does not say.
    pub fn message_type(&self) -> &str {
        self.text(":message-type")
    }

    /// The name of the event; empty if this is none.
    pub fn event_type(&self) -> &str {
        self.text(":event-type")
    }

    /// The name of the exception; empty if this is none.
    pub fn exception_type(&self) -> &str {
        self.text(":exception-type")
    }

    fn text(&self, name: &str) -> &str {
        self.header(name)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
    }
}

/// Without the payload: it is somebody's text.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Pairs<'a>(Headers<'a>);

        impl fmt::Debug for Pairs<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_map().entries(self.0.clone()).finish()
            }
        }

        f.debug_struct("Frame")
            .field("headers", &Pairs(self.headers()))
            .field("payload_len", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// The lengths at the head of a frame, checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prelude {
    /// Of the whole frame.
    pub(crate) total: usize,
    /// Of its headers.
    pub(crate) headers: usize,
}

impl Prelude {
    /// Sees that the lengths are true, possible and allowed.
    #[inline]
    pub(crate) fn read(bytes: &[u8; PRELUDE], max_frame: usize) -> Result<Self, DecodeError> {
        let [t0, t1, t2, t3, h0, h1, h2, h3, s0, s1, s2, s3] = *bytes;
        let sum = crc32_of_eight([t0, t1, t2, t3, h0, h1, h2, h3]);
        if sum != u32::from_be_bytes([s0, s1, s2, s3]) {
            return Err(DecodeError::PreludeChecksum);
        }
        let total = u32::from_be_bytes([t0, t1, t2, t3]);
        let headers = u32::from_be_bytes([h0, h1, h2, h3]);
        if (total as usize) < OVERHEAD || headers as usize > total as usize - OVERHEAD {
            return Err(DecodeError::Lengths { total, headers });
        }
        let (total, headers) = (total as usize, headers as usize);
        for (length, limit) in [(total, max_frame), (headers, MAX_HEADERS)] {
            if length > limit {
                return Err(DecodeError::TooLarge { length, limit });
            }
        }
        Ok(Self { total, headers })
    }
}
