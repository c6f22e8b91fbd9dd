//! Which stored key: from the path, the alias and the configuration alone.

use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::sync::Arc;

use http::request::Parts;

use super::{Credentials, ProvideCredentials, StoredKey};
use crate::context::{Context, KeyChoice};
use crate::error::ConfigError;
use crate::kept::ByName;
use crate::reject::{Rejection, RejectionKind};
use crate::route::{Excerpt, check_name};

/// The alias of the key that is used where none is named.
const DEFAULT: &str = "default";

/// The stored keys of several gateways. Cloning it copies a pointer.
///
/// ```
/// use tower_bedrock::credentials::{Credentials, StoredKey, StoredKeys};
///
/// # fn main() -> Result<(), tower_bedrock::ConfigError> {
/// let key = StoredKey::new(Credentials::new("AKIDEXAMPLE", "secret")?, "us-east-1")?;
/// let keys = StoredKeys::new().with_key("acme", "prod", "default", key)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct StoredKeys {
    /// By account, then by gateway: looked up without building a key.
    gateways: Arc<ByName<Gateways>>,
}

type Gateways = ByName<Aliases>;
type Aliases = BTreeMap<Box<str>, StoredKey>;

impl StoredKeys {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key to a gateway.
    ///
    /// # Errors
    /// If the gateway has a key of that alias, or a name cannot stand in a path or a header.
    pub fn with_key(
        mut self,
        account: &str,
        gateway: &str,
        alias: &str,
        key: StoredKey,
    ) -> Result<Self, ConfigError> {
        check_name("account_id", account)?;
        check_name("gateway_id", gateway)?;
        check_name("alias", alias)?;
        let aliases = Arc::make_mut(&mut self.gateways)
            .entry(account.into())
            .or_default()
            .entry(gateway.into())
            .or_default();
        if aliases.insert(alias.into(), key).is_some() {
            return Err(ConfigError::new(
                "alias",
                format!("gateway {account}/{gateway} has the key \"{alias}\" twice"),
            ));
        }
        Ok(self)
    }

    /// The key for a request whose gateway and [`KeyChoice`] are known.
    fn choose(&self, head: &Parts) -> Result<&StoredKey, Rejection> {
        let context = Context::get(&head.extensions);
        let aliases = context
            .and_then(Context::route)
            .and_then(|route| self.gateways.get(route.account())?.get(route.gateway()));
        match key_choice(head) {
            Some(KeyChoice::Stored { alias: Some(alias) }) => alias
                .to_str()
                .ok()
                .and_then(|alias| aliases?.get(alias))
                .ok_or_else(|| unknown_alias(alias, aliases)),
            _ => aliases
                .and_then(|aliases| aliases.get(DEFAULT))
                .ok_or_else(|| {
                    Rejection::new(
                        RejectionKind::NoCredentials,
                        "this gateway has no stored key \"default\" and the request carries no AWS credentials: store a key, name another with cf-aig-byok-alias, or sign the request",
                    )
                }),
        }
    }
}

fn key_choice(head: &Parts) -> Option<&KeyChoice> {
    Context::get(&head.extensions)?.key_choice()
}

fn unknown_alias(alias: &http::HeaderValue, aliases: Option<&Aliases>) -> Rejection {
    let asked = String::from_utf8_lossy(alias.as_bytes());
    let asked = Excerpt(&asked);
    let known: Vec<String> = aliases
        .into_iter()
        .flat_map(BTreeMap::keys)
        .map(|alias| format!("'{alias}'"))
        .collect();
    let known = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    Rejection::new(
        RejectionKind::UnknownAlias,
        format!(
            "Provider 'aws-bedrock' has no BYOK credential named '{asked}'. Configured aliases: {known}"
        ),
    )
}

impl ProvideCredentials for StoredKeys {
    fn credentials(
        &self,
        head: &Parts,
    ) -> impl Future<Output = Result<Credentials, Rejection>> + Send {
        ready(self.choose(head).map(|key| key.credentials().clone()))
    }

    /// That of the chosen key. Where the caller's own Bedrock API key is used, that of the key
    /// `default`, if there is one.
    fn region(&self, head: &Parts) -> Result<Option<Arc<str>>, Rejection> {
        match (self.choose(head), key_choice(head)) {
            (Ok(key), _) => Ok(Some(key.shared_region())),
            (Err(_), Some(KeyChoice::Client(_))) => Ok(None),
            (Err(rejection), _) => Err(rejection),
        }
    }

    fn credentials_now(&self, head: &Parts) -> Option<Result<Credentials, Rejection>> {
        Some(self.choose(head).map(|key| key.credentials().for_request()))
    }
}
