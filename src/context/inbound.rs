//! The URI of a request, kept for as long as that lasts.

use bytes::Bytes;
use http::Uri;

/// A longer one weighs about as much as what it is a piece of.
const MOST: usize = 2 * 1024;

/// The same URI. It is a piece of what the server has read, of 8 KiB or more, and keeps all of that:
/// where the answer may be a stream, which lasts for minutes, this is a copy.
pub(super) fn kept(uri: Uri) -> Uri {
    if !may_last(uri.path()) || uri.path().len() > MOST {
        return uri;
    }
    let copy = Uri::from_maybe_shared(Bytes::from(uri.to_string()));
    copy.unwrap_or(uri)
}

/// Of operations that stream by their name, or by what the body says.
fn may_last(path: &str) -> bool {
    ["stream", "/completions", "/responses", "/messages"]
        .iter()
        .any(|end| path.ends_with(end))
}
