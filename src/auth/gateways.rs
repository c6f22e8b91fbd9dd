//! Several gateways, each with its tokens and its policy.

use std::collections::HashSet;
use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use http::request::Parts;

use super::Authenticate;
use super::token::{Hashes, bearer_token, hash, refusal};
use crate::context::{Context, Policy, Principal};
use crate::error::ConfigError;
use crate::kept::ByName;
use crate::reject::{Rejection, RejectionKind};
use crate::route::{Excerpt, Parsed, RouteConfig, check_name};

/// One gateway: its name, who may use it, and for what.
#[derive(Debug, Clone)]
pub struct GatewayTokens {
    account: Box<str>,
    gateway: Box<str>,
    tokens: Hashes,
    authentication: bool,
    policy: Policy,
}

impl GatewayTokens {
    /// The gateway `/v1/{account}/{gateway}/…`, without a token yet.
    ///
    /// # Errors
    /// If a name cannot stand in a path.
    pub fn new(account: &str, gateway: &str) -> Result<Self, ConfigError> {
        check_name("account_id", account)?;
        check_name("gateway_id", gateway)?;
        Ok(Self {
            account: account.into(),
            gateway: gateway.into(),
            tokens: Hashes::default(),
            authentication: true,
            policy: Policy::new(),
        })
    }

    /// Adds a token.
    ///
    /// # Errors
    /// If it is empty or cannot stand in a header.
    pub fn with_token(mut self, token: &str) -> Result<Self, ConfigError> {
        self.tokens.add(token)?;
        Ok(self)
    }

    /// Adds a token that is known by its SHA-256 hash only, in hex.
    ///
    /// # Errors
    /// If that is not 64 hex digits.
    pub fn with_token_sha256(mut self, hex: &str) -> Result<Self, ConfigError> {
        self.tokens.add_sha256(hex)?;
        Ok(self)
    }

    /// Anybody may use this gateway. Whoever reaches it spends its stored keys, if it has any.
    #[must_use]
    pub fn without_authentication(mut self) -> Self {
        self.authentication = false;
        self
    }

    /// What its callers may do.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }
}

struct Entry {
    tokens: Hashes,
    /// One per token, in the same order, so that a request copies a pointer.
    principals: Vec<Principal>,
    anonymous: Option<Principal>,
}

/// Several gateways. Cloning it copies a pointer.
#[derive(Clone, Default)]
pub struct Gateways {
    routes: RouteConfig,
    table: Arc<Table>,
}

#[derive(Default)]
struct Table {
    /// By account, then by gateway: looked up without building a key.
    entries: ByName<ByName<Arc<Entry>>>,
    /// Hashes of the tokens of all of them.
    hashes: HashSet<[u8; 32]>,
}

impl Gateways {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a gateway.
    ///
    /// # Errors
    /// If there is one of that name, or if it asks for a token and has none.
    pub fn with_gateway(mut self, gateway: GatewayTokens) -> Result<Self, ConfigError> {
        let GatewayTokens {
            account,
            gateway: name,
            tokens,
            authentication,
            policy,
        } = gateway;
        if authentication && tokens.is_empty() {
            return Err(ConfigError::new(
                "tokens",
                format!("gateway {account}/{name} asks for a token and has none"),
            ));
        }
        let policy = Arc::new(policy);
        let principal = |who: &dyn fmt::Display| {
            Principal::new(format!("{account}/{name}/{who}")).with_policy(Arc::clone(&policy))
        };
        let entry = Entry {
            principals: (1..=tokens.iter().count()).map(|n| principal(&n)).collect(),
            anonymous: (!authentication).then(|| principal(&"anonymous").keeping_authorization()),
            tokens,
        };
        let mut table = Arc::try_unwrap(self.table).unwrap_or_else(|shared| Table {
            entries: shared.entries.clone(),
            hashes: shared.hashes.clone(),
        });
        table.hashes.extend(entry.tokens.iter());
        let duplicate = ConfigError::new("gateway", format!("{account}/{name} is there twice"));
        let gateways = table.entries.entry(account).or_default();
        if gateways.insert(name, Arc::new(entry)).is_some() {
            return Err(duplicate);
        }
        self.table = Arc::new(table);
        Ok(self)
    }

    /// Where the gateways' paths begin.
    #[must_use]
    pub fn with_routes(mut self, routes: RouteConfig) -> Self {
        self.routes = routes;
        self
    }

    fn check(&self, head: &Parts) -> Result<Principal, Rejection> {
        let path = head.uri.path();
        let entry = match Context::get(&head.extensions) {
            Some(context) => self.find(context.parse_route(path, &self.routes)?)?,
            None => self.find(&*self.routes.parse(path)?)?,
        };
        let token = match (bearer_token(&head.headers), &entry.anonymous) {
            (Ok(token), _) => token,
            (Err(_), Some(anonymous)) => return Ok(anonymous.clone()),
            (Err(rejection), None) => return Err(rejection),
        };
        let known = entry.tokens.find(token);
        match known
            .and_then(|at| entry.principals.get(at))
            .or(entry.anonymous.as_ref())
        {
            Some(principal) => Ok(principal.clone()),
            None if self.is_known(token) => Err(refusal(
                "the gateway token is wrong: it belongs to another gateway",
            )),
            None => Err(refusal("the gateway token is wrong")),
        }
    }

    fn find(&self, parsed: &Parsed) -> Result<&Entry, Rejection> {
        let route = parsed.route();
        let (account, gateway) = (route.account(), route.gateway());
        let known = self
            .table
            .entries
            .get(account)
            .and_then(|gateways| gateways.get(gateway));
        known.map(|entry| &**entry).ok_or_else(|| {
            Rejection::new(
                RejectionKind::UnknownGateway,
                format!(
                    "there is no gateway {}/{}: check account_id and gateway_id in the path",
                    Excerpt(account),
                    Excerpt(gateway)
                ),
            )
        })
    }

    fn is_known(&self, token: &str) -> bool {
        self.table.hashes.contains(&hash(token))
    }
}

impl Authenticate for Gateways {
    fn authenticate(
        &self,
        head: &Parts,
    ) -> impl Future<Output = Result<Principal, Rejection>> + Send {
        ready(self.check(head))
    }

    fn authenticate_now(&self, head: &Parts) -> Option<Result<Principal, Rejection>> {
        Some(self.check(head))
    }

    fn is_gateway_token(&self, token: &str) -> bool {
        self.is_known(token)
    }
}

impl fmt::Debug for Gateways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateways")
            .field("tokens", &self.table.hashes.len())
            .finish_non_exhaustive()
    }
}
