//! The trace that a request belongs to.

use std::fmt;
use std::num::NonZero;

use http::HeaderValue;
use serde_core::{Serialize, Serializer};

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
    /// One that is made of the random part of a log id.
    pub(super) fn of(log_id: &HeaderValue) -> Option<Self> {
        let text = log_id.to_str().ok()?;
        let (before, last) = text.rsplit_once('-')?;
        let (_, first) = before.rsplit_once('-')?;
        Self::parse(&format!("{first}{last}"))
    }

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

/// What the header `traceparent` of W3C Trace Context tells.
pub(super) fn traceparent(value: &str) -> Option<(TraceId, SpanId)> {
    let mut parts = value.trim().split('-');
    let mut part = || parts.next();
    let (version, trace, span, flags) = (part()?, part()?, part()?, part()?);
    let is_plain = !value.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_version = is_hex(version, 2) && version != "ff";
    // Later versions may have more parts.
    let ends = version != "00" || parts.next().is_none();
    if !(is_plain && is_version && ends && is_hex(flags, 2)) {
        return None;
    }
    Some((TraceId::parse(trace)?, SpanId::parse(span)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        for bad in [
            "",
            "0",
            "00000000000000000000000000000000",
            "0af7651916cd43dd8448eb211c80319",
            "0af7651916cd43dd8448eb211c80319cc",
            "+af7651916cd43dd8448eb211c80319c",
            "0af7651916cd43dd8448eb211c80319g",
            "0af7651916cd43dd8448eb211c8031\u{e9}",
        ] {
            assert_eq!(TraceId::parse(bad), None, "{bad}");
        }
        for bad in [
            "",
            "0000000000000000",
            "00f067aa0ba902b",
            "-0f067aa0ba902b7",
            "00f067aa0ba902bx",
        ] {
            assert_eq!(SpanId::parse(bad), None, "{bad}");
        }
        let trace = TraceId::parse("0AF7651916cd43dd8448eb211c80319c").unwrap();
        assert_eq!(trace.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(trace.to_bytes()[..2], [0x0a, 0xf7]);
        let made = HeaderValue::from_static("019b7ca6-7f4e-7fff-8a00-0123456789ab");
        assert_eq!(SpanId::of(&made).unwrap().to_string(), "8a000123456789ab");
        assert_eq!(SpanId::of(&HeaderValue::from_static("")), None);
        let span = SpanId::parse("00f067aa0ba902b7").unwrap();
        assert_eq!(span.to_string(), "00f067aa0ba902b7");
        assert_eq!(span.to_bytes()[..2], [0, 0xf0]);
    }

    #[test]
    fn traceparents() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for good in [good, &format!("{}-more", good.replacen("00", "cc", 1))] {
            let (trace, span) = traceparent(good).unwrap();
            assert_eq!(trace.to_string(), "0af7651916cd43dd8448eb211c80319c");
            assert_eq!(span.to_string(), "b7ad6b7169203331");
        }
        for bad in [
            "",
            "00",
            &good.to_uppercase(),
            &good.replacen("00", "ff", 1),
            &good.replacen("00", "0", 1),
            &good.replacen("b7", "b", 1),
            &good.replacen("b7ad6b7169203331", "0000000000000000", 1),
            &format!("{good}-more"),
            &good[..52],
            &good.replacen('-', " ", 1),
        ] {
            assert_eq!(traceparent(bad), None, "{bad}");
        }
    }
}
