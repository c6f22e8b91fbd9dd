//! Signs requests.

use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::SystemTime;

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::cache::Cache;
use super::date::Second;
use super::hash::PayloadHash;
use super::key::SigningKey;
use super::scope::Scope;
use super::shard::Shard;
use super::signed_headers::SignedHeaders;
use super::unsigned::{KeyPair, Unsigned};
use super::{Cause, EventStreamSigner, SignError, SigningParams, unusual};
use crate::body::BoxError;
use crate::route::host_value;

/// Signs requests with AWS Signature Version 4.
///
/// Clones share what is cached.
///
/// ```
/// use std::time::SystemTime;
/// use tower_bedrock::credentials::Credentials;
/// use tower_bedrock::sign::{PayloadHash, Signer, SigningParams};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = r#"{"messages":[]}"#;
/// let url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m%3A0/converse";
/// let (mut head, ()) = http::Request::post(url).body(())?.into_parts();
///
/// let credentials = Credentials::new("AKIDEXAMPLE", "secret")?;
/// let params = SigningParams::new(&credentials, "us-east-1", SystemTime::now());
/// let payload = PayloadHash::of(body.as_bytes());
/// Signer::new().sign(&head.method, &head.uri, &mut head.headers, &payload, &params)?;
///
/// let authorization = head.headers["authorization"].to_str()?;
/// assert!(authorization.contains("SignedHeaders=host;x-amz-date, Signature="));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Signer {
    signed: SignedHeaders,
    cache: Arc<Cache>,
}

impl Signer {
    /// A signer that covers [`SignedHeaders::Essential`].
    pub fn new() -> Self {
        Self {
            signed: SignedHeaders::default(),
            cache: Arc::new(Cache::new()),
        }
    }

    /// Which headers are signed.
    #[must_use]
    pub fn with_signed_headers(self, signed: SignedHeaders) -> Self {
        // What is cached belongs to the old ones.
        Self {
            signed,
            ..Self::new()
        }
    }

    /// The signing key of this pair in this scope, cached or derived.
    pub(super) fn key(&self, pair: &KeyPair<'_>, scope: &Scope<'_>) -> SigningKey {
        self.cache.shard().key(pair, scope)
    }

    /// Adds `authorization`, `x-amz-date` and, for temporary credentials, `x-amz-security-token`,
    /// in place of any of the same names; `host` too, if it is not there. A Bedrock API key is
    /// sent as it is, as a bearer token.
    ///
    /// # Errors
    /// If there is no host, or a signed header holds other characters than visible ASCII, spaces
    /// and tabs, or the time is not between the years 1 and 9999. `headers` may have been changed then.
    pub fn sign(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &mut HeaderMap,
        payload: &PayloadHash,
        params: &SigningParams<'_>,
    ) -> Result<(), SignError> {
        match KeyPair::of(params.credentials) {
            Ok(keys) => {
                let mut begun = self.begin(params.time);
                begun.sign((method, uri), headers, payload, keys, params)
            }
            Err(key) => send_api_key(headers, key),
        }
    }

    /// Signs a request whose body is a stream of signed messages, and begins their chain.
    ///
    /// In place of a hash of the body, which nobody knows yet, the signature covers
    /// `STREAMING-AWS4-HMAC-SHA256-EVENTS`, and the header `x-amz-content-sha256` says so.
    ///
    /// # Errors
    /// As [`sign`](Self::sign); and if the credentials are a Bedrock API key, which signs nothing.
    pub fn sign_event_stream(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &mut HeaderMap,
        params: &SigningParams<'_>,
    ) -> Result<EventStreamSigner, SignError> {
        const EVENTS: &str = "STREAMING-AWS4-HMAC-SHA256-EVENTS";
        const PAYLOAD: HeaderName = HeaderName::from_static("x-amz-content-sha256");
        let keys = KeyPair::of(params.credentials)
            .map_err(|_| BoxError::from("an API key signs no stream"))?;
        if Second::of(params.time).is_none() {
            return Err(SignError(Cause::Time));
        }
        if uri.path_and_query().is_none() {
            return Err(BoxError::from("it has no path").into());
        }
        add_host(uri, headers)?;
        headers.insert(PAYLOAD, HeaderValue::from_static(EVENTS));
        let (target, signed) = ((method, uri), &self.signed);
        unusual::sign(target, headers, EVENTS.into(), keys, params, signed)?;
        EventStreamSigner::new(self, headers, params)
    }

    /// Begins a signature of this time, before the hash of the body is known.
    pub(in crate::sign) fn begin(&self, time: SystemTime) -> Begun<'_> {
        let second = Second::of(time);
        let shard = self.cache.shard();
        Begun {
            signer: self,
            second,
            shard,
        }
    }
}

/// A signature that was begun.
///
/// Hashing is waiting: for one block after the other. Meanwhile the processor does what comes next
/// and does not need the hash, but not beyond a lock or a reference that is counted. So these
/// come first, then the end of the body is hashed, and then [`sign`](Self::sign) costs little.
pub(in crate::sign) struct Begun<'a> {
    signer: &'a Signer,
    second: Option<Second>,
    shard: MutexGuard<'a, Shard>,
}

impl Begun<'_> {
    /// [`Signer::sign`], with these keys.
    pub(in crate::sign) fn sign(
        &mut self,
        (method, uri): (&Method, &Uri),
        headers: &mut HeaderMap,
        payload: &PayloadHash,
        keys: KeyPair<'_>,
        params: &SigningParams<'_>,
    ) -> Result<(), SignError> {
        let signed = &self.signer.signed;
        if let Some(second) = self.second
            && uri.query().is_none()
            && uri.path().starts_with('/')
        {
            let unsigned = Unsigned {
                method,
                path: uri.path(),
                signed,
                keys,
                scope: Scope {
                    second,
                    region: params.region,
                    service: params.service,
                },
            };
            let payload = payload.hex();
            let shard = &mut *self.shard;
            if let Some(()) = shard.sign_again(&unsigned, headers, &payload) {
                return Ok(());
            }
            // What was signed before had a host.
            if !headers.contains_key(HOST) {
                add_host(uri, headers)?;
                if let Some(()) = shard.sign_again(&unsigned, headers, &payload) {
                    return Ok(());
                }
            }
            if let Some(()) = shard.sign(&unsigned, headers, &payload) {
                return Ok(());
            }
        }
        if self.second.is_none() && !unusual::can_write(params.time) {
            return Err(SignError(Cause::Time));
        }
        if uri.path_and_query().is_none() {
            return Err(BoxError::from("it has no path").into());
        }
        add_host(uri, headers)?;
        unusual::sign(
            (method, uri),
            headers,
            payload.to_string(),
            keys,
            params,
            signed,
        )?;
        Ok(())
    }
}

fn add_host(uri: &Uri, headers: &mut HeaderMap) -> Result<(), BoxError> {
    if !headers.contains_key(HOST) {
        let host = host_value(uri).ok_or("it has no host")?;
        headers.insert(HOST, host);
    }
    Ok(())
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("signed", &self.signed)
            .finish_non_exhaustive()
    }
}

/// Nothing is signed: the key goes along as it is.
pub(in crate::sign) fn send_api_key(headers: &mut HeaderMap, key: &str) -> Result<(), SignError> {
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(BoxError::from)?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
}
