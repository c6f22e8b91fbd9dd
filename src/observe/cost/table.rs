//! The table of prices in its compact form.
//!
//! One line for each price, with the models that have it, in US dollars for a million tokens:
//! ```text
//! in 3 out 15 read 0.3 write 3.75 write_1h 6 | above 200000 in 6 out 22.5 | flex in 1.5 = a.model us.a.model
//! ```
//! Of speech, where it costs something else, `speech_in` and `speech_out` say so. A model may be preceded
//! by the service `mantle/`, by a region, or by both.

use std::sync::Arc;

use super::decimal::{self, ATTO};
use super::price::{Price, Rates, Step, Tier};
use crate::error::ConfigError;
use crate::kept::ByName;
use crate::route::partition;

#[derive(Debug, Default)]
pub(super) struct Table {
    models: ByName<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    is_mantle: bool,
    region: Option<Box<str>>,
    price: Arc<Price>,
}

impl Table {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut table = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            table.add(line).ok_or_else(|| {
                let text = format!("line {} is not a price with its models", number + 1);
                ConfigError::new("prices", text)
            })?;
        }
        Ok(table)
    }

    pub(super) fn len(&self) -> usize {
        self.models.values().map(Vec::len).sum()
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let (price, models) = line.split_once(" = ")?;
        let steps = price.split(" | ").map(step);
        let price = Arc::new(Price::new(steps.collect::<Option<_>>()?));
        for model in models.split_ascii_whitespace() {
            let (is_mantle, place) = match model.strip_prefix("mantle/") {
                Some(place) => (true, place),
                None => (false, model),
            };
            let (region, model) = match place.split_once('/') {
                Some((region, model)) => (Some(region), model),
                None => (None, place),
            };
            self.models.entry(model.into()).or_default().push(Entry {
                is_mantle,
                region: region.map(Box::from),
                price: Arc::clone(&price),
            });
        }
        Some(())
    }

    /// The price of exactly this model; that of the region before that of all.
    pub(super) fn get(&self, model: &str, region: &str, is_mantle: bool) -> Option<&Arc<Price>> {
        let entries = self.models.get(model)?;
        let find = |is_mantle, region: Option<&str>| {
            let is =
                |entry: &&Entry| entry.is_mantle == is_mantle && entry.region.as_deref() == region;
            entries.iter().find(is).map(|entry| &entry.price)
        };
        let on_mantle = || find(true, Some(region)).or_else(|| find(true, None));
        is_mantle
            .then(on_mantle)
            .flatten()
            .or_else(|| find(false, Some(region)))
            .or_else(|| find(false, None))
    }
}

fn step(text: &str) -> Option<Step> {
    let mut words = text.split_ascii_whitespace().peekable();
    let tier = words.peek().and_then(|word| Tier::named(word));
    if tier.is_some() {
        words.next();
    }
    let mut step = Step {
        tier: tier.unwrap_or(Tier::Standard),
        above: 0,
        rates: Rates::default(),
    };
    while let Some(name) = words.next() {
        let number = words.next()?;
        let rates = &mut step.rates;
        let rate = match name {
            "above" => {
                step.above = number.parse().ok()?;
                continue;
            }
            "in" => &mut rates.input,
            "out" => &mut rates.output,
            "read" => &mut rates.cache_read,
            "write" => &mut rates.cache_write,
            "write_1h" => &mut rates.cache_write_1h,
            "speech_in" => &mut rates.speech_input,
            "speech_out" => &mut rates.speech_output,
            _ => return None,
        };
        *rate = Some(decimal::parse(number, ATTO - 6)?);
    }
    (step.rates != Rates::default()).then_some(step)
}

/// The ids under which the price of `model` may be found: itself, what an ARN of a profile or a
/// foundation model ends in, without a prefix such as `us.`, without a suffix such as `:0`.
pub(super) fn names(model: &str) -> impl Iterator<Item = &str> {
    let is_named = model.contains(":inference-profile/") || model.contains("::foundation-model/");
    let named = match model.rsplit_once('/') {
        Some((_, id)) if model.starts_with("arn:") && is_named => id,
        _ => model,
    };
    let bare = without_place(named);
    let shorter = |id| std::iter::successors(variant(id), |id| variant(id));
    [Some(named), bare]
        .into_iter()
        .flatten()
        .chain(shorter(named))
        .chain(bare.into_iter().flat_map(shorter))
}

/// Without the place that an inference profile begins with.
fn without_place(model: &str) -> Option<&str> {
    // Those of which the table's source has prices. Elsewhere they may be others.
    const PLACES: [&str; 8] = ["us", "eu", "global", "apac", "jp", "au", "us-gov", "in"];
    let (place, id) = model.split_once('.')?;
    // After it come a vendor and a model.
    (PLACES.contains(&place) && id.contains('.')).then_some(id)
}

/// Without the last `:0` or `:200k`.
fn variant(model: &str) -> Option<&str> {
    let (id, variant) = model.rsplit_once(':')?;
    let is_variant = variant.starts_with(|first: char| first.is_ascii_digit());
    (is_variant && !id.is_empty() && !id.starts_with("arn:")).then_some(id)
}

/// The region that an ARN names.
pub(super) fn arn_region(model: &str) -> Option<&str> {
    let region = model.strip_prefix("arn:")?.split(':').nth(2)?;
    partition(region).map(|_| region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models() {
        let profile = "arn:aws:bedrock:us-east-1:1:inference-profile/eu.a.b-v1:0";
        let own = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x1";
        for (model, all) in [
            ("a.b-v1:0", &["a.b-v1:0", "a.b-v1"][..]),
            ("us.a.b", &["us.a.b", "a.b"]),
            ("xx.a.b", &["xx.a.b"]),
            (
                "us-gov.a.b:0:8k",
                &[
                    "us-gov.a.b:0:8k",
                    "a.b:0:8k",
                    "us-gov.a.b:0",
                    "us-gov.a.b",
                    "a.b:0",
                    "a.b",
                ],
            ),
            ("deepseek.v3.2", &["deepseek.v3.2"]),
            ("a.b", &["a.b"]),
            (profile, &["eu.a.b-v1:0", "a.b-v1:0", "eu.a.b-v1", "a.b-v1"]),
            (own, &[own]),
            ("", &[""]),
        ] {
            assert_eq!(names(model).collect::<Vec<_>>(), all, "{model}");
        }
        assert_eq!(arn_region(profile), Some("us-east-1"));
        assert_eq!(arn_region("a.b"), None);
    }

    #[test]
    fn the_nearest_entry() {
        let text = "# facts\n\nin 1 out 2 = a.b\nin 3 = mantle/a.b\nin 5 | flex in 4 = eu-west-1/a.b\nin 6 = mantle/eu-west-1/a.b\n";
        let table = Table::parse(text).unwrap();
        assert_eq!(table.len(), 4);
        let input = |region, is_mantle| {
            let price = table.get("a.b", region, is_mantle)?;
            let usage = crate::observe::usage::Usage {
                input_tokens: Some(1_000_000),
                output_tokens: Some(0),
                ..Default::default()
            };
            Some(price.cost(&usage, Tier::Standard)?.as_usd())
        };
        assert_eq!(input("us-east-1", false), Some(1.0));
        assert_eq!(input("us-east-1", true), Some(3.0));
        assert_eq!(input("eu-west-1", false), Some(5.0));
        assert_eq!(input("eu-west-1", true), Some(6.0));
        assert!(table.get("a.c", "", false).is_none());
    }

    #[test]
    fn lines_that_are_none() {
        for line in [
            "in 1 out 2",
            "= a",
            "in 1 out = a",
            "in -1 = a",
            "in NaN = a",
            "in 1 | fast in 2 = a",
            "in 1 | above x in 2 = a",
            "in 1 | = a",
            "in 99999999 = a",
        ] {
            let error = Table::parse(&format!("# x\n{line}\n")).unwrap_err();
            assert!(error.to_string().contains("line 2"), "{line}: {error}");
        }
    }
}
