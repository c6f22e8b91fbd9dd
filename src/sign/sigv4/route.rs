//! What is known of a request that was signed before.

use bytes::BytesMut;
use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::canonical::Layout;
use super::date::Second;
use super::keys::Keys;
use super::proof::{Beginning, Proof};
use super::unsigned::Unsigned;
use crate::credentials::Fingerprint;

const ALGORITHM: &[u8] = b"AWS4-HMAC-SHA256 Credential=";

/// What a signature adds to a request, but for the signature itself.
#[derive(Clone)]
pub(super) struct Company {
    pub(super) date: HeaderValue,
    pub(super) token: Option<HeaderValue>,
}

impl Company {
    /// Adds it, in place of any of the same names.
    #[inline]
    pub(super) fn insert(&self, headers: &mut HeaderMap) {
        const DATE: HeaderName = HeaderName::from_static("x-amz-date");
        const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
        headers.insert(DATE, self.date.clone());
        if let Some(token) = &self.token {
            headers.insert(TOKEN, token.clone());
        }
    }
}

/// Requests that differ in body and time only, signed with the same keys.
pub(super) struct Route {
    fingerprint: Fingerprint,
    region: Box<str>,
    service: Box<str>,
    method: Method,
    path: Box<str>,
    headers: Box<[(HeaderName, HeaderValue)]>,

    /// The canonical request of `second`, up to the body's hash.
    canonical: Zeroizing<Vec<u8>>,
    date_at: usize,
    /// Of the canonical request, before the date.
    beginning: Beginning,
    /// Up to the signature.
    authorization: Box<[u8]>,

    second: Second,
    company: Company,
    proof: Proof,
    /// When it was last used, in requests.
    pub(super) used: u64,
}

impl Route {
    /// Of a request that has just been signed.
    pub(super) fn new(
        (unsigned, headers): (&Unsigned<'_>, &HeaderMap),
        (canonical, layout): (&[u8], Layout),
        beginning: Beginning,
        authorization: &[u8],
        company: Company,
        proof: Proof,
    ) -> Self {
        let own = |value: &HeaderValue| {
            // A copy: the caller's may be a piece of a large buffer, which it would keep.
            HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
        };
        Self {
            fingerprint: unsigned.keys.fingerprint.clone(),
            region: unsigned.scope.region.into(),
            service: unsigned.scope.service.into(),
            method: unsigned.method.clone(),
            path: unsigned.path.into(),
            headers: unsigned
                .given(headers)
                .map(|(name, value)| (name.clone(), own(value)))
                .collect(),
            canonical: Zeroizing::new(canonical.to_vec()),
            date_at: layout.date,
            beginning,
            authorization: authorization.into(),
            second: unsigned.scope.second,
            company,
            proof,
            used: 0,
        }
    }

    /// Whether this is the request's route.
    #[inline]
    pub(super) fn is_of(&self, unsigned: &Unsigned<'_>, headers: &HeaderMap) -> bool {
        self.fingerprint == *unsigned.keys.fingerprint
            && *self.path == *unsigned.path
            && *self.region == *unsigned.scope.region
            && *self.service == *unsigned.scope.service
            && self.method == *unsigned.method
            && {
                let mut known = self.headers.iter();
                unsigned
                    .given(headers)
                    .all(|given| known.next().is_some_and(|(n, v)| (n, v) == given))
                    && known.next().is_none()
            }
    }

    /// Whether its proof is of this second.
    #[inline]
    pub(super) fn is_at(&self, second: Second) -> bool {
        self.second == second
    }

    /// Goes to the request's second, forward or backward; `date` is that second's.
    pub(super) fn go_to(
        &mut self,
        unsigned: &Unsigned<'_>,
        date: &HeaderValue,
        keys: &mut Keys,
        scratch: &mut Vec<u8>,
    ) {
        let Unsigned {
            keys: pair, scope, ..
        } = unsigned;
        let text = scope.second.text();
        let key = if self.second.day() == scope.second.day() {
            self.proof.key().clone()
        } else {
            let day = ALGORITHM.len() + pair.access_key_id.len() + 1;
            self.authorization[day..day + 8].copy_from_slice(&text[..8]);
            keys.get(pair, scope).0.clone()
        };
        self.canonical[self.date_at..self.date_at + 16].copy_from_slice(&text);
        self.proof = Proof::new(&self.canonical, self.beginning, scope, key, scratch);
        self.company.date = date.clone();
        self.second = scope.second;
    }

    /// Signs the request with this body.
    #[inline]
    pub(super) fn sign(
        &mut self,
        headers: &mut HeaderMap,
        payload: &[u8; 64],
        arena: &mut BytesMut,
    ) -> Option<()> {
        self.company.insert(headers);
        arena.extend_from_slice(&self.authorization);
        add_signature(headers, arena, || self.proof.sign(payload))
    }
}

/// Writes `Authorization` up to the signature; `names` are those of the signed headers.
pub(super) fn push_authorization(into: &mut BytesMut, unsigned: &Unsigned<'_>, names: &[u8]) {
    into.extend_from_slice(ALGORITHM);
    into.extend_from_slice(unsigned.keys.access_key_id.as_bytes());
    into.extend_from_slice(b"/");
    unsigned.scope.write(|part| into.extend_from_slice(part));
    into.extend_from_slice(b", SignedHeaders=");
    into.extend_from_slice(names);
    into.extend_from_slice(b", Signature=");
}

/// Adds what is written, and the signature, as `Authorization`.
#[inline]
pub(super) fn add_signature(
    headers: &mut HeaderMap,
    arena: &mut BytesMut,
    sign: impl FnOnce() -> [u8; 64],
) -> Option<()> {
    arena.extend_from_slice(&[0; 64]);
    // Before the signature is made: this counts a reference, for which the processor has to
    // finish everything first. What comes after it overlaps with the hashing.
    let mut text = arena.split();
    *text.last_chunk_mut()? = sign();
    let mut value = HeaderValue::from_maybe_shared(text.freeze()).ok()?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Some(())
}
