//! What a caller may do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::ConfigError;
use crate::route::{Operation, Route, Surface, check_model, partition};

/// What happens to AWS credentials that a client sends itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ClientCredentials {
    /// They are used: a SigV4 signature or a Bedrock API key travels on untouched.
    #[default]
    PassThrough,
    /// They are dropped; a stored key signs.
    Ignore,
    /// The request is refused.
    Refuse,
}

/// How long the upstream may take. `None` leaves the upstream layer's own setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// To a connection, name resolution and TLS included.
    pub connect: Option<Duration>,
    /// From sending the request to the head of the response.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the response body; of either body, in a bidirectional stream. That it
    /// was longer is seen within a sixteenth of it.
    pub idle: Option<Duration>,
}

/// What the callers of one gateway may do: by default, everything, with their own credentials or
/// the gateway's.
///
/// ```
/// use tower_bedrock::{ClientCredentials, Policy};
///
/// # fn main() -> Result<(), tower_bedrock::ConfigError> {
/// let policy = Policy::new()
///     .with_client_credentials(ClientCredentials::Ignore)
///     .with_regions(["us-east-1", "eu-central-1"])?
///     .with_models(["*anthropic.claude-*"])
///     .with_operations(["Converse", "ConverseStream"])?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policy {
    client_credentials: ClientCredentials,
    regions: Option<Arc<[Box<str>]>>,
    models: Option<Arc<[Box<str>]>>,
    operations: Option<Arc<[Operation]>>,
    aliases: Option<Arc<BTreeMap<Box<str>, ModelAlias>>>,
    strict: bool,
    timeouts: Timeouts,
}

/// What a name of the OpenAI-compatible API stands for.
///
/// ```
/// use tower_bedrock::{ModelAlias, Policy};
///
/// # fn main() -> Result<(), tower_bedrock::ConfigError> {
/// let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
/// let policy = Policy::new()
///     .with_model_alias("gpt-4o-mini", ModelAlias::new("us.anthropic.claude-haiku-4-5-20251001-v1:0")?)?
///     .with_model_alias("ours", ModelAlias::new(profile)?.with_family("anthropic.claude-sonnet-4-5"))?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ModelAlias {
    model: Box<str>,
    family: Option<Box<str>>,
}

impl ModelAlias {
    /// Stands for this model: an id, an inference profile or an ARN of Bedrock's.
    ///
    /// # Errors
    /// If it cannot be a model id.
    pub fn new(model: &str) -> Result<Self, ConfigError> {
        if !check_model(model) {
            return Err(ConfigError::new(
                "model alias",
                format!("\"{model}\" is not a model id of Bedrock"),
            ));
        }
        Ok(Self {
            model: model.into(),
            family: None,
        })
    }

    /// Says of which kind the model is, where its id hides that (an application inference
    /// profile, an imported model): any id of that kind, such as `anthropic.claude-sonnet-4-5`.
    #[must_use]
    pub fn with_family(mut self, id: &str) -> Self {
        self.family = Some(id.into());
        self
    }

    /// The model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Of which kind it is, if that was said.
    pub fn family(&self) -> Option<&str> {
        self.family.as_deref()
    }
}

impl Policy {
    /// Everything is allowed.
    pub fn new() -> Self {
        Self::default()
    }

    /// What happens to credentials that clients send.
    #[must_use]
    pub fn with_client_credentials(mut self, client_credentials: ClientCredentials) -> Self {
        self.client_credentials = client_credentials;
        self
    }

    /// Allows these regions only.
    ///
    /// # Errors
    /// If one of them is not the name of a region.
    pub fn with_regions<I>(mut self, regions: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let regions = regions.into_iter().map(|region| {
            let region = region.as_ref();
            partition(region).map(|_| Box::from(region)).ok_or_else(|| {
                ConfigError::new("regions", format!("\"{region}\" is not an AWS region"))
            })
        });
        self.regions = Some(regions.collect::<Result<_, _>>()?);
        Ok(self)
    }

    /// Allows these models only: patterns in which `*` stands for any number of characters,
    /// matched against the decoded model id in the path. Operations whose model is in the body
    /// are then refused.
    #[must_use]
    pub fn with_models<I>(mut self, models: I) -> Self
    where
        I: IntoIterator<Item: Into<Box<str>>>,
    {
        self.models = Some(models.into_iter().map(Into::into).collect());
        self
    }

    /// Allows these operations only, by their names in AWS's service model.
    ///
    /// # Errors
    /// If one of them is not an [`Operation`].
    pub fn with_operations<I>(mut self, operations: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let operations = operations.into_iter().map(|name| {
            let name = name.as_ref();
            Operation::from_name(name).ok_or_else(|| {
                ConfigError::new(
                    "operations",
                    format!("\"{name}\" is not an operation: expected one such as ConverseStream"),
                )
            })
        });
        self.operations = Some(operations.collect::<Result<_, _>>()?);
        Ok(self)
    }

    /// Lets the OpenAI-compatible API know a model by this name too.
    ///
    /// # Errors
    /// If the name is taken, empty, or longer than 256 bytes.
    pub fn with_model_alias(mut self, name: &str, alias: ModelAlias) -> Result<Self, ConfigError> {
        if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
            return Err(ConfigError::new(
                "model alias",
                "must have a name of 1 to 256 bytes without control characters",
            ));
        }
        let aliases = self.aliases.get_or_insert_default();
        if Arc::make_mut(aliases).insert(name.into(), alias).is_some() {
            return Err(ConfigError::new(
                "model alias",
                format!("\"{name}\" is there twice"),
            ));
        }
        Ok(self)
    }

    /// Whether the OpenAI-compatible API refuses parameters that Bedrock has no counterpart for.
    /// Unless set, they are ignored and named in `x-bedrock-dropped-params`.
    #[must_use]
    pub fn with_strict_parameters(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// What `name` stands for in the OpenAI-compatible API, if it is an alias.
    pub fn model_alias(&self, name: &str) -> Option<&ModelAlias> {
        self.aliases.as_ref()?.get(name)
    }

    /// Whether parameters without a counterpart are refused.
    pub fn strict_parameters(&self) -> bool {
        self.strict
    }

    /// The names under which the OpenAI-compatible API lists models: the aliases, and the models
    /// of the allow-list that are named in full.
    #[cfg(feature = "compat")]
    pub(crate) fn listed_models(&self) -> impl Iterator<Item = (&str, &str)> {
        let allowed = |model: &str| {
            let lists = self.models.as_ref();
            lists.is_none_or(|models| models.iter().any(|pattern| matches(pattern, model)))
        };
        let aliases = self.aliases.iter().flat_map(|aliases| aliases.iter());
        let aliases = aliases
            .map(|(name, alias)| (&**name, alias.model()))
            .filter(move |(_, model)| allowed(model));
        let models = self.models.iter().flat_map(|models| models.iter());
        let named = models.filter(|pattern| !pattern.contains('*'));
        aliases.chain(named.map(|model| (&**model, &**model)))
    }

    /// How long the upstream may take for these callers.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How long the upstream may take.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// What happens to credentials that clients send.
    pub fn client_credentials(&self) -> ClientCredentials {
        self.client_credentials
    }

    /// Whether the allow-lists admit `route`; if not, what is outside them.
    #[cfg_attr(not(feature = "rewrite"), allow(dead_code))]
    pub(crate) fn admits(&self, route: &Route<'_>) -> Result<(), String> {
        let Surface::Native {
            region, operation, ..
        } = route.surface()
        else {
            return Ok(());
        };
        if let Some(regions) = &self.regions
            && !regions.iter().any(|allowed| **allowed == *region)
        {
            return Err(format!("region {region} is not allowed on this gateway"));
        }
        if let Some(operations) = &self.operations
            && !operations.contains(&operation)
        {
            return Err(format!(
                "operation {operation} is not allowed on this gateway"
            ));
        }
        if let Some(models) = &self.models
            && !operation.is_without_model()
        {
            let Some(model) = route.model() else {
                return Err(format!(
                    "this gateway allows certain models only, and {operation} does not name its model in the path"
                ));
            };
            if !models.iter().any(|pattern| matches(pattern, &model)) {
                return Err("this model is not allowed on this gateway".to_owned());
            }
        }
        Ok(())
    }
}

/// Whether `text` as a whole fits `pattern`, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, mut pattern)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    // The leftmost match of each piece leaves the most for those after it.
    while let Some((piece, rest)) = pattern.split_once('*') {
        let Some(at) = text.find(piece) else {
            return false;
        };
        text = text.get(at + piece.len()..).unwrap_or_default();
        pattern = rest;
    }
    text.ends_with(pattern)
}

#[cfg(test)]
mod tests {
    use super::{Policy, matches};
    use crate::route::RouteConfig;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("ab*bc", "abc", false),
            ("*b*", "abc", true),
            ("*x*", "abc", false),
            ("a**c", "abc", true),
            ("*a*b*c", "xaybzc", true),
            ("*a*b*c", "xaybz", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn allow_lists() {
        let policy = Policy::new()
            .with_regions(["us-east-1"])
            .and_then(|p| p.with_operations(["Converse", "ApplyGuardrail", "ChatCompletions"]))
            .unwrap()
            .with_models(["*anthropic.claude*:0"]);
        let admits = |region: &str, rest: &str| {
            let path = format!("/v1/a/g/aws-bedrock/bedrock-runtime/{region}/{rest}");
            let parsed = RouteConfig::new().parse(&path).unwrap();
            policy.admits(&parsed.route())
        };
        let allowed = "model/us.anthropic.claude-x%3A0/converse";
        assert_eq!(admits("us-east-1", allowed), Ok(()));
        assert_eq!(admits("us-east-1", "guardrail/g/version/1/apply"), Ok(()));
        for (region, rest) in [
            ("us-west-2", allowed),
            ("us-east-1", "model/us.anthropic.claude-x%3A0/invoke"),
            ("us-east-1", "model/amazon.nova/converse"),
            ("us-east-1", "model/us.anthropic.claude-x%253A0/converse"),
            ("us-east-1", "openai/v1/chat/completions"),
            ("us-east-1", "foundation-models"),
        ] {
            assert!(admits(region, rest).is_err(), "{region} {rest}");
        }
        assert!(Policy::new().with_regions(["mars-1"]).is_err());
        assert!(Policy::new().with_operations(["converse"]).is_err());
    }
}
