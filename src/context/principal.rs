//! Who is calling.

use std::sync::Arc;

use http::Extensions;

use super::{Context, Policy};

/// Who a request comes from, as far as an [`Authenticate`](crate::auth::Authenticate) could tell.
/// Cloning it copies pointers.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    id: Arc<str>,
    policy: Option<Arc<Policy>>,
    keeps_authorization: bool,
}

impl Principal {
    /// A principal with this id: a name for logs and limits, never a secret.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            policy: None,
            keeps_authorization: false,
        }
    }

    /// Adds what this principal may do. Without it, the layers' own settings hold.
    #[must_use]
    pub fn with_policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.policy = Some(policy.into());
        self
    }

    /// Says that this principal was not told by `Authorization`: if there is a bearer token in
    /// that header, it is the caller's Bedrock API key and travels on.
    #[must_use]
    pub fn keeping_authorization(mut self) -> Self {
        self.keeps_authorization = true;
        self
    }

    /// The principal of the request with these extensions.
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        Context::get(extensions)?.principal()
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it may do, if that was said.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_deref()
    }

    #[cfg(feature = "auth")]
    pub(crate) fn keeps_authorization(&self) -> bool {
        self.keeps_authorization
    }
}
