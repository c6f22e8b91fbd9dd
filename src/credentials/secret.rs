//! Credentials: a type that shows no secret and leaves none behind.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use http::request::Parts;
use zeroize::Zeroizing;

use super::ProvideCredentials;
use crate::error::ConfigError;
use crate::reject::{Rejection, RejectionKind};

/// Credentials for Bedrock: an AWS key pair, with or without a session token, or a Bedrock API
/// key.
///
/// Cloning it copies a pointer; the secrets are wiped when the last clone is dropped. Its `Debug`
/// shows the public id only.
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

struct Inner {
    id: Arc<str>,
    secret: Secret,
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
        Ok(Self(Arc::new(Inner {
            id: Arc::from("api-key"),
            secret: Secret::ApiKey(secret(key)),
        })))
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
        Ok(Self(Arc::new(Inner {
            id: Arc::from(access_key_id),
            secret: Secret::KeyPair {
                secret_access_key: secret(secret_access_key),
                session_token: session_token.map(secret),
            },
        })))
    }

    /// The public id: the access key id, or `api-key`.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    pub(crate) fn shared_id(&self) -> &Arc<str> {
        &self.0.id
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0.secret
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
        Some(Ok(self.clone()))
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
