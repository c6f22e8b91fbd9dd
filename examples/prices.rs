//! Makes the table of prices from a file in the form of litellm's `model_prices_and_context_window.json`.
//!
//! Run with `cargo run --example prices -- FILE.json > prices.txt`; a program reads the result with
//! `Prices::from_table`. The table in this repository is `src/observe/cost/prices.txt`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;

use serde_json::{Map, Value};
use tower_bedrock::observe::Prices;

/// What litellm calls the rates, and what the table does. The last that fits counts.
const RATES: [(&str, &str); 7] = [
    ("input_cost_per_token", "in"),
    ("output_cost_per_token", "out"),
    ("cache_read_input_token_cost", "read"),
    ("cache_creation_input_token_cost", "write"),
    ("cache_creation_input_token_cost_above_1hr", "write_1h"),
    ("input_cost_per_audio_token", "speech_in"),
    ("output_cost_per_audio_token", "speech_out"),
];

/// What inference profiles begin with, for which the table is looked up without it too.
const PLACES: [&str; 8] = ["us", "eu", "global", "apac", "jp", "au", "us-gov", "in"];

const TIERS: [(&str, &str); 4] = [
    ("_flex", "flex"),
    ("_priority", "priority"),
    ("_batches", "batch"),
    ("_ultrafast", "ultrafast"),
];

/// For a tier and a length: the rates, by their place in [`RATES`].
type Steps = BTreeMap<(usize, u64), BTreeMap<usize, String>>;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: prices FILE.json")?;
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
    let models = json.get("models").unwrap_or(&json);
    let models = models.as_object().ok_or("the file is not a JSON object")?;
    let source = json["_source"].as_str();
    let text = table(models, source.unwrap_or("BerriAI/litellm, MIT licence"));
    eprintln!("{} prices", Prices::from_table(&text)?.len());
    print!("{text}");
    Ok(())
}

fn table(models: &Map<String, Value>, source: &str) -> String {
    let mut prices = BTreeMap::new();
    for (key, facts) in models {
        let (Some(id), Some(facts)) = (id(key), facts.as_object()) else {
            continue;
        };
        let provider = facts.get("litellm_provider").and_then(Value::as_str);
        let price = price(facts);
        if provider.is_some_and(|provider| provider.starts_with("bedrock"))
            && price.starts_with("in ")
            && is_by_token(facts)
            // Of two keys for one model the plain one counts.
            && (id == *key || !models.contains_key(&id))
        {
            prices.insert(id, price);
        }
    }
    let mut by_price: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, price) in &prices {
        // What is found under a shorter id as well need not be said twice.
        if shorter(id).is_none_or(|id| prices.get(id) != Some(price)) {
            by_price.entry(price).or_default().push(id);
        }
    }
    let mut lines: Vec<_> = by_price
        .into_iter()
        .map(|(price, ids)| (ids, price))
        .collect();
    lines.sort();
    let mut text = String::from(
        "# On-demand prices of models on Amazon Bedrock, in US dollars for a million tokens.\n",
    );
    let _ = writeln!(
        text,
        "# Written by examples/prices.rs; facts from litellm's model_prices (MIT):"
    );
    let _ = writeln!(text, "# {}\n", source.replace('\n', " "));
    for (ids, price) in lines {
        let _ = writeln!(text, "{price} = {}", ids.join(" "));
    }
    text
}

/// Whether tokens of text and speech are all that is paid for: a price that leaves pictures or
/// searches out would be too low.
fn is_by_token(facts: &Map<String, Value>) -> bool {
    let price = |name: &str| facts.get(name).and_then(Value::as_f64).unwrap_or_default();
    let is_other = |name: &str| {
        let rest = name.strip_prefix("input_cost_per_");
        rest.is_some_and(|rest| !rest.starts_with("token") && rest != "audio_token")
            && ![0.0, price("input_cost_per_token")].contains(&price(name))
    };
    let has_rate = RATES.iter().any(|(rate, _)| price(rate) > 0.0);
    has_rate && !facts.keys().any(|name| is_other(name))
}

/// The model of a key such as `bedrock/us-gov-west-1/anthropic.claude-v2:1`; none for capacity
/// that is bought by the hour.
fn id(key: &str) -> Option<String> {
    let (service, place) = match key.split_once('/') {
        None => return Some(key.to_owned()),
        Some(("bedrock", place)) => ("", place),
        Some(("bedrock_mantle", place)) => ("mantle/", place),
        Some(_) => return None,
    };
    let region = place.split_once('/').map(|(region, _)| region);
    let is_region = |name: &str| name.ends_with(|last: char| last.is_ascii_digit());
    let is_plain = place.matches('/').count() == usize::from(region.is_some());
    (is_plain && region.is_none_or(is_region)).then(|| format!("{service}{place}"))
}

/// Without the prefix of an inference profile, or else without the region.
fn shorter(id: &str) -> Option<&str> {
    let bare = id
        .rsplit('/')
        .next()
        .filter(|bare| *bare != id && !id.starts_with("mantle/"));
    bare.or_else(|| {
        let (place, bare) = id.split_once('.')?;
        (PLACES.contains(&place) && bare.contains('.')).then_some(bare)
    })
}

fn price(facts: &Map<String, Value>) -> String {
    let mut steps = Steps::new();
    for (name, value) in facts {
        let found = RATES.iter().enumerate().rev();
        let mut found =
            found.filter_map(|(kind, (rate, _))| Some((kind, name.strip_prefix(rate)?)));
        let (Some((kind, rest)), Some(dollars)) = (found.next(), value.as_f64()) else {
            continue;
        };
        let Some(step) = step(rest) else { continue };
        // Speech that costs as much as text is no other.
        let text = name.replace("_audio_token", "_token");
        if text != *name && facts.get(&text) == Some(value) {
            continue;
        }
        // Nine digits after the point are more than any price has.
        let million = format!("{:.9}", dollars * 1e6);
        let million = million
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned();
        steps.entry(step).or_default().insert(kind, million);
    }
    let steps = steps.into_iter().map(|((tier, above), rates)| {
        let mut words = Vec::new();
        if let Some((_, tier)) = tier.checked_sub(1).and_then(|tier| TIERS.get(tier)) {
            words.push((*tier).to_owned());
        }
        if above > 0 {
            words.push(format!("above {above}"));
        }
        words.extend(
            rates
                .into_iter()
                .map(|(kind, rate)| format!("{} {rate}", RATES[kind].1)),
        );
        words.join(" ")
    });
    steps.collect::<Vec<_>>().join(" | ")
}

/// The tier, counted from 1, and the length in the rest of a rate's name.
fn step(rest: &str) -> Option<(usize, u64)> {
    let tier = TIERS.iter().position(|(tier, _)| rest.ends_with(tier));
    let rest = tier.map_or(Some(rest), |tier| rest.strip_suffix(TIERS[tier].0))?;
    let above = match rest {
        "" => 0,
        rest => {
            let thousands = rest.strip_prefix("_above_")?.strip_suffix("k_tokens")?;
            thousands.parse::<u64>().ok()? * 1000
        }
    };
    Some((tier.map_or(0, |tier| tier + 1), above))
}
