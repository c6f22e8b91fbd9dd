//! Messages of an event stream, each signed after the one before: from the payload to the bytes
//! that are sent.

use aws_credential_types::Credentials;
use aws_sigv4::event_stream::sign_message;
use aws_sigv4::sign::v4;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use tower_bedrock::eventstream::{self, HeaderValue as Value};
use tower_bedrock::sign::{EventStreamSigner, PayloadHash, Signer, SigningParams};

use crate::request::{self, ACCESS_KEY_ID, REGION, SECRET, SERVICE};
use crate::signer;
use crate::variant::Variant;

/// As a client of `InvokeModelWithBidirectionalStream` sends them.
const HEADERS: [(&str, &str); 3] = [
    (":event-type", "chunk"),
    (":content-type", "application/json"),
    (":message-type", "event"),
];

/// Length of a message's payload.
pub(crate) const COLUMN: &str = "1 KiB";

/// `aws-sigv4` and ours.
pub(crate) fn variants(rows: [&'static str; 2]) -> [Variant; 2] {
    let payload = request::body(1024);
    let (mut a, mut b) = (reference(), ours());
    for _ in 0..2 {
        assert_eq!(a(&payload), b(&payload), "the same bytes are sent");
    }
    [
        variant(rows[0], reference(), &payload),
        variant(rows[1], ours(), &payload).against(rows[0]),
    ]
}

fn variant<R: 'static>(
    row: &'static str,
    mut sign: impl FnMut(&Bytes) -> R + 'static,
    payload: &Bytes,
) -> Variant {
    let payload = payload.clone();
    // What is sent is kept, so that it is dropped when the clock has stopped.
    let run = move |sent: &mut Option<R>| *sent = Some(sign(&payload));
    Variant::new(COLUMN, row, || None, run)
}

fn reference() -> impl FnMut(&Bytes) -> Vec<u8> {
    let identity = Credentials::new(ACCESS_KEY_ID, SECRET, None, None, "bench").into();
    let mut last = request::signature(&signed_head().headers).to_owned();
    move |payload| {
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(SERVICE)
            .time(request::now())
            .settings(())
            .build()
            .expect("all that is needed");
        let mut message = Message::new(payload.clone());
        for (name, value) in HEADERS {
            message = message.add_header(Header::new(name, HeaderValue::String(value.into())));
        }
        let signed = sign_message(&message, &last, &params).expect("signed");
        let (signed, signature) = signed.into_parts();
        last = signature;
        let mut sent = Vec::new();
        write_message_to(&signed, &mut sent).expect("short enough");
        sent
    }
}

fn ours() -> impl FnMut(&Bytes) -> Bytes {
    let credentials = signer::credentials(None);
    let params = SigningParams::new(&credentials, REGION, request::now());
    let head = signed_head();
    let mut stream =
        EventStreamSigner::new(&Signer::new(), &head.headers, &params).expect("a signed head");
    move |payload| {
        let headers = HEADERS.map(|(name, value)| (name, Value::String(value)));
        let message = eventstream::encode(&headers, payload).expect("short enough");
        stream.sign(&message, request::now()).expect("signed")
    }
}

/// The first message is signed after the request.
fn signed_head() -> http::request::Parts {
    let credentials = signer::credentials(None);
    let params = SigningParams::new(&credentials, REGION, request::now());
    let mut head = request::same()();
    signer::sign(&Signer::new(), &mut head, &PayloadHash::of(b""), &params);
    head
}
