use std::error::Error;
use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use super::frame::{OVERHEAD, PRELUDE};
use super::{HeaderValue, MAX_HEADERS};

/// Bytes of the checksum at the end.
const CHECKSUM: usize = OVERHEAD - PRELUDE;

/// The most bytes that [`encode`] puts into one frame.
const MAX_PAYLOAD: usize = 24 * 1024 * 1024;

/// A frame of these headers and this payload.
///
/// # Errors
///
/// A name is empty or longer than 255 bytes, a value longer than 65,535, all headers together
/// longer than [`MAX_HEADERS`], the payload longer than 24 MiB.
pub fn encode(headers: &[(&str, HeaderValue<'_>)], payload: &[u8]) -> Result<Bytes, EncodeError> {
    for (name, value) in headers {
        if name.is_empty() || name.len() > usize::from(u8::MAX) {
            return Err(EncodeError::HeaderName);
        }
        let length = match value {
            HeaderValue::Bytes(bytes) => bytes.len(),
            HeaderValue::String(text) => text.len(),
            _ => 0,
        };
        if length > usize::from(u16::MAX) {
            return Err(EncodeError::HeaderValue);
        }
    }
    if payload.len() > MAX_PAYLOAD {
        return Err(EncodeError::Payload);
    }
    let (frame, headers) = write(headers, payload);
    if headers > MAX_HEADERS {
        return Err(EncodeError::Headers);
    }
    Ok(frame)
}

/// An event as Bedrock writes it, its payload JSON.
///
/// Never fails: a name over 65,535 bytes is cut, and a payload over 24 MiB makes a frame that
/// decoders refuse.
pub fn event(event_type: &str, payload: &[u8]) -> Bytes {
    message("event", ":event-type", event_type, payload)
}

/// An exception as Bedrock writes it, its payload JSON: `{"message":"…"}`.
///
/// Never fails, as [`event`] does not.
pub fn exception(exception_type: &str, payload: &[u8]) -> Bytes {
    message("exception", ":exception-type", exception_type, payload)
}

/// Why a frame cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A header's name is empty or longer than 255 bytes.
    HeaderName,
    /// A header's value is longer than 65,535 bytes.
    HeaderValue,
    /// The headers are too long together.
    Headers,
    /// The payload is longer than 24 MiB.
    Payload,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderName => "event stream: a header name has 1 to 255 bytes",
            Self::HeaderValue => "event stream: a header value has at most 65535 bytes",
            Self::Headers => "event stream: the headers have at most 131072 bytes",
            Self::Payload => "event stream: the payload has at most 25165824 bytes",
        })
    }
}

impl Error for EncodeError {}

/// The three headers of every recorded frame of Bedrock, in their order.
fn message(message_type: &str, key: &str, name: &str, payload: &[u8]) -> Bytes {
    let headers = [
        (key, name.into()),
        (":content-type", "application/json".into()),
        (":message-type", message_type.into()),
    ];
    write(&headers, payload).0
}

/// The frame, and how many bytes of it are headers.
fn write(headers: &[(&str, HeaderValue<'_>)], payload: &[u8]) -> (Bytes, usize) {
    let (mut frame, headers) = begin(headers, payload.len(), payload.len() + CHECKSUM);
    frame.put_slice(payload);
    frame.put_u32(crc32fast::hash(&frame));
    (frame.freeze(), headers)
}

/// What comes before the payload, with room for as many bytes `after` it; and how many bytes of it
/// are headers.
fn begin(headers: &[(&str, HeaderValue<'_>)], payload: usize, after: usize) -> (BytesMut, usize) {
    let mut block = BytesMut::with_capacity(128);
    for (name, value) in headers {
        let name = name.get(..name.floor_char_boundary(usize::from(u8::MAX)));
        let name = name.unwrap_or_default();
        block.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        block.put_slice(name.as_bytes());
        value.write(&mut block);
    }
    let total = OVERHEAD + block.len() + payload;
    let mut frame = BytesMut::with_capacity(PRELUDE + block.len() + after);
    frame.put_u32(u32::try_from(total).unwrap_or(u32::MAX));
    frame.put_u32(u32::try_from(block.len()).unwrap_or(u32::MAX));
    frame.put_u32(crc32fast::hash(&frame));
    debug_assert_eq!(frame.len(), PRELUDE);
    frame.put_slice(&block);
    (frame, block.len())
}

/// What stands before the payload of a frame, and what after it: for a payload that is sent from
/// where it is. The headers are not checked.
#[cfg(feature = "sign")]
pub(crate) fn around(headers: &[(&str, HeaderValue<'_>)], payload: &[u8]) -> (Bytes, Bytes) {
    let (mut frame, _) = begin(headers, payload.len(), CHECKSUM);
    let mut sum = crc32fast::Hasher::new();
    sum.update(&frame);
    sum.update(payload);
    let end = frame.len();
    frame.put_u32(sum.finalize());
    let after = frame.split_off(end);
    (frame.freeze(), after.freeze())
}
