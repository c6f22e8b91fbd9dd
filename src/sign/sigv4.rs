//! The signature: a pure function of the request's head, the body's hash, the credentials, the
//! scope and the time.

use std::time::SystemTime;

use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

use super::headers::SignedHeaders;
use super::scope::Scope;
use crate::body::BoxError;

/// SHA-256 of the request body.
pub(super) type PayloadHash = [u8; 32];

/// A key pair, for the time of one signature.
#[derive(Clone, Copy)]
pub(super) struct KeyPair<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a str,
    pub(super) session_token: Option<&'a str>,
}

/// The headers that a signature adds, `authorization` among them.
pub(super) struct Signature(Vec<(HeaderName, HeaderValue)>);

impl Signature {
    /// Adds them, in place of any of the same names.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        for (name, value) in self.0 {
            headers.insert(name, value);
        }
    }
}

/// Signs `head`, whose URI is absolute and whose `Host` is set.
pub(super) fn sign(
    head: &Parts,
    payload: &PayloadHash,
    keys: KeyPair<'_>,
    scope: &Scope<'_>,
    now: SystemTime,
    signed: &SignedHeaders,
) -> Result<Signature, BoxError> {
    let mut headers = Vec::with_capacity(8);
    for (name, value) in head.headers.iter().filter(|(name, _)| signed.covers(name)) {
        let value = value.to_str().map_err(|_| {
            format!("the header {name} holds characters that are not visible ASCII")
        })?;
        headers.push((name.as_str(), value));
    }
    let identity = aws_credential_types::Credentials::new(
        keys.access_key_id,
        keys.secret_access_key,
        keys.session_token.map(str::to_owned),
        None,
        "tower-bedrock",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&scope.region)
        .name(&scope.service)
        .time(now)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let uri = head.uri.to_string();
    let request = SignableRequest::new(
        head.method.as_str(),
        uri,
        headers.into_iter(),
        SignableBody::Precomputed(hex(payload)),
    )?;
    let (instructions, _) = http_request::sign(request, &params)?.into_parts();
    let (added, _) = instructions.into_parts();
    added
        .into_iter()
        .map(|header| {
            let name = HeaderName::from_static(header.name());
            let mut value = HeaderValue::from_str(header.value())?;
            value.set_sensitive(header.name() != "x-amz-date");
            Ok((name, value))
        })
        .collect::<Result<_, BoxError>>()
        .map(Signature)
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
            }
            text
        })
}
