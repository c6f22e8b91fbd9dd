//! What speaks about one connection only (RFC 9110 §7.6.1), in a request that goes on over another.

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING};

use super::Present;
use crate::reject::{Rejection, RejectionKind};
use crate::route::Excerpt;

/// Refuses a head that says of its connection what cannot be, or what would change the request.
/// `present` are the headers of this head.
pub(crate) fn check_hop(headers: &HeaderMap, present: Present) -> Result<(), Rejection> {
    if present.has(Present::CONNECTION) {
        check_connection(headers)?;
    }
    if present.has(Present::TRANSFER_ENCODING) {
        check_framing(headers)?;
    }
    Ok(())
}

/// The names listed in `Connection`.
pub(crate) fn named_in_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// Refuses a `Connection` header that would take away what makes the request what it is.
fn check_connection(headers: &HeaderMap) -> Result<(), Rejection> {
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
                Excerpt(&name.to_ascii_lowercase())
            ),
        )),
    }
}

/// Refuses a body whose end two readers could see in different places, or that is still encoded
/// for the way to here (RFC 9112 §6.1).
fn check_framing(headers: &HeaderMap) -> Result<(), Rejection> {
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

/// Removes what is named in `Connection`.
pub(crate) fn remove_named_in_connection(headers: &mut HeaderMap) {
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
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        pairs.collect()
    }

    fn check(pairs: &[(&'static str, &str)]) -> Result<(), Rejection> {
        let headers = headers(pairs);
        check_hop(&headers, Present::in_head(&headers))
    }

    #[test]
    fn what_a_client_must_not_take_away() {
        assert!(check(&[("connection", "close, x-foo")]).is_ok());
        let long = format!("x-amz-{}", "a".repeat(9000));
        for value in [
            "X-Amz-Security-Token",
            "close, host",
            "cf-aig-metadata",
            &long,
        ] {
            let error = check(&[("connection", value)]).unwrap_err();
            assert!(error.text().len() < 250, "{}", error.text());
        }
    }

    #[test]
    fn where_a_body_ends() {
        assert!(check(&[("transfer-encoding", "Chunked")]).is_ok());
        let both = [("transfer-encoding", "chunked"), ("content-length", "1")];
        assert_eq!(check(&both).unwrap_err().status(), 400);
        let coded = [("transfer-encoding", "gzip, chunked")];
        assert_eq!(check(&coded).unwrap_err().status(), 415);
    }

    #[test]
    fn what_is_named_goes() {
        let mut map = headers(&[
            ("connection", "close, X-Mine,"),
            ("x-mine", "1"),
            ("x-b", "1"),
        ]);
        remove_named_in_connection(&mut map);
        let names: Vec<&str> = map.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["connection", "x-b"]);
    }
}
