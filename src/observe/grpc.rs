//! How a gRPC call ended: its status is in the trailers, or in the head of an answer without any.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
const UNKNOWN: u32 = 2;

/// An answer to a gRPC call.
#[derive(Debug)]
pub(super) struct Call {
    status: Option<u32>,
}

impl Call {
    /// Of an answer with this head, if it is in gRPC. That for browsers has its status in the body.
    pub(super) fn of(head: &HeaderMap) -> Option<Self> {
        let content_type = head.get(CONTENT_TYPE)?.as_bytes();
        let rest = content_type.strip_prefix(b"application/grpc")?;
        matches!(rest, [] | [b'+' | b';' | b' ', ..]).then(|| Self {
            status: status(head),
        })
    }

    /// Reads the trailers. What the head said stays.
    pub(super) fn end(&mut self, trailers: &HeaderMap) {
        self.status = self.status.or_else(|| status(trailers));
    }

    pub(super) fn status(&self) -> Option<u32> {
        self.status
    }

    /// The name of the status, unless all is well or nothing is known.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let status = self.status.filter(|&status| status != 0)?;
        let name = usize::try_from(status).ok().and_then(|i| NAMES.get(i));
        Some(name.unwrap_or(&NAMES[UNKNOWN as usize]))
    }
}

/// A status that is no number is unknown, as clients take it.
fn status(headers: &HeaderMap) -> Option<u32> {
    let value = headers.get(GRPC_STATUS)?.as_bytes();
    let digits = (1..=9).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits);
    Some(text.and_then(|text| text.parse().ok()).unwrap_or(UNKNOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: &str, status: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        if let Some(status) = status {
            headers.insert(GRPC_STATUS, status.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_is_grpc() {
        for (content_type, is_grpc) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc; charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcx", false),
            ("application/json", false),
        ] {
            let call = Call::of(&headers(content_type, None));
            assert_eq!(call.is_some(), is_grpc, "{content_type}");
        }
        assert!(Call::of(&HeaderMap::new()).is_none());
    }

    #[test]
    fn statuses() {
        for (text, status, fault) in [
            ("0", 0, None),
            ("5", 5, Some("NOT_FOUND")),
            ("16", 16, Some("UNAUTHENTICATED")),
            ("17", 17, Some("UNKNOWN")),
            ("999999999", 999_999_999, Some("UNKNOWN")),
            ("4294967296", 2, Some("UNKNOWN")),
            ("-1", 2, Some("UNKNOWN")),
            ("+5", 2, Some("UNKNOWN")),
            ("", 2, Some("UNKNOWN")),
            ("five", 2, Some("UNKNOWN")),
        ] {
            let head = headers("application/grpc", Some(text));
            let call = Call::of(&head).unwrap();
            assert_eq!(
                (call.status(), call.fault()),
                (Some(status), fault),
                "{text}"
            );
        }
    }

    #[test]
    fn the_first_status_counts() {
        let trailers = headers("application/grpc", Some("0"));
        let mut call = Call::of(&headers("application/grpc", None)).unwrap();
        assert_eq!((call.status(), call.fault()), (None, None));
        call.end(&trailers);
        assert_eq!((call.status(), call.fault()), (Some(0), None));
        let mut call = Call::of(&headers("application/grpc", Some("5"))).unwrap();
        call.end(&trailers);
        assert_eq!(call.status(), Some(5));
    }
}
