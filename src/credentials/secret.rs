//! Credentials: a type that shows no secret and leaves none behind.

use std::fmt;
use std::future::{Future, ready};
use std::sync::{Arc, OnceLock};

use http::request::Parts;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::ProvideCredentials;
use crate::error::ConfigError;
use crate::kept::PerThread;
use crate::reject::{Rejection, RejectionKind};

/// Credentials for Bedrock: an AWS key pair, with or without a session token, or a Bedrock API
/// key.
///
/// Cloning it copies a pointer; the secrets are wiped when the last clone is dropped. Its `Debug`
/// shows the public id only.
#[derive(Clone)]
pub struct Credentials(Arc<Handle>);

/// Requests on different threads hold different handles to the same secret, each in cache lines of
/// its own.
#[repr(align(128))]
struct Handle {
    inner: Arc<Inner>,
    for_threads: OnceLock<PerThread<Credentials>>,
}

struct Inner {
    id: Arc<str>,
    secret: Secret,
    fingerprint: Fingerprint,
}

/// SHA-256 of everything that credentials hold. What is made from a secret is kept under it: so
/// that another secret of the same access key id is another, and the same secret, built anew, the
/// same.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(id: &str, secret: &Secret) -> Self {
        let (kind, secret, token) = match secret {
            Secret::KeyPair {
                secret_access_key,
                session_token,
            } => (0, secret_access_key, session_token.as_ref()),
            Secret::ApiKey(key) => (1, key, None),
        };
        let mut hash = Sha256::new();
        hash.update([kind, u8::from(token.is_some())]);
        for part in [id, secret, token.map_or("", |token| &***token)] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// Its first 16 bytes.
    pub(crate) fn halves(&self) -> [u64; 2] {
        let (words, _) = self.0.as_chunks();
        [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])]
    }
}

impl Drop for Fingerprint {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What proves who we are.
pub(crate) enum Secret {
    KeyPair {
        secret_access_key: Zeroizing<Box<str>>,
        session_token: Option<Zeroizing<Box<str>>>,
    },
    ApiKey(Zeroizing<Box<str>>),
}

impl Credentials {
    /// A long-term key pair.
    ///
    /// # Errors
    /// If one of them is empty or holds a character that it cannot have, such as a line break.
    pub fn new(access_key_id: &str, secret_access_key: &str) -> Result<Self, ConfigError> {
        Self::key_pair(access_key_id, secret_access_key, None)
    }

    /// Temporary credentials, as AWS STS gives them.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_session_token(
        access_key_id: &str,
        secret_access_key: &str,
        session_token: &str,
    ) -> Result<Self, ConfigError> {
        Self::key_pair(access_key_id, secret_access_key, Some(session_token))
    }

    /// A Bedrock API key, sent as a bearer token; nothing is signed.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn api_key(key: &str) -> Result<Self, ConfigError> {
        check("apiKey", key)?;
        Ok(Self::made("api-key", Secret::ApiKey(secret(key))))
    }

    fn key_pair(
        access_key_id: &str,
        secret_access_key: &str,
        session_token: Option<&str>,
    ) -> Result<Self, ConfigError> {
        check("accessKeyId", access_key_id)?;
        // These would end the access key id in a credential scope or an Authorization header.
        if access_key_id.contains(['/', ',', '=', ';']) || access_key_id.len() > 128 {
            return Err(ConfigError::new("accessKeyId", "is not an access key id"));
        }
        check("secretAccessKey", secret_access_key)?;
        if let Some(token) = session_token {
            check("sessionToken", token)?;
        }
        let secret = Secret::KeyPair {
            secret_access_key: secret(secret_access_key),
            session_token: session_token.map(secret),
        };
        Ok(Self::made(access_key_id, secret))
    }

    fn made(id: &str, secret: Secret) -> Self {
        let fingerprint = Fingerprint::of(id, &secret);
        let id = Arc::from(id);
        Self::handle(Arc::new(Inner {
            id,
            secret,
            fingerprint,
        }))
    }

    fn handle(inner: Arc<Inner>) -> Self {
        Self(Arc::new(Handle {
            inner,
            for_threads: OnceLock::new(),
        }))
    }

    /// A clone that shares no reference count with what other threads clone.
    pub(super) fn for_request(&self) -> Self {
        let copy = || Self::handle(Arc::clone(&self.0.inner));
        let copies = self.0.for_threads.get_or_init(|| PerThread::new(copy));
        copies.own().clone()
    }

    /// The public id: the access key id, or `api-key`.
    pub fn id(&self) -> &str {
        &self.0.inner.id
    }

    pub(crate) fn shared_id(&self) -> &Arc<str> {
        &self.0.inner.id
    }

    pub(crate) fn fingerprint(&self) -> &Fingerprint {
        &self.0.inner.fingerprint
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0.inner.secret
    }
}

fn secret(text: &str) -> Zeroizing<Box<str>> {
    Zeroizing::new(text.into())
}

fn check(setting: &'static str, value: &str) -> Result<(), ConfigError> {
    if value.is_empty() {
        return Err(ConfigError::new(setting, "is empty"));
    }
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ConfigError::new(
            setting,
            "holds a space, a line break or another character that no key has",
        ));
    }
    Ok(())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// Always these.
impl ProvideCredentials for Credentials {
    fn credentials(
        &self,
        _: &Parts,
    ) -> impl Future<Output = Result<Credentials, Rejection>> + Send {
        ready(Ok(self.clone()))
    }

    fn credentials_now(&self, _: &Parts) -> Option<Result<Credentials, Rejection>> {
        Some(Ok(self.for_request()))
    }
}

impl Rejection {
    /// For a [`ProvideCredentials`] that cannot get at its credentials: 502 with code 2049. The
    /// cause goes to the log only.
    pub fn credentials_unavailable(cause: impl Into<crate::BoxError>) -> Self {
        Self::new(
            RejectionKind::UpstreamAuth,
            "the gateway's own AWS credentials are not available",
        )
        .with_internal(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::Credentials;

    #[test]
    fn nothing_secret_is_shown() {
        let credentials = Credentials::with_session_token("AKID", "SECRET", "TOKEN").unwrap();
        assert_eq!(
            format!("{credentials:?}"),
            r#"Credentials { id: "AKID", .. }"#
        );
        let key = Credentials::api_key("SECRET").unwrap();
        assert_eq!(format!("{key:?}"), r#"Credentials { id: "api-key", .. }"#);
    }

    #[test]
    fn what_no_key_can_be() {
        for (id, secret) in [
            ("", "s"),
            ("a", ""),
            ("a b", "s"),
            ("a", "s\n"),
            ("a/b", "s"),
            ("a", " s"),
        ] {
            let error = Credentials::new(id, secret).unwrap_err();
            assert!(!error.to_string().contains("s\n"));
        }
        assert!(Credentials::with_session_token("a", "s", "t t").is_err());
        assert!(Credentials::api_key("").is_err());
    }
}
