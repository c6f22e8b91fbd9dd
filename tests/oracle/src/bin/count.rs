//! Signs so many requests and does nothing else: for tools that count instructions.
//!
//! `count sign|token|nothing REQUESTS`: without a session token, with one, or not at all.

use std::env;
use std::hint::black_box;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use tower_bedrock::credentials::Credentials;
use tower_bedrock::sign::{PayloadHash, Signer, SigningParams};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const HEADERS: [(&str, &str); 3] = [
    ("host", "bedrock-runtime.us-east-1.amazonaws.com"),
    ("content-type", "application/json"),
    ("accept", "application/json"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [what, requests] = &arguments[..] else {
        return Err("usage: count sign|token|nothing REQUESTS".into());
    };
    let credentials = match &what[..] {
        "token" => Credentials::with_session_token(ID, SECRET, &"T".repeat(960))?,
        _ => Credentials::new(ID, SECRET)?,
    };
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_322_845);
    let params = SigningParams::new(&credentials, "us-east-1", time);
    let signer = Signer::new();
    let body = Bytes::from(vec![b'x'; 256]);
    for _ in 0..requests.parse()? {
        let mut head = black_box(head());
        if what != "nothing" {
            let payload = PayloadHash::of(&body);
            let headers = &mut head.headers;
            signer.sign(&head.method, &head.uri, headers, &payload, &params)?;
        }
        black_box(&head);
    }
    Ok(())
}

/// With room for what is added, as a server's has.
fn head() -> Parts {
    let mut headers = HeaderMap::with_capacity(12);
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke",
    );
    *request.headers_mut() = headers;
    request.into_parts().0
}
