//! Messages of an event stream, signed one after another, against `aws_sigv4::event_stream`.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::event_stream::{sign_empty_message, sign_message};
use aws_sigv4::sign::v4;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use http::{HeaderMap, HeaderValue as Value};
use tower_bedrock::credentials::Credentials;
use tower_bedrock::sign::{EventStreamSigner, PayloadHash, Signer, SigningParams};

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SEED: &str = "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 999)
}

fn signed_with(signature: &str) -> HeaderMap {
    let text = format!("AWS4-HMAC-SHA256 Credential=…, SignedHeaders=host, Signature={signature}");
    let mut headers = HeaderMap::new();
    headers.insert("authorization", Value::from_bytes(text.as_bytes()).unwrap());
    headers
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_message_to(message, &mut bytes).unwrap();
    bytes
}

/// A stream that lasts over midnight and the end of the year, its clock going back now and then.
#[test]
fn messages_are_signed_alike() {
    let signer = Signer::new();
    let identity = AwsCredentials::new(ID, SECRET, None, None, "test").into();
    let credentials = Credentials::new(ID, SECRET).unwrap();
    for (region, service) in [("us-east-1", "bedrock"), ("eu-central-1", "x")] {
        let start = 1_767_225_590; // 2025-12-31T23:59:50Z
        let params = SigningParams::new(&credentials, region, at(start)).with_service(service);
        let mut ours = EventStreamSigner::new(&signer, &signed_with(SEED), &params).unwrap();
        let mut last = SEED.to_owned();
        for n in 0..400_usize {
            let time = at(start + (n as u64 * 7) % 31);
            let payload: Vec<u8> = (0..n * 13 % 1500).map(|i| (i * n) as u8).collect();
            let header = Header::new(":event-type", HeaderValue::String("chunk".into()));
            let message = Message::new(payload).add_header(header);
            let params = v4::SigningParams::builder()
                .identity(&identity)
                .region(region)
                .name(service)
                .time(time)
                .settings(())
                .build()
                .unwrap();
            let is_empty = n % 50 == 49;
            let (wanted, signature) = if is_empty {
                sign_empty_message(&last, &params).unwrap().into_parts()
            } else {
                sign_message(&message, &last, &params).unwrap().into_parts()
            };
            last = signature;
            let inner = if is_empty {
                Vec::new()
            } else {
                encoded(&message)
            };
            assert_eq!(ours.sign(&inner, time).unwrap(), encoded(&wanted), "{n}");
        }
    }
}

#[test]
fn what_cannot_be_signed() {
    let signer = Signer::new();
    let pair = Credentials::new(ID, SECRET).unwrap();
    let params = SigningParams::new(&pair, "us-east-1", at(0));
    for headers in [
        HeaderMap::new(),
        signed_with(""),
        signed_with(&SEED[1..]),
        signed_with(&format!("{SEED}0")),
    ] {
        assert!(EventStreamSigner::new(&signer, &headers, &params).is_err());
    }

    let key = Credentials::api_key("key").unwrap();
    let params_of_key = SigningParams::new(&key, "us-east-1", at(0));
    let seed = signed_with(SEED);
    let mut stream = EventStreamSigner::new(&signer, &seed, &params_of_key).unwrap();
    assert!(stream.sign(b"", at(0)).is_err());

    // A message that is refused is as if it had never been.
    let mut stream = EventStreamSigner::new(&signer, &seed, &params).unwrap();
    let mut other = EventStreamSigner::new(&signer, &seed, &params).unwrap();
    assert!(stream.sign(&vec![0; 24 * 1024 * 1024 + 1], at(0)).is_err());
    assert!(stream.sign(b"m", at(253_402_300_800)).is_err());
    assert_eq!(
        stream.sign(b"m", at(0)).unwrap(),
        other.sign(b"m", at(0)).unwrap()
    );
}

/// The request's own signature is the first link.
#[test]
fn begins_with_the_signature_of_the_request() {
    let signer = Signer::new();
    let pair = Credentials::new(ID, SECRET).unwrap();
    let params = SigningParams::new(&pair, "us-east-1", at(1_767_225_590));
    let url =
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/invoke-with-bidirectional-stream";
    let (mut head, ()) = http::Request::post(url).body(()).unwrap().into_parts();
    let none = PayloadHash::of(b"");
    let headers = &mut head.headers;
    signer
        .sign(&head.method, &head.uri, headers, &none, &params)
        .unwrap();
    let authorization = headers["authorization"].to_str().unwrap();
    let seed = authorization.rsplit_once('=').unwrap().1.to_owned();
    let mut stream = EventStreamSigner::new(&signer, headers, &params).unwrap();
    let mut same = EventStreamSigner::new(&signer, &signed_with(&seed), &params).unwrap();
    assert_eq!(
        stream.sign(b"m", at(1)).unwrap(),
        same.sign(b"m", at(1)).unwrap()
    );
}

/// The head of a stream says what its body is, and is signed over that.
#[test]
fn the_head_of_a_stream() {
    let signer = Signer::new();
    let pair = Credentials::new(ID, SECRET).unwrap();
    let key = Credentials::api_key("key").unwrap();
    let uri = "https://h.test/model/m/invoke-with-bidirectional-stream";
    let uri = uri.parse::<http::Uri>().unwrap();
    let sign = |credentials, uri: &http::Uri, time| {
        let mut headers = HeaderMap::new();
        let params = SigningParams::new(credentials, "us-east-1", at(time));
        let begun = signer.sign_event_stream(&http::Method::POST, uri, &mut headers, &params);
        begun.map(|stream| (stream, headers))
    };
    let (mut stream, headers) = sign(&pair, &uri, 1_767_225_590).unwrap();
    assert_eq!(
        headers["x-amz-content-sha256"],
        "STREAMING-AWS4-HMAC-SHA256-EVENTS"
    );
    assert_eq!(headers["host"], "h.test");
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(authorization.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date,"));
    let params = SigningParams::new(&pair, "us-east-1", at(0));
    let mut same = EventStreamSigner::new(&signer, &headers, &params).unwrap();
    assert_eq!(
        stream.sign(b"m", at(1)).unwrap(),
        same.sign(b"m", at(1)).unwrap()
    );

    assert!(sign(&key, &uri, 0).unwrap_err().is_request());
    assert!(!sign(&pair, &uri, 1 << 40).unwrap_err().is_request());
    assert!(sign(&pair, &"h.test".parse().unwrap(), 0).is_err());
    assert!(sign(&pair, &"/model/m".parse().unwrap(), 0).is_err());
}
