//! The configuration file as it is written, before it is checked.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;
use tower_bedrock::ClientCredentials;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) admin_token: Option<Spanned<Secret>>,
    /// Paths begin below this, such as `/ai`.
    pub(crate) prefix: Option<Spanned<String>>,
    /// Whose gateway answers paths that do not name one.
    pub(crate) custom_domain: Option<Spanned<CustomDomain>>,
    pub(crate) body_limit: Option<NonZeroUsize>,
    pub(crate) message_limit: Option<Spanned<NonZeroUsize>>,
    pub(crate) drain: Option<Drain>,
    pub(crate) payloads: Option<Payloads>,
    pub(crate) usage_headers: Option<NonZeroUsize>,
    #[serde(default)]
    pub(crate) price: Vec<Spanned<Price>>,
    #[serde(default)]
    pub(crate) gateway: Vec<Spanned<Gateway>>,
}

/// How long, and how much, an answer is read on whose client has left.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drain {
    pub(crate) ms: NonZeroU64,
    pub(crate) bytes: NonZeroU64,
}

/// How much is kept of bodies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payloads {
    #[serde(default)]
    pub(crate) request: usize,
    #[serde(default)]
    pub(crate) response: usize,
}

/// What a model costs: rates, or the name of a model that costs the same.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    pub(crate) model: Spanned<String>,
    pub(crate) same_as: Option<Spanned<String>>,
    pub(crate) input: Option<Spanned<f64>>,
    pub(crate) output: Option<Spanned<f64>>,
    pub(crate) cache_read: Option<Spanned<f64>>,
    pub(crate) cache_write: Option<Spanned<f64>>,
    pub(crate) cache_write_1h: Option<Spanned<f64>>,
    pub(crate) speech_input: Option<Spanned<f64>>,
    pub(crate) speech_output: Option<Spanned<f64>>,
    pub(crate) flex: Option<Spanned<Rates>>,
    pub(crate) priority: Option<Spanned<Rates>>,
    pub(crate) optimized: Option<Spanned<Rates>>,
}

/// In US dollars for a million tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rates {
    pub(crate) input: Spanned<f64>,
    pub(crate) output: Spanned<f64>,
    pub(crate) cache_read: Option<Spanned<f64>>,
    pub(crate) cache_write: Option<Spanned<f64>>,
    pub(crate) cache_write_1h: Option<Spanned<f64>>,
    pub(crate) speech_input: Option<Spanned<f64>>,
    pub(crate) speech_output: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomDomain {
    pub(crate) account_id: String,
    pub(crate) gateway_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gateway {
    pub(crate) account_id: Spanned<String>,
    pub(crate) gateway_id: Spanned<String>,
    pub(crate) authentication: Option<Spanned<bool>>,
    #[serde(default)]
    pub(crate) allow_unauthenticated_spend: bool,
    #[serde(default)]
    pub(crate) tokens: Vec<Spanned<Secret>>,
    #[serde(default)]
    pub(crate) tokens_sha256: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) client_credentials: Mode,
    pub(crate) regions: Option<Spanned<Vec<String>>>,
    pub(crate) models: Option<Vec<String>>,
    pub(crate) operations: Option<Spanned<Vec<String>>>,
    pub(crate) connect_timeout_ms: Option<NonZeroU64>,
    pub(crate) first_byte_timeout_ms: Option<NonZeroU64>,
    pub(crate) idle_timeout_ms: Option<NonZeroU64>,
    #[serde(default)]
    pub(crate) strict_parameters: bool,
    #[serde(default)]
    pub(crate) model: Vec<Model>,
    #[serde(default)]
    pub(crate) provider_key: Vec<Spanned<ProviderKey>>,
}

/// A name of the OpenAI-compatible API, and what it stands for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) name: Spanned<String>,
    pub(crate) id: Spanned<String>,
    pub(crate) family: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    #[default]
    PassThrough,
    Ignore,
    Refuse,
}

impl From<Mode> for ClientCredentials {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::PassThrough => Self::PassThrough,
            Mode::Ignore => Self::Ignore,
            Mode::Refuse => Self::Refuse,
        }
    }
}

/// What a dashboard takes as a JSON object, key by key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ProviderKey {
    #[serde(default = "default_alias")]
    pub(crate) alias: String,
    pub(crate) access_key_id: Option<Spanned<Secret>>,
    pub(crate) secret_access_key: Option<Spanned<Secret>>,
    pub(crate) session_token: Option<Spanned<Secret>>,
    pub(crate) api_key: Option<Spanned<Secret>>,
    pub(crate) region: Spanned<String>,
}

fn default_alias() -> String {
    "default".to_owned()
}

/// A secret, or where it is.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
#[serde(expecting = "expected a string, { env = \"NAME\" } or { file = \"PATH\" }")]
pub(crate) enum Secret {
    Text(String),
    Env { env: String },
    File { file: PathBuf },
}
