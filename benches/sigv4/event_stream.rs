//! Messages of an event stream, each signed after the one before.
//!
//! Only the reference is here: the crate signs requests so far. What it is to be compared with
//! becomes another [`Variant`] of the same column, next to this one in `contests::others`; for a
//! goal that moves to `contests::all`.

use aws_credential_types::Credentials;
use aws_sigv4::event_stream::sign_message;
use aws_sigv4::sign::v4;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};

use crate::request::{self, ACCESS_KEY_ID, REGION, SECRET, SERVICE};
use crate::variant::Variant;

/// Length of a message's payload.
pub(crate) const COLUMN: &str = "1 KiB";

/// `aws_sigv4::event_stream::sign_message`. The result is a message; encoding it is not timed.
pub(crate) fn reference(row: &'static str) -> Variant {
    let identity = Credentials::new(ACCESS_KEY_ID, SECRET, None, None, "bench").into();
    let message = message();
    let mut last = "0".repeat(64);
    let run = move |output: &mut Option<Message>| {
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(SERVICE)
            .time(request::now())
            .settings(())
            .build()
            .expect("all that is needed");
        let signed = sign_message(&message, &last, &params).expect("signed");
        let (signed, signature) = signed.into_parts();
        last = signature;
        // Kept, so that it is dropped when the clock has stopped.
        *output = Some(signed);
    };
    Variant::new(COLUMN, row, || None, run)
}

/// As a client of `InvokeModelWithBidirectionalStream` sends them.
fn message() -> Message {
    let text = |name: &'static str, value: &'static str| {
        Header::new(name, HeaderValue::String(value.into()))
    };
    Message::new(request::body(1024))
        .add_header(text(":event-type", "chunk"))
        .add_header(text(":content-type", "application/json"))
        .add_header(text(":message-type", "event"))
}
