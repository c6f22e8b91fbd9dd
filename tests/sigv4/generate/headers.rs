//! Headers: usual ones, and values that are hard to canonicalise.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::dice::Dice;
use super::request::LETTERS;

/// Names of which some are always signed, some never, and some by one rule only.
pub const NAMES: &[&str] = &[
    "content-type",
    "x-amz-a",
    "x-amz-b",
    "x-amz-foo",
    "x-amz-target",
    "x-amz-user-agent",
    "x-amz-cf-id",
    "x-amzn-bedrock-trace",
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock",
    "x-amzn-requestid",
    "x-amz",
    "x-amza",
    "accept",
    "accept-encoding",
    "user-agent",
    "content-length",
    "traceparent",
    "tracestate",
    "baggage",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-mine",
    "amz-sdk-request",
    "anthropic-beta",
    "connection",
    "te",
    "trailer",
    "transfer-encoding",
    "expect",
    "keep-alive",
    "upgrade",
    "proxy-connection",
    "cookie",
    "cache-control",
];

pub fn headers(dice: &mut Dice, host: Option<HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if dice.chance(70) {
        headers.insert("content-type", HeaderValue::from_static("application/json"));
    }
    for _ in 0..dice.below(5) {
        let name = dice.pick(NAMES);
        headers.append(name, value(dice));
        if dice.chance(15) {
            headers.append(name, value(dice));
        }
    }
    // Lengths that end a block of the hash in every place.
    if dice.chance(30) {
        let length = dice.below(130);
        let text = dice.text(LETTERS, length);
        headers.insert("x-amz-pad", text.parse().expect("letters"));
    }
    for (name, values) in [
        ("x-amz-date", ["20200101T000000Z", "yesterday", " "]),
        ("x-amz-security-token", ["old", "a-token", ""]),
        (
            "x-amz-content-sha256",
            ["UNSIGNED-PAYLOAD", "00", "e3b0c442"],
        ),
        (
            "authorization",
            ["Bearer key", "AWS4-HMAC-SHA256 Credential=A", "Basic YTpi"],
        ),
    ] {
        if dice.chance(6) {
            let text = dice.pick(&values);
            headers.append(name, text.parse().expect("printable"));
            if dice.chance(20) {
                headers.append(name, "another".parse().expect("printable"));
            }
        }
    }
    if dice.chance(4) {
        for number in 0..15 + dice.below(25) {
            let name: HeaderName = format!("x-amz-h{number}").parse().expect("a name");
            headers.append(name, value(dice));
        }
    }
    // It can be anywhere among the others, and there can be two.
    if let Some(host) = host {
        if dice.chance(3) {
            headers.append("host", HeaderValue::from_static("first.example"));
        }
        headers.append("host", host);
    }
    headers
}

pub fn value(dice: &mut Dice) -> HeaderValue {
    const ODD: &[&[u8]] = &[
        b"",
        b" ",
        b"   ",
        b"\t",
        b" \t ",
        b" a",
        b"a ",
        b"a  b",
        b"a   b  c",
        b"a\tb",
        b"\ta",
        b"a \t b",
        b" a  b ",
        b"\"a   b\"",
        b"a,b",
        b"a, b",
        b",",
        b"application/json",
        b"application/json; charset=utf-8",
        b"!~",
        b"x  ",
    ];
    const REFUSED: &[&[u8]] = &[b"\xe9", b"a\xffb", "\u{e9}".as_bytes(), b"a  \x80"];
    match dice.below(100) {
        0..40 => HeaderValue::from_bytes(dice.pick(ODD)),
        40 => HeaderValue::from_bytes(dice.pick(REFUSED)),
        41..95 => {
            let length = 1 + dice.below(40);
            HeaderValue::try_from(dice.text(LETTERS, length))
        }
        _ => {
            let length = dice.below(2000);
            HeaderValue::try_from(dice.text(b"abcde  \t,;=", length))
        }
    }
    .expect("these bytes may be in a header")
}
