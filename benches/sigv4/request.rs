//! The requests that are signed.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};

pub(crate) const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const SERVICE: &str = "bedrock";

const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";
const MODEL: &str = "us.anthropic.claude-haiku-4-5-20251001-v1%3A0";
const JSON: &str = "application/json";

/// A steady clock.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// A clock that goes on by a second with every call.
pub(crate) fn seconds() -> impl FnMut() -> SystemTime {
    let mut next = now();
    move || {
        next += Duration::from_secs(1);
        next
    }
}

/// 960 bytes, as long as those of an assumed role.
pub(crate) fn session_token() -> String {
    "IQoJb3JpZ2luX2VjEJ3//////////wEaCXVzLWVhc3QtMSJIMEYC".repeat(19)[..960].to_owned()
}

/// Text of a JSON request that is `length` bytes long.
pub(crate) fn body(length: usize) -> Bytes {
    let text = br#"{"role":"user","content":[{"text":"What is the capital of France?"}]},"#;
    text.iter().copied().cycle().take(length).collect()
}

/// The same request, again and again.
pub(crate) fn same() -> impl FnMut() -> Parts {
    || parts(MODEL)
}

/// A model that was never asked before, in every request.
pub(crate) fn new_routes() -> impl FnMut() -> Parts {
    let mut numbers = 0_u32..;
    move || {
        let number = numbers.next().unwrap_or_default();
        parts(&format!("us.anthropic.claude-haiku-4-5-{number:08}-v1%3A0"))
    }
}

/// 64 models in turn.
pub(crate) fn routes_in_turn() -> impl FnMut() -> Parts {
    let mut numbers = (20_251_001..20_251_065).cycle();
    move || {
        let number: u32 = numbers.next().unwrap_or_default();
        parts(&format!("us.anthropic.claude-haiku-4-5-{number:08}-v1%3A0"))
    }
}

/// A signed header that is another one in every request.
pub(crate) fn noted() -> impl FnMut() -> Parts {
    let mut numbers = 0_u64..;
    move || {
        let mut parts = parts(MODEL);
        let name = HeaderName::from_static("x-amz-request-note");
        let number = numbers.next().unwrap_or_default();
        parts.headers.insert(name, HeaderValue::from(number));
        parts
    }
}

/// As a server gets it: URI and header values are slices of the buffer that was read, and nothing
/// is shared with another request. The header map has room to spare.
fn parts(model: &str) -> Parts {
    let mut buffer = BytesMut::with_capacity(256);
    let mut put = |pieces: &[&str]| {
        for piece in pieces {
            buffer.extend_from_slice(piece.as_bytes());
        }
        buffer.split().freeze()
    };
    let uri = put(&["https://", HOST, "/model/", model, "/invoke"]);
    let [host, content_type, accept] = [HOST, JSON, JSON].map(|text| put(&[text]));

    let value = |bytes| HeaderValue::from_maybe_shared(bytes).expect("plain ASCII");
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::HOST, value(host));
    headers.insert(header::CONTENT_TYPE, value(content_type));
    headers.insert(header::ACCEPT, value(accept));

    let mut parts = Request::post(Uri::from_maybe_shared::<Bytes>(uri).expect("a URI"))
        .body(())
        .expect("a request")
        .into_parts()
        .0;
    parts.headers = headers;
    parts
}

/// The signature in `authorization`.
pub(crate) fn signature(headers: &HeaderMap) -> &str {
    let value = headers[header::AUTHORIZATION].to_str().expect("ASCII");
    value.rsplit('=').next().unwrap_or_default()
}

/// The head of the canonical request that every signer here has to come up with: all but the hash
/// of the body, which are its last 64 bytes.
pub(crate) fn canonical_head(token: Option<&str>) -> String {
    let (token, name) = match token {
        Some(token) => (
            format!("x-amz-security-token:{token}\n"),
            ";x-amz-security-token",
        ),
        None => (String::new(), ""),
    };
    let path = MODEL.replace('%', "%25");
    format!(
        "POST\n/model/{path}/invoke\n\ncontent-type:{JSON}\nhost:{HOST}\nx-amz-date:20231114T221320Z\n{token}\ncontent-type;host;x-amz-date{name}\n"
    )
}

/// All of the string to sign but the hash of the canonical request, its last 64 bytes.
pub(crate) fn string_head() -> String {
    format!("AWS4-HMAC-SHA256\n20231114T221320Z\n20231114/{REGION}/{SERVICE}/aws4_request\n")
}
