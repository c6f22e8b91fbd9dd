//! With whose keys? Stored AWS credentials, and the trait behind which others can live.
//!
//! Which key a request uses is decided from its headers and the configuration alone
//! ([`KeyChoice`](crate::context::KeyChoice)); getting at its secret may take time and is a
//! [`ProvideCredentials`]. Ready-made: [`Credentials`] themselves, always the same, and
//! [`StoredKeys`], one or more per gateway with aliases.

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
