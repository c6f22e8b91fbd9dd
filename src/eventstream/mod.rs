//! `application/vnd.amazon.eventstream`, the framing of Bedrock's streamed answers.
//!
//! A stream is a row of frames, each with typed headers, a payload and two checksums:
//!
//! ```text
//! total length u32 │ headers length u32 │ CRC-32 of these 8 bytes │ headers │ payload │ CRC-32 of all before
//! ```
//!
//! [`Decoder`] takes the bytes as they arrive, split anywhere, and gives back whole, verified
//! [`Frame`]s. A frame that lies inside one chunk is a slice of that chunk: nothing is copied.
//! [`encode`], [`event`] and [`exception`] write frames.
//!
//! What a frame says is in its headers: `:message-type` is `event`, `exception` or `error`, and
//! `:event-type` or `:exception-type` names which one.
//!
//! # Limits
//!
//! Lengths are checked as soon as the first twelve bytes of a frame are known, before any of it is
//! kept: headers up to [`MAX_HEADERS`], the whole frame up to [`DEFAULT_MAX_FRAME`] or what
//! [`Decoder::with_max_frame`] says. A decoder that has failed stays failed, since the place of the
//! next frame is unknown.
//!
//! # Examples
//!
//! ```
//! use bytes::Bytes;
//! use tower_bedrock::eventstream::{self, Decoder};
//!
//! # fn main() -> Result<(), eventstream::DecodeError> {
//! let wire = eventstream::event("messageStop", br#"{"stopReason":"end_turn"}"#);
//!
//! let mut decoder = Decoder::new();
//! decoder.push(wire.slice(..20)); // as the network splits it
//! assert!(decoder.next()?.is_none());
//!
//! decoder.push(wire.slice(20..));
//! let frame = decoder.next()?.expect("the frame is complete");
//! assert_eq!(frame.message_type(), "event");
//! assert_eq!(frame.event_type(), "messageStop");
//! assert_eq!(frame.raw(), &wire);
//!
//! decoder.finish()?; // an error if the stream stopped in mid-frame
//! # Ok(())
//! # }
//! ```
//!
//! A checksum that does not match ends the stream:
//!
//! ```
//! use tower_bedrock::eventstream::{self, DecodeError, Decoder};
//!
//! let mut wire = eventstream::event("messageStop", b"{}").to_vec();
//! *wire.last_mut().unwrap() ^= 1;
//!
//! let mut decoder = Decoder::new();
//! decoder.push(wire.into());
//! assert_eq!(decoder.next().unwrap_err(), DecodeError::MessageChecksum);
//! ```
//!
//! # Limitations
//!
//! The signatures that wrap the frames of a bidirectional request are not checked or written here:
//! `sign::EventStreamSigner` writes them.

pub use self::decoder::{DEFAULT_MAX_FRAME, Decoder};
pub use self::encoder::{EncodeError, encode, event, exception};
pub use self::error::DecodeError;
pub use self::frame::Frame;
pub use self::header::{HeaderValue, Headers, MAX_HEADERS};

#[cfg(feature = "sign")]
pub(crate) use self::encoder::around;
#[cfg(feature = "observe")]
pub(crate) use self::frame::{OVERHEAD, PRELUDE, Prelude};

mod crc;
mod decoder;
mod encoder;
mod error;
mod frame;
mod header;
