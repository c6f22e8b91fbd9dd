//! Which headers stop here.

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING};

use crate::headers::{Present, remove};
use crate::reject::{Rejection, RejectionKind};

/// Removes what never travels upstream. `present` are the headers of this head.
pub(super) fn strip_request(headers: &mut HeaderMap, present: Present) {
    if present.has(Present::CONNECTION) {
        remove_named_in_connection(headers);
    }
    if present.has(Present::STOPS) {
        remove_all(headers, Present::STOPS);
    }
}

/// Removes what speaks about the upstream connection only.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    let present = Present::in_head(headers);
    if !present.has(Present::HOP) {
        return;
    }
    // A length beside it is not that of the body (RFC 9112 §6.3).
    if present.has(Present::TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    remove_named_in_connection(headers);
    remove_all(headers, Present::HOP);
}

fn remove_all(headers: &mut HeaderMap, doomed: Present) {
    remove(headers, |name| Present::named(name.as_str()).has(doomed));
}

/// The names listed in `Connection`.
pub(super) fn named_in_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// Refuses a `Connection` header that would take away what makes the request what it is.
pub(super) fn check_connection(headers: &HeaderMap) -> Result<(), Rejection> {
    const NEEDED: [&str; 4] = ["authorization", "content-length", "content-type", "host"];
    const NEEDED_PREFIXES: [&str; 2] = ["x-amz", "cf-aig-"];
    let is_needed = |name: &&str| {
        NEEDED
            .iter()
            .any(|needed| name.eq_ignore_ascii_case(needed))
            || NEEDED_PREFIXES.iter().any(|prefix| {
                let start = name.get(..prefix.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            })
    };
    match named_in_connection(headers).find(is_needed) {
        None => Ok(()),
        Some(name) => Err(Rejection::new(
            RejectionKind::ClientCredentials,
            format!(
                "the header connection names {}, without which the request cannot be served: remove it there",
                name.to_ascii_lowercase()
            ),
        )),
    }
}

/// Refuses a body whose end two readers could see in different places, or that is still encoded
/// for the way to here (RFC 9112 §6.1).
pub(super) fn check_framing(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter().peekable();
    if codings.peek().is_some() && headers.contains_key(CONTENT_LENGTH) {
        return Err(Rejection::new(
            RejectionKind::InvalidBody,
            "the request has both content-length and transfer-encoding: send one of them",
        ));
    }
    if codings.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(Rejection::new(
            RejectionKind::UnsupportedEncoding,
            "the header transfer-encoding is not supported but for chunked",
        ));
    }
    Ok(())
}

/// Refuses a client's signature over a header that is about to be removed.
pub(super) fn check_signed(headers: &HeaderMap, signed: &str) -> Result<(), Rejection> {
    for name in signed.split(';') {
        let lost = Present::named(name).has(Present::STOPS)
            || named_in_connection(headers).any(|listed| listed.eq_ignore_ascii_case(name));
        if lost {
            return Err(Rejection::new(
                RejectionKind::ClientCredentials,
                format!(
                    "the signature covers the header {}, which does not travel upstream: add it after signing, or set client_credentials = \"ignore\" on the gateway",
                    name.escape_debug()
                ),
            ));
        }
    }
    Ok(())
}

fn remove_named_in_connection(headers: &mut HeaderMap) {
    // Mostly it is `close` or `keep-alive`, of which nothing else is there.
    if !named_in_connection(headers).any(|name| headers.contains_key(name)) {
        return;
    }
    let named: Vec<HeaderName> = named_in_connection(headers)
        .filter_map(|name| name.parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Present, check_connection, check_signed, strip_request, strip_response};

    fn headers(names: &[&'static str]) -> HeaderMap {
        let pairs = names.iter().map(|name| match name.split_once('=') {
            Some((name, value)) => (name.parse().unwrap(), value.parse().unwrap()),
            None => (name.parse().unwrap(), "1".parse().unwrap()),
        });
        pairs.collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(|name| name.as_str()).collect()
    }

    #[test]
    fn what_stops_here() {
        let mut request = headers(&[
            "content-type",
            "cf-aig-byok-alias",
            "cf-ray",
            "cookie",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-proto",
            "via",
            "x-real-ip",
            "x-api-key",
            "proxy-authorization",
            "expect",
            "connection=close, X-Mine",
            "x-mine",
            "keep-alive",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "x-amz-cf-id",
            "user-agent",
        ]);
        let present = Present::in_head(&request);
        strip_request(&mut request, present);
        assert_eq!(
            names(&request),
            ["content-type", "x-amz-cf-id", "user-agent"]
        );

        let mut response = headers(&[
            "content-type",
            "connection=x-hop",
            "x-hop",
            "keep-alive",
            "transfer-encoding=chunked",
            "content-length=5",
            "via",
        ]);
        strip_response(&mut response);
        assert_eq!(names(&response), ["content-type", "via"]);
    }

    #[test]
    fn what_a_client_must_not_sign_or_take_away() {
        let map = headers(&["connection=close, x-foo", "x-foo"]);
        assert!(check_signed(&map, "content-type;host;x-amz-date").is_ok());
        for name in [
            "cf-aig-authorization",
            "cookie",
            "x-forwarded-for",
            "x-foo",
            "expect",
        ] {
            let error = check_signed(&map, &format!("content-type;{name};host")).unwrap_err();
            assert!(error.text().contains(name) && error.text().contains("after signing"));
        }
        assert!(check_connection(&map).is_ok());
        for value in ["connection=X-Amz-Security-Token", "connection=close, host"] {
            assert!(check_connection(&headers(&[value])).is_err(), "{value}");
        }
    }
}
