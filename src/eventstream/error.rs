use std::error::Error;
use std::fmt;

/// Why bytes are not an event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first twelve bytes of a frame do not match their checksum: this is no event stream, or
    /// bytes of it are missing.
    PreludeChecksum,
    /// A frame does not match its checksum.
    MessageChecksum,
    /// The lengths that a frame states contradict each other.
    Lengths {
        /// The stated length of the frame.
        total: u32,
        /// The stated length of its headers.
        headers: u32,
    },
    /// A frame, or its headers, is larger than allowed.
    TooLarge {
        /// The stated length.
        length: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A header has an empty name, or one that is not UTF-8.
    HeaderName,
    /// A header's value is of a type that does not exist.
    HeaderType(u8),
    /// The headers end in the middle of one.
    HeaderTruncated,
    /// A header's value is called a string and is not UTF-8.
    HeaderString,
    /// The stream ended in the middle of a frame.
    Truncated,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PreludeChecksum => f.write_str("event stream: prelude checksum mismatch"),
            Self::MessageChecksum => f.write_str("event stream: message checksum mismatch"),
            Self::Lengths { total, headers } => write!(
                f,
                "event stream: impossible lengths (frame {total}, headers {headers})"
            ),
            Self::TooLarge { length, limit } => {
                write!(f, "event stream: {length} bytes where {limit} are allowed")
            }
            Self::HeaderName => f.write_str("event stream: invalid header name"),
            Self::HeaderType(kind) => write!(f, "event stream: unknown header type {kind}"),
            Self::HeaderTruncated => f.write_str("event stream: headers cut off"),
            Self::HeaderString => f.write_str("event stream: header value is not UTF-8"),
            Self::Truncated => f.write_str("event stream: ended in the middle of a frame"),
        }
    }
}

impl Error for DecodeError {}
