//! Which headers are forwarded.

use http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING, USER_AGENT,
};
use http::request::Parts;

use crate::context::Context;
use crate::headers::{Present, remove};
use crate::route::Operation;

/// A request that none of our layers has seen and in which nothing asks for a decision: it names no
/// credentials and no key, it has no header of an earlier signature and none about how its body
/// comes. Most requests of a program that signs its own are such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plain {
    /// It has a `content-length`.
    pub(super) states_length: bool,
}

/// Looks a request over, once.
pub(super) fn plain(head: &Parts) -> Option<Plain> {
    let path = head.uri.path();
    if !path.starts_with("/model/")
        || Operation::is_bidirectional(path)
        || head.uri.query().is_some()
        || head.uri.authority().is_none()
        || !head.extensions.is_empty() && Context::get(&head.extensions).is_some()
    {
        return None;
    }
    let mut plain = Plain {
        states_length: false,
    };
    for (name, value) in &head.headers {
        // Without their names in text, most are known by one comparison.
        if *name == HOST || *name == ACCEPT || *name == USER_AGENT {
            continue;
        }
        if *name == CONTENT_TYPE {
            // A caller who speaks gRPC is refused in it.
            if value.as_bytes().starts_with(b"application/grpc") {
                return None;
            }
        } else if *name == CONTENT_LENGTH {
            plain.states_length = true;
        } else if is_telling(name) {
            return None;
        }
    }
    Some(plain)
}

/// Whether a header asks for a decision.
fn is_telling(name: &HeaderName) -> bool {
    // Of those that stop at a gateway, some speak of the body, and the others are there for layers
    // that should have seen the request before.
    let asks = Present::AUTHORIZATION | Present::CONTENT_ENCODING | Present::STALE | Present::STOPS;
    Present::named(name.as_str()).has(asks)
}

/// Takes off a request of the program's own what a new signature replaces. `present` are the
/// headers of this head.
pub(super) fn remove_stale(headers: &mut HeaderMap, present: Present) {
    if present.has(Present::STALE) {
        remove(headers, |name| {
            Present::named(name.as_str()).has(Present::STALE)
        });
    }
}

/// States the length of a body that is held whole, where it is not stated as it should be. Where
/// it is not stated at all the client does it, from the body's exact size; but not if that is 0.
pub(super) fn state_length(headers: &mut HeaderMap, length: u64) {
    let was_chunked = headers.remove(TRANSFER_ENCODING).is_some();
    let mut stated = headers.get_all(CONTENT_LENGTH).iter();
    match (stated.next(), stated.next()) {
        (None, _) if length == 0 => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        (None, _) if !was_chunked => {}
        (Some(value), None) if says(value, length) => {}
        _ => {
            headers.insert(CONTENT_LENGTH, length.into());
        }
    }
}

fn says(value: &HeaderValue, length: u64) -> bool {
    let text = value.to_str().ok();
    text.and_then(|text| text.parse().ok()) == Some(length)
}
