//! A request on its way into the signer.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::canonical::{DATE, TOKEN};
use super::scope::Scope;
use super::signed_headers::SignedHeaders;
use crate::credentials::{Credentials, Fingerprint, Secret};
use crate::kept::{fold, mix};

/// A request that is to be signed, all that its signature depends on but the body.
#[derive(Clone, Copy)]
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) signed: &'a SignedHeaders,
    pub(super) keys: KeyPair<'a>,
    pub(super) scope: Scope<'a>,
}

/// A key pair, for the time of one signature.
#[derive(Clone, Copy)]
pub(in crate::sign) struct KeyPair<'a> {
    /// Of all that follows.
    pub(super) fingerprint: &'a Fingerprint,
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a str,
    pub(super) session_token: Option<&'a str>,
}

impl<'a> KeyPair<'a> {
    /// The key pair of these credentials, or else their API key.
    pub(in crate::sign) fn of(credentials: &'a Credentials) -> Result<Self, &'a str> {
        match credentials.secret() {
            Secret::KeyPair {
                secret_access_key,
                session_token,
            } => Ok(Self {
                fingerprint: credentials.fingerprint(),
                access_key_id: credentials.id(),
                secret_access_key,
                session_token: session_token.as_ref().map(|token| &***token),
            }),
            Secret::ApiKey(key) => Err(key),
        }
    }
}

impl<'a> Unsigned<'a> {
    /// The headers that are signed with the values that they have. `x-amz-date` and, for
    /// temporary credentials, the token are written anew.
    #[inline]
    pub(super) fn given<'h>(
        &self,
        headers: &'h HeaderMap,
    ) -> impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)> {
        let (signed, has_token) = (self.signed, self.keys.session_token.is_some());
        headers.iter().filter(move |(name, _)| {
            signed.covers(name) && **name != DATE && !(has_token && **name == TOKEN)
        })
    }

    /// Tells requests apart, but for their headers: where to look for a route.
    #[inline]
    pub(super) fn mark(&self, seed: u64) -> u64 {
        let mark = fold(seed, self.path.as_bytes());
        let mark = fold(mark, self.scope.region.as_bytes());
        let [a, b] = self.keys.fingerprint.halves();
        mix(mark, a, b)
    }
}
