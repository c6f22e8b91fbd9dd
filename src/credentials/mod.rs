//! With whose keys? Stored AWS credentials, and the trait behind which others can live.
//!
//! Which key a request uses is decided from its headers and the configuration alone
//! ([`KeyChoice`](crate::context::KeyChoice)); getting at its secret may take time and is a
//! [`ProvideCredentials`]. Ready-made: [`Credentials`] themselves, always the same, and
//! [`StoredKeys`], one or more per gateway with aliases.
//!
//! 1. Secrets are shown by nothing: not by `Debug`, not by an error. They are wiped when the last
//!    copy is dropped.
//! 2. A provider is asked for every request, so what it gives may rotate at any time. A warm cache
//!    answers in [`credentials_now`](ProvideCredentials::credentials_now), which costs no box.
//! 3. A provider that fails refuses the request:
//!    [`Rejection::credentials_unavailable`](crate::Rejection::credentials_unavailable) is 502 with
//!    code 2049, its cause for the log alone.
//!
//! # Cancellation
//! If the request's future is dropped while a provider waits, so is the provider's: what others
//! wait for too belongs in a task of its own.
//!
//! # Examples
//! Two keys for one gateway, of which clients choose by `cf-aig-byok-alias`:
//! ```
//! use tower_bedrock::credentials::{Credentials, StoredKey, StoredKeys};
//!
//! # fn main() -> Result<(), tower_bedrock::ConfigError> {
//! let pair = Credentials::new("AKIDEXAMPLE", "secret")?;
//! let keys = StoredKeys::new()
//!     .with_key("acme", "prod", "default", StoredKey::new(pair, "us-east-1")?)?
//!     .with_key("acme", "prod", "europe", StoredKey::from_json(
//!         r#"{"apiKey": "bedrock-api-key-abc", "region": "eu-central-1"}"#,
//!     )?)?;
//! assert!(!format!("{keys:?}").contains("secret"));
//! assert!(Credentials::new("AKIDEXAMPLE", "secret\n").is_err());
//! # Ok(()) }
//! ```
//! Keys that live elsewhere:
//! ```
//! use http::request::Parts;
//! use tower_bedrock::credentials::{Credentials, ProvideCredentials};
//! use tower_bedrock::sign::SigV4SigningLayer;
//! use tower_bedrock::{Principal, Rejection};
//!
//! struct Vault;
//!
//! impl Vault {
//!     async fn read(&self, tenant: &str) -> std::io::Result<Credentials> {
//!         # let _ = tenant;
//!         Credentials::new("AKIDEXAMPLE", "secret").map_err(std::io::Error::other)
//!     }
//! }
//!
//! impl ProvideCredentials for Vault {
//!     async fn credentials(&self, head: &Parts) -> Result<Credentials, Rejection> {
//!         let tenant = Principal::of(&head.extensions).map_or("", Principal::id);
//!         self.read(tenant).await.map_err(Rejection::credentials_unavailable)
//!     }
//! }
//! let layer = SigV4SigningLayer::new(Vault);
//! ```
//!
//! # Limitations
//! Nothing here refreshes: STS, instance metadata and SSO are the business of `aws-config`, whose
//! credentials become [`Credentials`] by `From`.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::request::Parts;

use crate::reject::Rejection;

mod choice;
mod secret;
mod store;

pub use self::choice::StoredKeys;
pub use self::secret::Credentials;
pub(crate) use self::secret::{Fingerprint, Secret};
pub use self::store::StoredKey;

/// Provides the credentials that a request is signed with.
///
/// ```
/// use tower_bedrock::credentials::{Credentials, ProvideCredentials};
/// use tower_bedrock::Rejection;
///
/// struct Vault;
///
/// impl ProvideCredentials for Vault {
///     async fn credentials(&self, _: &http::request::Parts) -> Result<Credentials, Rejection> {
///         // … ask the vault …
///         # let (id, secret) = ("AKIDEXAMPLE", "secret");
///         Credentials::new(id, secret).map_err(Rejection::credentials_unavailable)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot provide AWS credentials",
    note = "implement `tower_bedrock::credentials::ProvideCredentials`, or use `Credentials` or `StoredKeys`"
)]
pub trait ProvideCredentials: Send + Sync + 'static {
    /// The credentials for this request, or why it is refused. Who is calling, the route and the
    /// alias are in the request's [`Context`](crate::Context); a request that no other layer has
    /// seen, and in which nothing names credentials or a key, has none.
    fn credentials(
        &self,
        head: &Parts,
    ) -> impl Future<Output = Result<Credentials, Rejection>> + Send;

    /// The region of the key that [`credentials`](Self::credentials) would give, for requests
    /// whose path names none (`/compat`). It is asked before the body is read, so it must be known
    /// without waiting; the default is to know none.
    ///
    /// # Errors
    /// If there is no such key.
    fn region(&self, head: &Parts) -> Result<Option<Arc<str>>, Rejection> {
        let _ = head;
        Ok(None)
    }

    /// The answer, if it is known without waiting; then nothing is boxed. `None`, the default,
    /// has [`credentials`](Self::credentials) asked.
    fn credentials_now(&self, head: &Parts) -> Option<Result<Credentials, Rejection>> {
        let _ = head;
        None
    }
}

impl<P: ProvideCredentials> ProvideCredentials for Arc<P> {
    fn credentials(
        &self,
        head: &Parts,
    ) -> impl Future<Output = Result<Credentials, Rejection>> + Send {
        P::credentials(self, head)
    }

    fn region(&self, head: &Parts) -> Result<Option<Arc<str>>, Rejection> {
        P::region(self, head)
    }

    fn credentials_now(&self, head: &Parts) -> Option<Result<Credentials, Rejection>> {
        P::credentials_now(self, head)
    }
}

/// The answer, and the head that was lent for it.
pub(crate) type Later =
    Pin<Box<dyn Future<Output = (Parts, Result<Credentials, Rejection>)> + Send>>;

/// [`ProvideCredentials`] without its type, so that the layer needs no type parameter for it.
pub(crate) trait DynProvideCredentials: Send + Sync {
    /// What it always gives, if it is credentials itself.
    fn fixed(&self) -> Option<&Credentials>;
    fn now(&self, head: &Parts) -> Option<Result<Credentials, Rejection>>;
    fn later(self: Arc<Self>, head: Parts) -> Later;
    #[cfg(feature = "compat")]
    fn region(&self, head: &Parts) -> Result<Option<Arc<str>>, Rejection>;
}

impl<P: ProvideCredentials> DynProvideCredentials for P {
    fn fixed(&self) -> Option<&Credentials> {
        (self as &dyn Any).downcast_ref()
    }

    fn now(&self, head: &Parts) -> Option<Result<Credentials, Rejection>> {
        self.credentials_now(head)
    }

    fn later(self: Arc<Self>, head: Parts) -> Later {
        Box::pin(async move {
            let answer = self.credentials(&head).await;
            (head, answer)
        })
    }

    #[cfg(feature = "compat")]
    fn region(&self, head: &Parts) -> Result<Option<Arc<str>>, Rejection> {
        ProvideCredentials::region(self, head)
    }
}
