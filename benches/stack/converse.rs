//! The request that is made: Converse with 256 bytes of body, as an SDK sends it.

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;

use crate::request;

pub(crate) const TOKEN: &str = "s3cret-s3cret-s3cret-s3cret-s3cret";
pub(crate) const ACCOUNT: &str = "acme";
pub(crate) const GATEWAY: &str = "prod";
/// Of the body of a request.
pub(crate) const LENGTH: usize = 256;

const PREFIX: &str = "/v1/acme/prod/aws-bedrock/bedrock-runtime/us-east-1";
const MODEL: &str = "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0";
const AWS: &str = "https://bedrock-runtime.us-east-1.amazonaws.com";

/// Those that do not change from request to request.
const HEADERS: [(&str, &str); 8] = [
    ("content-type", "application/json"),
    ("content-length", "256"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip"),
    (
        "user-agent",
        "aws-sdk-rust/1.3.14 ua/2.1 api/bedrockruntime/1.126.0 os/linux lang/rust/1.94.1",
    ),
    (
        "x-amz-user-agent",
        "aws-sdk-rust/1.3.14 ua/2.1 api/bedrockruntime/1.126.0 os/linux lang/rust/1.94.1 m/E",
    ),
    ("amz-sdk-request", "attempt=1; max=3"),
    (
        "cf-aig-authorization",
        "Bearer s3cret-s3cret-s3cret-s3cret-s3cret",
    ),
];
const ID: &str = "amz-sdk-invocation-id";
/// The headers of the request that go into the signature.
const SIGNED: [&str; 2] = ["content-type", "x-amz-user-agent"];

/// What Bedrock answers to a call.
pub(crate) const ANSWER: &[u8] = br#"{"metrics":{"latencyMs":551},"output":{"message":{"content":[{"text":"Paris is the capital of France, and has been since the tenth century."}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":14,"outputTokens":19,"serverToolUsage":{},"totalTokens":33}}"#;
/// And with what headers.
pub(crate) const ANSWER_HEADERS: [(&str, &str); 3] = [
    ("date", "Fri, 02 Jan 2026 03:04:05 GMT"),
    ("content-type", "application/json"),
    ("x-amzn-requestid", "8d4a1a60-8a35-4d8c-9d6a-6d6f0a6a3f0e"),
];

/// To a gateway, or to AWS without one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Gateway,
    Aws,
}

impl To {
    fn host(self) -> &'static str {
        match self {
            Self::Gateway => "gateway.test",
            Self::Aws => &AWS["https://".len()..],
        }
    }

    fn uri(self) -> String {
        match self {
            Self::Gateway => format!("{PREFIX}{MODEL}/converse"),
            Self::Aws => format!("{AWS}{MODEL}/converse"),
        }
    }
}

fn id(number: u64) -> String {
    format!("3a5f7c1e-90b2-4d6e-8f01-{number:012x}")
}

/// As hyper makes it: URI and header values are slices of the buffer that was read. No two
/// requests have the same id.
pub(crate) fn as_hyper_does(to: To, number: u64) -> Request<Full<Bytes>> {
    let mut buffer = BytesMut::with_capacity(8 * 1024);
    let mut put = |text: &str| {
        buffer.extend_from_slice(text.as_bytes());
        buffer.split().freeze()
    };
    let value = |bytes| HeaderValue::from_maybe_shared(bytes).expect("plain ASCII");
    let uri = put(&to.uri());
    let mut headers = HeaderMap::with_capacity(HEADERS.len() + 2);
    headers.insert(http::header::HOST, value(put(to.host())));
    for (name, text) in HEADERS {
        // Without a gateway there is no token for one.
        if to == To::Gateway || !name.starts_with("cf-") {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.insert(name, value(put(text)));
        }
    }
    headers.insert(HeaderName::from_static(ID), value(put(&id(number))));

    let mut made = Request::new(Full::new(request::body(LENGTH)));
    *made.method_mut() = Method::POST;
    *made.uri_mut() = Uri::from_maybe_shared(uri).expect("a URI");
    *made.headers_mut() = headers;
    made
}

/// The head that is signed in the end, with nothing in it but what goes into the signature.
pub(crate) fn signed_parts() -> Parts {
    let (mut head, _) = as_hyper_does(To::Aws, 0).into_parts();
    let signed = |name: &HeaderName| *name == http::header::HOST || SIGNED.contains(&name.as_str());
    let kept = head.headers.iter().filter(|(name, _)| signed(name));
    let mut headers = HeaderMap::with_capacity(8);
    headers.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    head.headers = headers;
    head
}

/// As from a client of hyper's.
pub(crate) fn answer() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(Bytes::from_static(ANSWER)));
    let mut headers = HeaderMap::with_capacity(12);
    for (name, value) in ANSWER_HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    *response.headers_mut() = headers;
    response
}

/// What goes over the wire to a gateway, for this operation.
pub(crate) fn on_the_wire(operation: &str) -> Vec<u8> {
    let mut text = format!("POST {PREFIX}{MODEL}/{operation} HTTP/1.1\r\nhost: gateway.test\r\n");
    for (name, value) in HEADERS {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("{ID}: {}\r\n\r\n", id(7));
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&request::body(LENGTH));
    bytes
}
