//! Requests that our own signer leaves to `aws-sigv4`: correct for all, and slow.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};

use super::SigningParams;
use super::query::canonical_query;
use super::signed_headers::SignedHeaders;
use super::unsigned::KeyPair;
use crate::body::BoxError;
use crate::route::Excerpt;

/// Longest path and query that [`Uri`] takes, in bytes.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;

/// Whether this time, which is none from 1970 to 9999, has a date that can be written: it has from
/// the year 1 on.
pub(super) fn can_write(time: SystemTime) -> bool {
    const FROM_YEAR_1: Duration = Duration::from_secs(62_135_596_800);
    let before = SystemTime::UNIX_EPOCH.duration_since(time);
    before.is_ok_and(|before| before <= FROM_YEAR_1)
}

/// Signs a request whose `Host` is set, and whose canonical request ends in `payload`.
pub(super) fn sign(
    (method, uri): (&Method, &Uri),
    headers: &mut HeaderMap,
    payload: String,
    keys: KeyPair<'_>,
    params: &SigningParams<'_>,
    signed: &SignedHeaders,
) -> Result<(), BoxError> {
    if let Some(query) = uri.query()
        && uri.path().len() + 1 + canonical_query(query).len() > LONGEST_TARGET
    {
        // `aws-sigv4` builds a URI of these, and panics.
        return Err("its query is too long once it is encoded".into());
    }
    let mut covered = Vec::with_capacity(8);
    for (name, value) in headers.iter().filter(|(name, _)| signed.covers(name)) {
        let value = value.to_str().map_err(|_| {
            let name = Excerpt(name.as_str());
            format!("the header {name} holds characters that are not visible ASCII")
        })?;
        covered.push((name.as_str(), value));
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
        .region(params.region)
        .name(params.service)
        .time(params.time)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let request = SignableRequest::new(
        method.as_str(),
        uri.to_string(),
        covered.into_iter(),
        SignableBody::Precomputed(payload),
    )?;
    let (instructions, _) = http_request::sign(request, &params)?.into_parts();
    let (added, _) = instructions.into_parts();
    for header in added {
        let name = HeaderName::from_static(header.name());
        let mut value = HeaderValue::from_str(header.value())?;
        // The date too: that tells a signature of ours from a client's.
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(())
}
