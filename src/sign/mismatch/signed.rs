//! Our side: what was signed if the request is sent as it was signed.

use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::text;
use crate::route::host_value;
use crate::sign::sigv4::PayloadHash;
use crate::sign::sigv4::canonical::{push_path, push_value};
use crate::sign::sigv4::query::canonical_query;

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Whose values are not shown, besides those that are marked as sensitive.
const SECRET: [&str; 6] = [
    "authorization",
    "cf-aig-authorization",
    "cookie",
    "proxy-authorization",
    "x-amz-security-token",
    "x-api-key",
];

/// The lines of the canonical request and of the string to sign.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    head: &'a Parts,
    pub(super) method: &'a str,
    pub(super) path: String,
    pub(super) query: String,
    /// Names and values, in the order of `SignedHeaders`; `None` if there is no such header.
    pub(super) headers: Vec<(&'a str, Option<String>)>,
    pub(super) names: &'a str,
    pub(super) payload: String,
    pub(super) date: Option<String>,
    pub(super) scope: &'a str,
    canonical: Vec<u8>,
}

impl<'a> Signed<'a> {
    /// `None` if the request carries no signature in `Authorization`.
    pub(super) fn of(head: &'a Parts, payload: &PayloadHash) -> Option<Self> {
        let authorization = head.headers.get(AUTHORIZATION)?.to_str().ok()?;
        let fields = authorization.strip_prefix(ALGORITHM)?;
        let field = |name: &str| {
            fields
                .split(',')
                .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let (_, scope) = field("Credential")?.split_once('/')?;
        let names = field("SignedHeaders")?;

        let mut path = Vec::new();
        push_path(head.uri.path(), &mut path);
        let query = text(canonical_query(head.uri.query().unwrap_or_default()));
        let headers: Vec<_> = names
            .split(';')
            .map(|name| (name, canonical_header(head, name)))
            .collect();
        let payload = payload.to_string();

        let mut canonical = Vec::new();
        for line in [head.method.as_str().as_bytes(), &path, query.as_bytes()] {
            canonical.extend_from_slice(line);
            canonical.push(b'\n');
        }
        for (name, value) in &headers {
            canonical.extend_from_slice(name.as_bytes());
            canonical.push(b':');
            canonical.extend_from_slice(value.as_deref().unwrap_or_default());
            canonical.push(b'\n');
        }
        canonical.extend_from_slice(format!("\n{names}\n{payload}").as_bytes());

        let headers = headers.into_iter();
        let date = canonical_header(head, "x-amz-date").or_else(|| canonical_header(head, "date"));
        Some(Self {
            head,
            method: head.method.as_str(),
            path: text(path),
            query,
            headers: headers.map(|(name, v)| (name, v.map(text))).collect(),
            names,
            payload,
            date: date.map(text),
            scope,
            canonical,
        })
    }

    /// The last line of the string to sign.
    pub(super) fn hash(&self) -> String {
        PayloadHash::of(&self.canonical).to_string()
    }

    /// Whether the values of this header are not to be shown.
    pub(super) fn is_secret_header(&self, name: &str) -> bool {
        let values = self.head.headers.get_all(name);
        SECRET
            .iter()
            .any(|secret| name.eq_ignore_ascii_case(secret))
            || values.iter().any(HeaderValue::is_sensitive) && name != "x-amz-date"
    }

    /// Whether a line holds a secret where none belongs: in the query, or because the text of AWS
    /// has lost its line breaks.
    pub(super) fn is_secret(&self, line: &str) -> bool {
        /// A shorter one could be part of anything.
        const SHORTEST: usize = 8;
        let lower = line.to_ascii_lowercase();
        let named = |name: &str| {
            let mut after = lower.match_indices(name).map(|(at, _)| at + name.len());
            after.any(|at| lower[at..].starts_with(['=', ':']))
        };
        let holds = |value: &HeaderValue| {
            let value = value.to_str().unwrap_or_default().trim();
            value.len() >= SHORTEST && line.contains(value)
        };
        let mut headers = self.head.headers.iter();
        SECRET.into_iter().any(named)
            || headers.any(|(name, value)| self.is_secret_header(name.as_str()) && holds(value))
    }
}

/// The canonical value of a header that may have several; of the URI, if that is all there is to
/// tell the host.
fn canonical_header(head: &Parts, name: &str) -> Option<Vec<u8>> {
    if name == ":authority" {
        return Some(head.uri.authority()?.as_str().into());
    }
    let values = head.headers.get_all(name).iter().map(|value| {
        let mut canonical = Vec::with_capacity(value.len());
        push_value(value.as_bytes(), &mut canonical);
        canonical
    });
    let values: Vec<Vec<u8>> = values.collect();
    if values.is_empty() && name == "host" {
        return Some(host_value(&head.uri)?.as_bytes().to_vec());
    }
    (!values.is_empty()).then(|| values.join(&b','))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use http::Request;

    use super::Signed;
    use crate::credentials::Credentials;
    use crate::sign::{PayloadHash, SignedHeaders, Signer, SigningParams};

    /// The rebuilt canonical request is what was signed: the signature is that of it.
    #[test]
    fn our_side_is_what_the_signer_signs() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
        let token = Credentials::with_session_token("AKIDEXAMPLE", "secret", "token").unwrap();
        let others = ["x-mine", "accept"].map(|name| name.parse().unwrap());
        let signer = Signer::new().with_signed_headers(SignedHeaders::EssentialAnd(others.into()));
        for uri in [
            "https://h/",
            "https://h",
            "https://H:443/model/a:0/converse",
            "http://h:8080/model/a%3A0/converse-stream",
            "https://h/a//b/./c/../d/",
            "https://h/a/..",
            "https://h/*!'()~-._",
            "https://h/?",
            "https://h/?b=2&a=1&a=0&c",
            "https://h/?a=%2b+%2B&=x&&=",
            "https://h/?a=b=c&%zz=%f",
            "https://h/?a=%ff%C3%A9/:~",
            "https://h/?a%00=1&A=2&a=3",
        ] {
            let (mut head, ()) = Request::post(uri)
                .header("content-type", "  application/json;   charset=utf-8 ")
                .header("x-mine", "two")
                .header("x-mine", " one  more\t x ")
                .header("accept", "")
                .header("traceparent", "1")
                .body(())
                .unwrap()
                .into_parts();
            let payload = PayloadHash::of(b"{}");
            let params = SigningParams::new(&token, "us-east-1", time);
            let (method, uri) = (&head.method, &head.uri);
            let signed = signer.sign(method, uri, &mut head.headers, &payload, &params);
            signed.unwrap();
            let authorization = head.headers["authorization"].to_str().unwrap();
            let signature = authorization.rsplit_once("Signature=").unwrap().1;

            let rebuilt = Signed::of(&head, &payload).unwrap();
            let to_sign = format!(
                "AWS4-HMAC-SHA256\n{}\n{}\n{}",
                rebuilt.date.as_deref().unwrap(),
                rebuilt.scope,
                rebuilt.hash()
            );
            let key =
                aws_sigv4::sign::v4::generate_signing_key("secret", time, "us-east-1", "bedrock");
            let again = aws_sigv4::sign::v4::calculate_signature(key, to_sign.as_bytes());
            assert_eq!(again, signature, "{uri}");
        }
    }
}
