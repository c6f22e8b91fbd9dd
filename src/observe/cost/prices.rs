use std::fmt;
use std::sync::{Arc, LazyLock};

use super::amount::Cost;
use super::price::{Price, Tier};
use super::table::{Table, arn_region, names};
use crate::error::ConfigError;
use crate::kept::ByName;
use crate::observe::usage::Usage;

/// Written by `examples/prices.rs`.
const BUNDLED: &str = include_str!("prices.txt");

/// What the tokens of models cost.
///
/// A price is looked up by the model that was asked for: first among those that were set here, by
/// the name in the body (an alias of the OpenAI-compatible API, say), then by the id in the path;
/// then in the table: the id as it is, without the prefix of an inference profile (`us.`), without
/// suffixes such as `:0`; each for the region first. An ARN of an inference profile or of a
/// foundation model counts as the id that it ends in. That of an application inference profile says
/// nothing of its model: set its price here.
///
/// What the answer says of its model counts only where nobody knows what was asked for: where the
/// path names none, as on `bedrock-mantle`, and the layer that reads it in the body
/// ([`CaptureRequestLayer`](super::super::CaptureRequestLayer)) is not there. Claude's own name
/// for itself there, `claude-haiku-4-5-20251001`, counts as `anthropic.claude-haiku-4-5`.
///
/// A price is for one service tier, and AWS has one price for each: `default` is the standard
/// one, which other tiers cost more or less than. So without a price for the tier that the answer
/// names there is no cost; nor is there for `reserved`, which is not paid by the token. Latency-optimized
/// inference, as an answer's `performanceConfig` tells, counts as a tier too: the bundled table has no
/// price for it.
///
/// Speech has a price of its own, which counts by how many tokens of it the answer tells of.
///
/// The prefix of an inference profile is `us`, `eu`, `global`, `apac`, `jp`, `au`, `us-gov` or `in`;
/// behind others, that are new or made up, nothing has a price that is known.
///
/// Nothing is kept of what is looked up.
///
/// ```
/// use tower_bedrock::observe::{ObservabilityLayer, Price, Prices};
///
/// # fn main() -> Result<(), tower_bedrock::ConfigError> {
/// let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/team-a";
/// let prices = Prices::bundled()
///     .with_price_of(arn, "us.anthropic.claude-haiku-4-5-20251001-v1:0")
///     .with_price("ours", Price::per_million(0.5, 2.0)?.with_cache_read(0.05)?);
/// let layer = ObservabilityLayer::default().with_prices(prices);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Prices(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    table: Arc<Table>,
    own: ByName<Own>,
}

#[derive(Clone)]
enum Own {
    Price(Arc<Price>),
    /// That of another model.
    Of(Box<str>),
}

impl Prices {
    /// The prices of on-demand use that were known when this version was made. AWS changes them:
    /// see [`from_table`](Self::from_table).
    pub fn bundled() -> Self {
        static TABLE: LazyLock<Arc<Table>> =
            LazyLock::new(|| Arc::new(Table::parse(BUNDLED).unwrap_or_default()));
        Self::of(Arc::clone(&TABLE))
    }

    /// No prices: only those that are added are known.
    pub fn none() -> Self {
        Self::of(Arc::default())
    }

    /// The prices of a table in the form that `cargo run --example prices` writes.
    ///
    /// # Errors
    /// If a line is not in that form; the error names it.
    pub fn from_table(text: &str) -> Result<Self, ConfigError> {
        Ok(Self::of(Arc::new(Table::parse(text)?)))
    }

    /// Sets the price of a model: by its id, by an ARN, or by a name of the OpenAI-compatible API.
    #[must_use]
    pub fn with_price(self, model: &str, price: Price) -> Self {
        self.with(model, Own::Price(Arc::new(price)))
    }

    /// Says that one model, or ARN, has the price of another.
    #[must_use]
    pub fn with_price_of(self, model: &str, other: &str) -> Self {
        self.with(model, Own::Of(other.into()))
    }

    /// How many prices there are.
    pub fn len(&self) -> usize {
        self.0.table.len() + self.0.own.len()
    }

    /// Whether there is no price.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn of(table: Arc<Table>) -> Self {
        let own = ByName::default();
        Self(Arc::new(Inner { table, own }))
    }

    fn with(mut self, model: &str, own: Own) -> Self {
        Arc::make_mut(&mut self.0).own.insert(model.into(), own);
        self
    }

    /// The price of these tokens, if the model has one and all that matters was counted.
    pub(crate) fn cost(&self, asked: &Asked<'_>, usage: &Usage) -> Option<Cost> {
        let tier = Tier::of(asked.service_tier, asked.mode)?;
        self.find(asked)?.cost(usage, tier)
    }

    /// The price itself, of all tiers.
    pub(crate) fn find(&self, asked: &Asked<'_>) -> Option<&Arc<Price>> {
        let is_asked = asked.named.is_some() || asked.model.is_some();
        let told = asked.told.filter(|_| !is_asked);
        let own = [asked.named, asked.model, told]
            .into_iter()
            .flatten()
            .find_map(|name| self.0.own.get(name.strip_suffix('/').unwrap_or(name)));
        match own {
            Some(Own::Price(price)) => return Some(price),
            Some(Own::Of(other)) => return self.in_table(other, asked),
            None => {}
        }
        match (asked.model.or(asked.named), told) {
            (Some(model), _) => self.in_table(model, asked),
            (None, Some(told)) => self.in_table(told, asked).or_else(|| {
                let name = told.strip_prefix("claude-").map(without_date)?;
                self.in_table(&format!("anthropic.claude-{name}"), asked)
            }),
            (None, None) => None,
        }
    }

    fn in_table(&self, model: &str, asked: &Asked<'_>) -> Option<&Arc<Price>> {
        let region = asked.region.or_else(|| arn_region(model));
        let region = region.unwrap_or_default();
        names(model).find_map(|name| self.0.table.get(name, region, asked.is_mantle))
    }
}

/// Without the day of its making.
fn without_date(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((name, date)) if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => name,
    }
}

impl Default for Prices {
    /// [`bundled`](Self::bundled).
    fn default() -> Self {
        Self::bundled()
    }
}

impl fmt::Debug for Prices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prices")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Whose price is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked<'a> {
    /// The model in the path.
    pub(crate) model: Option<&'a str>,
    /// The model as the request's body names it.
    pub(crate) named: Option<&'a str>,
    /// The model that the answer names.
    pub(crate) told: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) is_mantle: bool,
    pub(crate) service_tier: Option<&'a str>,
    /// How fast the model was to answer: `standard` or `optimized`.
    pub(crate) mode: Option<&'a str>,
}
