//! Which headers stop here.

use std::collections::HashSet;

use http::header::{CONTENT_LENGTH, HeaderMap};

use crate::headers::{Present, named_in_connection, remove, remove_named_in_connection};
use crate::reject::{Rejection, RejectionKind};
use crate::route::Excerpt;

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

/// Refuses a client's signature over a header that is about to be removed.
pub(super) fn check_signed(headers: &HeaderMap, signed: &str) -> Result<(), Rejection> {
    // Both lists can be long.
    let listed: HashSet<String> = named_in_connection(headers)
        .map(str::to_ascii_lowercase)
        .collect();
    for name in signed.split(';') {
        if Present::named(name).has(Present::STOPS) || listed.contains(name) {
            return Err(Rejection::new(
                RejectionKind::ClientCredentials,
                format!(
                    "the signature covers the header {}, which does not travel upstream: add it after signing, or set client_credentials = \"ignore\" on the gateway",
                    Excerpt(name)
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Present, check_signed, strip_request, strip_response};

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
    fn what_a_client_must_not_sign() {
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
        let long = format!("cf-{}", "\"".repeat(9000));
        assert!(check_signed(&map, &long).unwrap_err().text().len() < 450);
    }
}
