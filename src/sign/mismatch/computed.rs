//! AWS's side: what its message says that it computed.

use std::borrow::Cow;
use std::collections::HashMap;

const REQUEST: &str = "The Canonical String for this request should have been";
const TO_SIGN: &str = "The String-to-Sign should have been";

/// What follows the announcement of the canonical request; as it was before it was made part of
/// a JSON string, if it is.
pub(super) fn find(text: &str) -> Option<Cow<'_, str>> {
    let (_, rest) = text.split_once(REQUEST)?;
    // In the message itself a line break follows.
    if rest.starts_with('\\') {
        return Some(Cow::Owned(unescaped(rest)));
    }
    Some(Cow::Borrowed(rest))
}

/// The rest of a JSON string (RFC 8259 §7).
fn unescaped(rest: &str) -> String {
    let mut escaped = false;
    let end = rest.find(|c| {
        let is_end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        is_end
    });
    let rest = &rest[..end.unwrap_or(rest.len())];
    serde_json::from_str(&format!("\"{rest}\"")).unwrap_or_else(|_| rest.replace("\\n", "\n"))
}

/// The canonical request and the string to sign, by their lines. A line that is not there is
/// `None`.
#[derive(Debug, Default)]
pub(super) struct Computed<'a> {
    pub(super) method: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) query: Option<&'a str>,
    /// Names and values, in their order.
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) names: Option<&'a str>,
    pub(super) payload: Option<&'a str>,
    pub(super) to_sign: Option<&'a str>,
}

impl<'a> Computed<'a> {
    /// From what was [found](find): two texts between single quotes, which their values may hold
    /// too.
    pub(super) fn parse(message: &'a str) -> Option<Self> {
        let (request, to_sign) = match message.split_once(TO_SIGN) {
            Some((before, after)) => (before, Some(after)),
            None => (message, None),
        };
        let mut lines = quoted(request)?.lines();
        let [method, path, query] = [lines.next(), lines.next(), lines.next()];
        let headers = lines.by_ref().take_while(|line| !line.is_empty());
        Some(Self {
            method,
            path,
            query,
            headers: headers.map(header).collect(),
            names: lines.next(),
            payload: lines.next(),
            to_sign: to_sign.and_then(quoted),
        })
    }

    pub(super) fn by_name(&self) -> HashMap<&'a str, &'a str> {
        self.headers.iter().copied().collect()
    }
}

/// Up to the last quote, or to where the text was cut off.
fn quoted(text: &str) -> Option<&str> {
    let text = text.trim_start().strip_prefix('\'')?;
    Some(text.rsplit_once('\'').map_or(text, |(text, _)| text))
}

fn header(line: &str) -> (&str, &str) {
    // The name may be `:authority`.
    let colon = line.char_indices().find(|(at, c)| *at > 0 && *c == ':');
    colon.map_or((line, ""), |(at, _)| (&line[..at], &line[at + 1..]))
}
