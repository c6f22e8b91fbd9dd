//! Verification of a request's credentials, as AWS does it: pure, with the clock passed in.

use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;
use http::{HeaderMap, request};

use super::canonical::{self, Plus};
use super::hash::{hex, hmac, sha256_hex};
use super::keys::Keys;
use super::refusal::Refusal;
use super::scope::{self, Claim};

pub(super) use self::chain::Chain;

mod chain;

const SKEW: Duration = Duration::from_secs(5 * 60);
/// In the place of the body's hash where its messages are signed one by one.
const EVENTS: &str = "STREAMING-AWS4-HMAC-SHA256-EVENTS";
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";

/// The parts of a request that a signature covers, as they arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    /// `:authority` of HTTP/2, or the authority of an absolute-form target.
    pub(super) authority: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
    pub(super) payload: Payload<'a>,
}

impl<'a> Arrived<'a> {
    pub(super) fn of(head: &'a request::Parts, payload: Payload<'a>) -> Self {
        Self {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            authority: head.uri.authority().map(|authority| authority.as_str()),
            headers: &head.headers,
            payload,
        }
    }
}

/// What the signature of a request's head says of the body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'a> {
    Whole(&'a [u8]),
    /// A stream of messages that come later, each with a signature of its own.
    Events,
}

/// Checks the request's signature or API key against `keys` at the time `now`.
pub(super) fn verify(arrived: &Arrived<'_>, keys: &Keys, now: SystemTime) -> Result<(), Refusal> {
    check(arrived, keys, now).map(drop)
}

/// The same for the head of a stream: the chain that its messages must continue, or none with an API key.
pub(super) fn verify_head(
    arrived: &Arrived<'_>,
    keys: &Keys,
    now: SystemTime,
) -> Result<Option<Chain>, Refusal> {
    let signed = check(arrived, keys, now)?;
    Ok(signed.map(|(claim, secret)| Chain::new(claim, secret.to_owned())))
}

/// The valid claim and its secret; nothing for an API key.
fn check<'a>(
    arrived: &Arrived<'_>,
    keys: &'a Keys,
    now: SystemTime,
) -> Result<Option<(Claim, &'a str)>, Refusal> {
    let mut values = arrived.headers.get_all(AUTHORIZATION).iter();
    let presigned = arrived
        .query
        .is_some_and(|query| scope::parameter(query, "X-Amz-Signature").is_some());
    let claim = match (values.next(), values.next()) {
        (Some(_), Some(_)) => {
            return Err(Refusal::incomplete(
                "Authorization was sent more than once.",
            ));
        }
        (Some(_), None) if presigned => {
            return Err(Refusal::incomplete(
                "Only one of the Authorization header and the X-Amz-Signature query parameter is allowed.",
            ));
        }
        (Some(value), None) => match bearer(value.as_bytes()) {
            Some(key) if keys.has_api_key(key) => return Ok(None),
            Some(_) => return Err(Refusal::invalid_api_key()),
            None => Claim::from_header(value.as_bytes(), arrived)?,
        },
        (None, _) if presigned => Claim::from_query(arrived.query.unwrap_or_default())?,
        (None, _) => return Err(Refusal::missing_token()),
    };
    let secret = check_claim(&claim, arrived, keys, now)?;
    Ok(Some((claim, secret)))
}

fn check_claim<'a>(
    claim: &Claim,
    arrived: &Arrived<'_>,
    keys: &'a Keys,
    now: SystemTime,
) -> Result<&'a str, Refusal> {
    scope::check(claim, arrived)?;
    let unknown = || Refusal::unrecognized_client();
    let key = keys
        .find(&claim.key_id, claim.token.as_deref())
        .ok_or_else(unknown)?;
    if key.expired {
        return Err(Refusal::expired_token());
    }
    check_time(claim, now)?;
    let signed: Vec<&str> = claim.signed_headers.iter().map(String::as_str).collect();
    check_signed_headers(&signed, arrived)?;
    let payload = payload_hash(arrived)?;
    if matches(claim, arrived, &key.secret, &signed, &payload) {
        Ok(&key.secret)
    } else {
        Err(Refusal::invalid_signature(MISMATCH))
    }
}

/// Whether the signature is the one that `secret` makes of this request.
fn matches(
    claim: &Claim,
    arrived: &Arrived<'_>,
    secret: &str,
    signed: &[&str],
    payload: &str,
) -> bool {
    let uri = canonical::uri(arrived.path);
    let headers = canonical::headers(signed, arrived.headers, arrived.authority);
    let signing_key = signing_key(secret, &claim.date, &claim.region, &claim.service);
    let skip = claim.presigned.then_some("X-Amz-Signature");
    [Plus::Space, Plus::Literal].into_iter().any(|plus| {
        let query = canonical::query(arrived.query.unwrap_or_default(), plus, skip);
        let request = canonical::request(
            arrived.method,
            &uri,
            &query,
            &headers,
            &signed.join(";"),
            payload,
        );
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}/{}/{}/aws4_request\n{}",
            claim.timestamp,
            claim.date,
            claim.region,
            claim.service,
            sha256_hex(&request)
        );
        hex(&hmac(&signing_key, to_sign.as_bytes())) == claim.signature
    })
}

/// The key of `Authorization: Bearer …`, if that is the scheme.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| key.trim_ascii())
}

fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> [u8; 32] {
    let secret = format!("AWS4{secret}");
    [date, region, service, "aws4_request"]
        .into_iter()
        .fold(None, |key: Option<[u8; 32]>, part| {
            let key = key.as_ref().map_or(secret.as_bytes(), |key| &key[..]);
            Some(hmac(key, part.as_bytes()))
        })
        .unwrap_or_default()
}

/// Five minutes either way; a presigned request lives as long as it says.
fn check_time(claim: &Claim, now: SystemTime) -> Result<(), Refusal> {
    let lifetime = claim.expires.unwrap_or(SKEW);
    if now
        .duration_since(claim.time)
        .is_ok_and(|age| age > lifetime)
    {
        let limit = now.checked_sub(lifetime).unwrap_or(SystemTime::UNIX_EPOCH);
        let how = if claim.presigned {
            String::new()
        } else {
            format!(" ({} - 5 min.)", scope::timestamp(now))
        };
        return Err(Refusal::invalid_signature(&format!(
            "Signature expired: {} is now earlier than {}{how}",
            claim.timestamp,
            scope::timestamp(limit),
        )));
    }
    if claim
        .time
        .duration_since(now)
        .is_ok_and(|ahead| ahead > SKEW)
    {
        return Err(Refusal::invalid_signature(&format!(
            "Signature not yet current: {} is still later than {} ({} + 5 min.)",
            claim.timestamp,
            scope::timestamp(now.checked_add(SKEW).unwrap_or(now)),
            scope::timestamp(now),
        )));
    }
    Ok(())
}

/// The host and every `x-amz-*` header must be covered by the signature.
fn check_signed_headers(signed: &[&str], arrived: &Arrived<'_>) -> Result<(), Refusal> {
    if !signed.contains(&"host") && !signed.contains(&":authority") {
        return Err(Refusal::invalid_signature(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    let unsigned = arrived
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .find(|name| name.starts_with("x-amz-") && !signed.contains(name));
    match unsigned {
        Some(name) => Err(Refusal::invalid_signature(&format!(
            "'{name}' must be a 'SignedHeader' in the AWS Authorization."
        ))),
        None => Ok(()),
    }
}

/// The hash of the body as it arrived; a declared hash must agree with it.
fn payload_hash(arrived: &Arrived<'_>) -> Result<String, Refusal> {
    let declared = canonical::header("x-amz-content-sha256", arrived.headers, None);
    let body = match arrived.payload {
        Payload::Whole(body) => body,
        Payload::Events if declared.as_deref() == Some(EVENTS.as_bytes()) => {
            return Ok(EVENTS.to_owned());
        }
        // Some signers leave the header out and sign the hash of nothing.
        Payload::Events => b"",
    };
    let hash = sha256_hex(body);
    match declared {
        Some(declared) if declared != hash.as_bytes() => Err(Refusal::invalid_signature(MISMATCH)),
        _ => Ok(hash),
    }
}

#[cfg(test)]
mod tests;
