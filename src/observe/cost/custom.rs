//! The header `cf-aig-custom-cost`.

use serde_json::value::RawValue;

use super::amount::Cost;
use super::decimal::{self, ATTO};
use crate::fields::{self, Others};
use crate::observe::ignored::Ignored;
use crate::observe::usage::Usage;

const HEADER: &str = "cf-aig-custom-cost";

const TOTAL: &str = "total_cost";
const INPUT: &str = "per_token_in";
const OUTPUT: &str = "per_token_out";
const CACHE_READ: &str = "per_cache_read_token";
const CACHE_WRITE: &str = "per_cache_write_token";

/// A client's own price of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Custom {
    Total(Cost),
    /// In units of 10^-18 dollars a token.
    PerToken {
        input: u64,
        output: u64,
        /// Reading from and writing to the prompt cache, if that has a price of its own.
        cache: Option<(u64, u64)>,
    },
}

impl Custom {
    /// The price in a header's value. What is no price is named in `ignored`: with a rate that is
    /// needed, all of it.
    pub(crate) fn read(json: &[u8], ignored: &mut Ignored) -> Option<Self> {
        let names = [TOTAL, INPUT, OUTPUT, CACHE_READ, CACHE_WRITE];
        let Ok(given) = fields::read::<&RawValue, 5>(json, names, Others::Ignored) else {
            ignored.add(HEADER, "not a JSON object of numbers");
            return None;
        };
        let [total, input, output, cache_read, cache_write] = given;
        let mut read = |name: &str, value: Option<&RawValue>, most: u64, digits: i32| {
            let value = value?.get();
            let number = decimal::parse(value, digits).filter(|&number| number <= most);
            if number.is_none() {
                ignored.add(HEADER, name);
            }
            number
        };
        // A million dollars.
        if let Some(dollars) = read(TOTAL, total, 1_000_000_000_000_000_000, 12) {
            return Some(Self::Total(Cost::from_picodollars(dollars)));
        }
        // A dollar a token.
        let mut rate = |name, value| read(name, value, 1_000_000_000_000_000_000, ATTO);
        let rates = (rate(INPUT, input), rate(OUTPUT, output));
        let cache_read = rate(CACHE_READ, cache_read);
        let cache_write = rate(CACHE_WRITE, cache_write);
        if total.is_none() {
            for (name, value) in [(INPUT, input), (OUTPUT, output)] {
                if value.is_none() {
                    ignored.add(HEADER, &format!("without {name}"));
                }
            }
        }
        let (input, output) = (rates.0?, rates.1?);
        let has_cache = cache_read.or(cache_write).is_some();
        let cache = has_cache.then(|| (cache_read.unwrap_or(input), cache_write.unwrap_or(input)));
        Some(Self::PerToken {
            input,
            output,
            cache,
        })
    }

    /// What these tokens cost, if that is known.
    pub(crate) fn cost(self, usage: &Usage) -> Option<Cost> {
        let (input, output, cache) = match self {
            Self::Total(cost) => return Some(cost),
            Self::PerToken {
                input,
                output,
                cache,
            } => (input, output, cache.unwrap_or((input, input))),
        };
        let parts = [
            (usage.input_tokens?, input),
            (usage.output_tokens?, output),
            (usage.cache_read_tokens.unwrap_or_default(), cache.0),
            (usage.cache_write_tokens.unwrap_or_default(), cache.1),
        ];
        let cost = |(tokens, rate)| u128::from(tokens) * u128::from(rate);
        let sum = parts.into_iter().map(cost).fold(0, u128::saturating_add);
        Some(Cost::from_attodollars(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(json: &str, usage: [u64; 4]) -> (Option<String>, Vec<String>) {
        let mut ignored = Ignored::default();
        let usage = Usage {
            input_tokens: Some(usage[0]),
            output_tokens: Some(usage[1]),
            cache_read_tokens: Some(usage[2]),
            cache_write_tokens: Some(usage[3]),
            ..Usage::default()
        };
        let custom = Custom::read(json.as_bytes(), &mut ignored);
        let cost = custom.and_then(|custom| custom.cost(&usage));
        (cost.map(|cost| cost.to_string()), ignored.into_list())
    }

    #[test]
    fn prices() {
        for (json, expected) in [
            (r#"{"per_token_in":0.001,"per_token_out":0.002}"#, "1.2"),
            (
                r#"{"per_token_in":1e-3,"per_token_out":2E-3,"more":1}"#,
                "1.2",
            ),
            // 200 fresh, 600 read, 200 written, 100 out.
            (
                r#"{"per_token_in":0.001,"per_token_out":0.002,"per_cache_read_token":0.0001}"#,
                "0.66",
            ),
            (
                r#"{"per_token_in":0.001,"per_token_out":0.002,"per_cache_read_token":0.0001,"per_cache_write_token":0.00125}"#,
                "0.71",
            ),
            (r#"{"total_cost":0.12345678901299}"#, "0.123456789012"),
            (r#"{"total_cost":0,"per_token_in":5}"#, "0"),
            (
                r#"{"per_token_in":0.000000000000000001,"per_token_out":1}"#,
                "100",
            ),
        ] {
            let (cost, ignored) = cost(json, [200, 100, 600, 200]);
            assert_eq!(
                (cost.as_deref(), ignored.len()),
                (Some(expected), 0),
                "{json}"
            );
        }
    }

    #[test]
    fn what_is_no_price_is_named() {
        for (json, expected, named) in [
            (r#"{"total_cost":-1}"#, None, &["total_cost"][..]),
            (r#"{"total_cost":1e300}"#, None, &["total_cost"]),
            (r#"{"total_cost":1e999999999999}"#, None, &["total_cost"]),
            (r#"{"total_cost":1000000.1}"#, None, &["total_cost"]),
            (r#"{"total_cost":"1"}"#, None, &["total_cost"]),
            (r#"{"total_cost":true}"#, None, &["total_cost"]),
            (r#"{"total_cost":{"a":1}}"#, None, &["total_cost"]),
            (
                r#"{"total_cost":NaN}"#,
                None,
                &["not a JSON object of numbers"],
            ),
            (
                r#"{"total_cost":Infinity}"#,
                None,
                &["not a JSON object of numbers"],
            ),
            ("12", None, &["not a JSON object of numbers"]),
            (
                "[1,null,null,null,null]",
                None,
                &["not a JSON object of numbers"],
            ),
            (
                r#"{"total_cost":1,"total_cost":1}"#,
                None,
                &["not a JSON object of numbers"],
            ),
            (
                r#"{"total_cost":null}"#,
                None,
                &["without per_token_in", "without per_token_out"],
            ),
            ("", None, &["not a JSON object of numbers"]),
            (
                "{}",
                None,
                &["without per_token_in", "without per_token_out"],
            ),
            (r#"{"per_token_in":1}"#, None, &["without per_token_out"]),
            (
                r#"{"per_token_in":-1,"per_token_out":0}"#,
                None,
                &["per_token_in"],
            ),
            (
                r#"{"per_token_in":1.1,"per_token_out":0}"#,
                None,
                &["per_token_in"],
            ),
            (
                r#"{"total_cost":-1,"per_token_in":0.5,"per_token_out":0}"#,
                Some("2"),
                &["total_cost"],
            ),
            (
                r#"{"per_token_in":0.5,"per_token_out":0,"per_cache_read_token":-1}"#,
                Some("2"),
                &["per_cache_read_token"],
            ),
        ] {
            let (cost, ignored) = cost(json, [1, 1, 2, 1]);
            let named: Vec<_> = named
                .iter()
                .map(|name| format!("{HEADER}: {name}"))
                .collect();
            assert_eq!((cost.as_deref(), ignored), (expected, named), "{json}");
        }
    }

    #[test]
    fn the_greatest_sum() {
        let json = r#"{"per_token_in":1,"per_token_out":1}"#;
        let (cost, _) = cost(json, [u64::MAX; 4]);
        assert_eq!(cost.unwrap(), "18446744.073709551615");
    }
}
