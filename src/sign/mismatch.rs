//! Why AWS computes another signature than the one it was sent.

use std::collections::HashSet;
use std::fmt;

use http::request::Parts;

use self::computed::Computed;
use self::signed::Signed;
use super::sigv4::PayloadHash;
use crate::route::Excerpt;

mod computed;
mod signed;

/// Says in one line where the signature of a request and AWS's own computation of it part.
///
/// `head` is the request as it was sent, with its `Authorization` and `x-amz-date`; `payload` is
/// of the body that was sent; `aws` is the message of AWS's 403 (`InvalidSignatureException`), or
/// its JSON body as it came, or a log line with either. From `head` follows what was signed if
/// nothing was changed in between: the canonical request over the headers that `Authorization`
/// names. The first line in which that differs from what AWS says of its side is named and
/// quoted, shortened around the difference. Where every line agrees, the key is the wrong one.
///
/// A session token and other secrets are not quoted, and no text makes this panic. Not every
/// service shows its computation; without it there is nothing to compare, and that is said.
///
/// The text of AWS: [Troubleshoot Signature Version 4 signing][1].
///
/// ```
/// use tower_bedrock::sign::{PayloadHash, explain_mismatch};
///
/// # fn main() -> Result<(), http::Error> {
/// let (head, ()) = http::Request::post("https://bedrock.test/model/a:0/converse")
///     .header("host", "bedrock.test")
///     .header("x-amz-date", "20260102T030405Z")
///     .header(
///         "authorization",
///         "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/bedrock/aws4_request, \
///          SignedHeaders=host;x-amz-date, Signature=00ff",
///     )
///     .body(())?
///     .into_parts();
/// let aws = r#"{"message":"The request signature we calculated does not match […]
///     The Canonical String for this request should have been\n'POST\n/model/a%253A0/converse\n\nhost:bedrock.test\nx-amz-date:20260102T030405Z\n\nhost;x-amz-date\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'\n\n[…]"}"#;
/// assert_eq!(
///     explain_mismatch(&head, &PayloadHash::of(b""), aws),
///     r#"canonical request, line 2 (path): signed "/model/a%3A0/converse", AWS computed "/model/a%253A0/converse""#
/// );
/// # Ok(()) }
/// ```
///
/// [1]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
pub fn explain_mismatch(head: &Parts, payload: &PayloadHash, aws: &str) -> String {
    let Some(signed) = Signed::of(head, payload) else {
        return "the request carries no Authorization of AWS4-HMAC-SHA256 with Credential and SignedHeaders".to_owned();
    };
    let text = computed::find(aws);
    let Some(computed) = text.as_deref().and_then(Computed::parse) else {
        return "AWS's text holds no canonical request to compare with".to_owned();
    };
    in_request(&signed, &computed)
        .or_else(|| in_string_to_sign(&signed, &computed))
        .unwrap_or_else(|| {
            "all lines agree: the secret access key is not that of this access key id, or not of this session".to_owned()
        })
}

/// The first line of the canonical request that differs.
fn in_request(signed: &Signed<'_>, computed: &Computed<'_>) -> Option<String> {
    let line = |number, name, ours, theirs| {
        let place = Place("canonical request", number, name);
        place.compare(signed, Some(ours), theirs)
    };
    let tail = 4 + computed.headers.len() + 1;
    line(1, Name::Of("method"), signed.method, computed.method)
        .or_else(|| line(2, Name::Of("path"), &signed.path, computed.path))
        .or_else(|| line(3, Name::Of("query"), &signed.query, computed.query))
        .or_else(|| in_headers(signed, computed))
        .or_else(|| {
            let (ours, theirs) = (signed.names, computed.names);
            line(tail, Name::Of("signed headers"), ours, theirs)
        })
        .or_else(|| {
            let (ours, theirs) = (&signed.payload, computed.payload);
            line(tail + 1, Name::Of("payload hash"), ours, theirs)
        })
}

fn in_headers(signed: &Signed<'_>, computed: &Computed<'_>) -> Option<String> {
    const WHAT: &str = "canonical request";
    let theirs = computed.by_name();
    for (at, (name, value)) in signed.headers.iter().enumerate() {
        let place = Place(WHAT, 4 + at, Name::Header(name));
        let Some(value) = value else {
            let place = place.shown(signed);
            return Some(format!(
                "{place}: SignedHeaders names it, but the request was sent without it"
            ));
        };
        let difference = place.compare(signed, Some(value), theirs.get(name).copied());
        if difference.is_some() {
            return difference;
        }
    }
    let ours: HashSet<&str> = signed.headers.iter().map(|(name, _)| *name).collect();
    let mut headers = computed.headers.iter().enumerate();
    let (at, (name, value)) = headers.find(|(_, (name, _))| !ours.contains(name))?;
    Place(WHAT, 4 + at, Name::Header(name)).compare(signed, None, Some(value))
}

/// The first line of the string to sign that differs, if AWS shows its own.
fn in_string_to_sign(signed: &Signed<'_>, computed: &Computed<'_>) -> Option<String> {
    let mut theirs = computed.to_sign?.lines();
    let hash = signed.hash();
    let ours = [
        ("algorithm", Some(signed::ALGORITHM)),
        ("date", signed.date.as_deref()),
        ("scope", Some(signed.scope)),
        ("hash of the canonical request", Some(&*hash)),
    ];
    ours.into_iter().enumerate().find_map(|(at, (name, ours))| {
        Place("string to sign", 1 + at, Name::Of(name)).compare(signed, ours, theirs.next())
    })
}

/// A line: in which text, its number there, and what it is.
struct Place<'a>(&'static str, usize, Name<'a>);

#[derive(Clone, Copy)]
enum Name<'a> {
    Of(&'static str),
    Header(&'a str),
}

impl Place<'_> {
    /// What to say if the two differ.
    fn compare(
        &self,
        signed: &Signed<'_>,
        ours: Option<&str>,
        theirs: Option<&str>,
    ) -> Option<String> {
        if ours == theirs {
            return None;
        }
        let secret = |value: Option<&str>| value.is_some_and(|value| signed.is_secret(value));
        let hide = matches!(self.2, Name::Header(name) if signed.is_secret_header(name))
            || secret(ours)
            || secret(theirs);
        let place = self.shown(signed);
        let there = |value: Option<&str>| value.is_some_and(|value| !value.is_empty());
        if hide && there(ours) && there(theirs) {
            return Some(format!("{place}: differs"));
        }
        let start = start_of_difference(ours, theirs);
        let [ours, theirs] = [ours, theirs].map(|value| Value { value, start, hide });
        Some(format!("{place}: signed {ours}, AWS computed {theirs}"))
    }

    fn shown(&self, signed: &Signed<'_>) -> String {
        let Self(what, number, name) = self;
        match name {
            Name::Of(name) => format!("{what}, line {number} ({name})"),
            // A text that is cut up wrongly could have a value stand here.
            Name::Header(name) if signed.is_secret(name) => {
                format!("{what}, line {number} (header)")
            }
            Name::Header(name) => {
                format!("{what}, line {number} (header {})", Excerpt(name))
            }
        }
    }
}

/// One side of a difference.
struct Value<'a> {
    value: Option<&'a str>,
    /// Characters that both sides have in common and that are left out.
    start: usize,
    hide: bool,
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(value) = self.value else {
            return f.write_str("nothing");
        };
        if self.hide && !value.is_empty() {
            return f.write_str("(not shown)");
        }
        let skipped = value.char_indices().nth(self.start);
        let rest = skipped.map_or("", |(at, _)| &value[at..]);
        let dots = if self.start > 0 { "…" } else { "" };
        write!(f, "\"{dots}{}\"", Excerpt(rest))
    }
}

/// Where to begin so that an excerpt shows the first difference.
fn start_of_difference(ours: Option<&str>, theirs: Option<&str>) -> usize {
    /// As many as an excerpt shows, and a payload hash has.
    const SHOWN: usize = 64;
    const BEFORE: usize = 16;
    let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
    if [ours, theirs]
        .iter()
        .all(|text| text.chars().nth(SHOWN).is_none())
    {
        return 0;
    }
    let same = ours.chars().zip(theirs.chars()).take_while(|(a, b)| a == b);
    same.count().saturating_sub(BEFORE)
}

/// As text, whatever the bytes are.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
