//! All signers make the same signature, or there is nothing to compare.

use bytes::Bytes;
use http::Request;

use crate::floor::{Irreducible, RustCrypto};
use crate::{aws, request, signer};

pub(crate) fn signatures_agree() {
    let token = request::session_token();
    for token in [None, Some(&*token)] {
        for length in [0, 55, 256, 1000, 4 << 10] {
            agree(&request::body(length), token);
        }
    }
}

fn agree(body: &Bytes, token: Option<&str>) {
    let mut ours = request::same()();
    let (method, uri, headers) = (&ours.method, &ours.uri, &ours.headers);
    let mut reference = Request::new(());
    aws::signer(token)(method, uri, headers, body, request::now())
        .apply_to_request_http1x(&mut reference);
    let wanted = request::signature(reference.headers());

    signer::signer(token)(&mut ours, body, request::now());
    assert_eq!(request::signature(&ours.headers), wanted);
    let sign = Irreducible::new(body, token).sign();
    assert_eq!(String::from_utf8_lossy(&sign), wanted);
    let sign = RustCrypto::new(body, token).sign();
    assert_eq!(String::from_utf8_lossy(&sign), wanted);
}
