//! The configuration: TOML in; out comes what the gateway is built from, or the line and key at
//! fault. No message repeats a value of the file: it may be a secret.

use std::env;
use std::fmt::Display;
use std::fs;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use toml::de::DeTable;
use tower_bedrock::auth::{GatewayTokens, Gateways};
use tower_bedrock::credentials::{Credentials, StoredKey, StoredKeys};
use tower_bedrock::{ConfigError, ModelAlias, Policy, RouteConfig, Timeouts};

use crate::bodies::Bodies;
use crate::file::{File, Gateway, Model, ProviderKey, Secret};
use crate::records::Records;

/// What `gateway` without a file serves: the key pair is the example of AWS's documentation.
const DEMO: &str = r#"
[[gateway]]
account_id = "demo"
gateway_id = "demo"
tokens = ["demo-token"]

[[gateway.model]]
name = "gpt-4o-mini"
id = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

[[gateway.model]]
name = "gpt-4o"
id = "us.amazon.nova-lite-v1:0"

[[gateway.provider_key]]
alias = "default"
accessKeyId = "AKIAIOSFODNN7EXAMPLE"
secretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
region = "us-east-1"
"#;

pub(crate) struct Config {
    pub(crate) gateways: Gateways,
    pub(crate) keys: StoredKeys,
    pub(crate) routes: RouteConfig,
    pub(crate) admin_token: Option<String>,
    pub(crate) records: Records,
    pub(crate) bodies: Bodies,
}

impl Config {
    pub(crate) fn demo() -> Result<Self, String> {
        Self::parse(Path::new("the demo's configuration"), DEMO)
    }

    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("--config: {}: {error}", path.display()))?;
        Self::parse(path, &text)
    }

    /// `path` names the text in messages; its folder is where relative paths begin.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let source = Source { path, text };
        let (table, mut errors) = DeTable::parse_recoverable(text);
        // The first mistake in the file: a missing quote makes others of the lines below it.
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        if let Some(error) = errors.into_iter().next() {
            return Err(source.syntax(error));
        }
        let file = File::deserialize(toml::Deserializer::from(table))
            .map_err(|error| source.syntax(error))?;

        let admin_token = match file.admin_token {
            Some(token) => Some(source.secret("admin_token", token)?),
            None => None,
        };
        let records = Records {
            drain: file.drain,
            payloads: file.payloads,
            usage_headers: file.usage_headers,
            prices: source.prices(file.price)?,
        };
        let bodies = source.bodies(file.body_limit, file.message_limit)?;
        let mut routes = RouteConfig::new().requiring_host();
        if let Some(prefix) = file.prefix {
            routes = routes
                .with_prefix(prefix.get_ref())
                .map_err(source.at(prefix.span()))?;
        }
        if let Some(domain) = file.custom_domain {
            let (account, gateway) = (&domain.get_ref().account_id, &domain.get_ref().gateway_id);
            let with = routes.with_custom_domain(account, gateway);
            routes = with.map_err(source.at(domain.span()))?;
        }
        if file.gateway.is_empty() {
            return Err(source.problem(
                0..0,
                "gateway",
                "is missing: there must be at least one [[gateway]]",
            ));
        }
        let mut gateways = Gateways::new().with_routes(routes.clone());
        let mut keys = StoredKeys::new();
        for table in file.gateway {
            let span = table.span();
            let mut table = table.into_inner();
            let (account, id) = (table.account_id.clone(), table.gateway_id.clone());
            let provider_keys = std::mem::take(&mut table.provider_key);
            if let Some(off) = table.authentication.as_ref().filter(|on| !*on.get_ref())
                && !provider_keys.is_empty()
                && !table.allow_unauthenticated_spend
            {
                return Err(source.problem(
                    off.span(),
                    "gateway.authentication",
                    "anybody could spend the stored keys: ask for a token, or say allow_unauthenticated_spend = true",
                ));
            }
            gateways = gateways
                .with_gateway(source.gateway(table)?)
                .map_err(source.at(span))?;
            for table in provider_keys {
                let span = table.span();
                let mut table = table.into_inner();
                let alias = std::mem::take(&mut table.alias);
                let key = source.provider_key(span.clone(), table)?;
                keys = keys
                    .with_key(account.get_ref(), id.get_ref(), &alias, key)
                    .map_err(source.at(span))?;
            }
        }
        Ok(Self {
            gateways,
            keys,
            routes,
            admin_token,
            records,
            bodies,
        })
    }
}

/// The file, for finding lines in it.
pub(crate) struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn gateway(&self, table: Gateway) -> Result<GatewayTokens, String> {
        let (account, id) = (&table.account_id, &table.gateway_id);
        let mut gateway = GatewayTokens::new(account.get_ref(), id.get_ref()).map_err(|error| {
            let wrong = if error.setting() == "gateway_id" {
                id
            } else {
                account
            };
            self.at(wrong.span())(error)
        })?;
        for token in table.tokens {
            let span = token.span();
            let token = self.secret("gateway.tokens", token)?;
            gateway = gateway.with_token(&token).map_err(self.at(span))?;
        }
        for hash in table.tokens_sha256 {
            gateway = gateway
                .with_token_sha256(hash.get_ref())
                .map_err(self.at(hash.span()))?;
        }
        if table.authentication.is_some_and(|on| !on.get_ref()) {
            gateway = gateway.without_authentication();
        }

        let time = |ms: Option<NonZeroU64>| ms.map(|ms| Duration::from_millis(ms.get()));
        let mut policy = Policy::new()
            .with_client_credentials(table.client_credentials.into())
            .with_strict_parameters(table.strict_parameters)
            .with_timeouts(Timeouts {
                connect: time(table.connect_timeout_ms),
                first_byte: time(table.first_byte_timeout_ms),
                idle: time(table.idle_timeout_ms),
            });
        if let Some(regions) = table.regions {
            policy = policy
                .with_regions(regions.get_ref())
                .map_err(self.at(regions.span()))?;
        }
        if let Some(names) = table.operations {
            policy = policy
                .with_operations(names.get_ref())
                .map_err(self.at(names.span()))?;
        }
        if let Some(models) = table.models {
            policy = policy.with_models(models);
        }
        for table in table.model {
            policy = self.model(policy, &table)?;
        }
        Ok(gateway.with_policy(policy))
    }

    /// Adds a name of the OpenAI-compatible API.
    fn model(&self, policy: Policy, table: &Model) -> Result<Policy, String> {
        let id = |value: &Spanned<String>, key| {
            ModelAlias::new(value.get_ref())
                .map_err(|error| self.problem(value.span(), key, error.problem()))
        };
        let mut alias = id(&table.id, "gateway.model.id")?;
        if let Some(family) = &table.family {
            id(family, "gateway.model.family")?;
            alias = alias.with_family(family.get_ref());
        }
        let name = &table.name;
        policy
            .with_model_alias(name.get_ref(), alias)
            .map_err(|error| self.problem(name.span(), "gateway.model.name", error.problem()))
    }

    fn provider_key(&self, span: Range<usize>, table: ProviderKey) -> Result<StoredKey, String> {
        let spans = [
            (
                "accessKeyId",
                table.access_key_id.as_ref().map(Spanned::span),
            ),
            (
                "secretAccessKey",
                table.secret_access_key.as_ref().map(Spanned::span),
            ),
            (
                "sessionToken",
                table.session_token.as_ref().map(Spanned::span),
            ),
            ("apiKey", table.api_key.as_ref().map(Spanned::span)),
            ("region", Some(table.region.span())),
        ];
        let [id, secret, session, api_key] = [
            ("accessKeyId", table.access_key_id),
            ("secretAccessKey", table.secret_access_key),
            ("sessionToken", table.session_token),
            ("apiKey", table.api_key),
        ]
        .map(|(key, secret)| secret.map(|secret| self.secret(key, secret)).transpose());

        let credentials = match (id?, secret?, session?, api_key?) {
            (Some(id), Some(secret), None, None) => Credentials::new(&id, &secret),
            (Some(id), Some(secret), Some(session), None) => {
                Credentials::with_session_token(&id, &secret, &session)
            }
            (None, None, None, Some(key)) => Credentials::api_key(&key),
            (_, _, _, Some(_)) => Err(ConfigError::new(
                "apiKey",
                "stands instead of accessKeyId, secretAccessKey and sessionToken",
            )),
            (None, _, _, None) => Err(ConfigError::new("accessKeyId", "is missing, as is apiKey")),
            (_, None, _, None) => Err(ConfigError::new("secretAccessKey", "is missing")),
        };
        credentials
            .and_then(|credentials| StoredKey::new(credentials, table.region.get_ref()))
            .map_err(|error| {
                let found = spans.into_iter().find(|(key, _)| *key == error.setting());
                self.at(found.and_then(|(_, span)| span).unwrap_or(span))(error)
            })
    }

    fn secret(&self, key: &str, secret: Spanned<Secret>) -> Result<String, String> {
        let span = secret.span();
        let refuse = |problem: String| self.problem(span.clone(), key, problem);
        let value = match secret.into_inner() {
            Secret::Text(text) => text,
            Secret::Env { env } => env::var(&env)
                .map_err(|error| refuse(format!("environment variable \"{env}\": {error}")))?,
            Secret::File { file } => {
                let file = self.path.parent().unwrap_or(Path::new("")).join(file);
                let text = fs::read_to_string(&file)
                    .map_err(|error| refuse(format!("file {}: {error}", file.display())))?;
                // Editors end a file with a newline; one more is a mistake like any other.
                let line = text
                    .strip_suffix('\n')
                    .map(|l| l.strip_suffix('\r').unwrap_or(l));
                line.unwrap_or(&text).to_owned()
            }
        };
        if value.is_empty() {
            return Err(refuse("is empty".to_owned()));
        }
        if value.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(refuse(
                "holds a stray newline, space or control character".to_owned(),
            ));
        }
        Ok(value)
    }

    /// Turns a refusal of the library into a message about the line of `span`.
    fn at(&self, span: Range<usize>) -> impl Fn(ConfigError) -> String {
        move |error| self.problem(span.clone(), error.setting(), error.problem())
    }

    pub(crate) fn problem(&self, span: Range<usize>, key: &str, problem: impl Display) -> String {
        let before = self.text.bytes().take(span.start);
        let line = 1 + before.filter(|byte| *byte == b'\n').count();
        format!("{}:{line}: {key}: {problem}", self.path.display())
    }

    /// A message about what is not TOML, or not what `File` expects.
    fn syntax(&self, mut error: toml::de::Error) -> String {
        let span = error.span().unwrap_or_default();
        // With its input the error would print the line, which may hold a secret.
        error.set_input(None);
        let message = error.to_string().trim_end().replace('\n', " ");
        // So would serde, which quotes the string that it did not expect.
        let message = match (message.find("string \""), message.rfind('"')) {
            (Some(start), Some(end)) => {
                let (before, after) = (&message[..start], &message[end + 1..]);
                format!("{before}string{after}")
            }
            _ => message,
        };
        let start = self.text[..span.start]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let key = self.text[start..]
            .split(['=', '\n'])
            .next()
            .unwrap_or_default()
            .trim();
        let is_key = key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let key = if is_key && !key.is_empty() {
            key
        } else {
            "TOML"
        };
        self.problem(span, key, message)
    }
}
