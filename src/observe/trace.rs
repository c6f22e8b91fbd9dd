//! The trace that a request belongs to.

use std::fmt;
use std::num::NonZero;

use serde::{Serialize, Serializer};

/// The id of a trace: 32 hexadecimal digits, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZero<u128>);

/// The id of a span: 16 hexadecimal digits, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZero<u64>);

impl TraceId {
    /// The id in `text`, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = is_hex(text, 32).then_some(text)?;
        NonZero::new(u128::from_str_radix(hex, 16).ok()?).map(Self)
    }

    /// Its 16 bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }
}

impl SpanId {
    /// The id in `text`, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = is_hex(text, 16).then_some(text)?;
        NonZero::new(u64::from_str_radix(hex, 16).ok()?).map(Self)
    }

    /// Its 8 bytes.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }
}

/// `from_str_radix` would take a sign.
fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

macro_rules! as_text {
    ($id:ty, $digits:literal) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:0", $digits, "x}"), self.0)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

as_text!(TraceId, 32);
as_text!(SpanId, 16);
