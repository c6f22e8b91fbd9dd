use super::amount::Cost;
use super::decimal::{self, ATTO};
use crate::error::ConfigError;
use crate::observe::usage::Usage;

/// What a model's tokens cost, by service tier and by the length of what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The first is the standard one.
    steps: Vec<Step>,
}

/// Rates for a tier, from a length of the input on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) tier: Tier,
    /// More tokens than this.
    pub(super) above: u64,
    pub(super) rates: Rates,
}

/// In units of 10^-18 dollars a token: what is a picodollar for a million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cache_read: Option<u64>,
    pub(super) cache_write: Option<u64>,
    pub(super) cache_write_1h: Option<u64>,
    pub(super) speech_input: Option<u64>,
    pub(super) speech_output: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    Standard,
    Flex,
    Priority,
    Batch,
    Ultrafast,
    /// No service tier, but Converse's `performanceConfig`: as dear or cheap in its own way.
    Optimized,
}

/// One of the rates.
type Kind = fn(&Rates) -> Option<u64>;

impl Tier {
    /// The tier that an answer names, if it is known what it costs; the standard one, if it names
    /// none. `mode` is how fast the model was to answer.
    pub(crate) fn of(name: Option<&str>, mode: Option<&str>) -> Option<Self> {
        let tier = match name {
            // Of Bedrock and OpenAI, and of Anthropic.
            None | Some("" | "default" | "standard") => Self::Standard,
            Some(name) => Self::named(name)?,
        };
        match (tier, mode) {
            (tier, None | Some("standard")) => Some(tier),
            (Self::Standard, Some("optimized")) => Some(Self::Optimized),
            _ => None,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "flex" => Self::Flex,
            "priority" => Self::Priority,
            "batch" => Self::Batch,
            "ultrafast" => Self::Ultrafast,
            "optimized" => Self::Optimized,
            _ => return None,
        })
    }
}

impl Price {
    /// A price in US dollars for a million tokens: of what the model is given, and of what it
    /// writes. Without rates of their own, tokens that come from the prompt cache or go there
    /// cost as much as others that the model is given.
    ///
    /// # Errors
    /// If a number is negative, not finite, or above a million.
    pub fn per_million(input: f64, output: f64) -> Result<Self, ConfigError> {
        let rates = Rates {
            input: Some(rate(input)?),
            output: Some(rate(output)?),
            ..Rates::default()
        };
        Ok(Self::new(vec![Step {
            tier: Tier::Standard,
            above: 0,
            rates,
        }]))
    }

    /// For a million tokens that come from the prompt cache.
    ///
    /// # Errors
    /// As with [`per_million`](Self::per_million).
    pub fn with_cache_read(mut self, price: f64) -> Result<Self, ConfigError> {
        let price = rate(price)?;
        self.standard(|rates| rates.cache_read = Some(price));
        Ok(self)
    }

    /// For a million tokens that go to the prompt cache.
    ///
    /// # Errors
    /// As with [`per_million`](Self::per_million).
    pub fn with_cache_write(mut self, price: f64) -> Result<Self, ConfigError> {
        let price = rate(price)?;
        self.standard(|rates| rates.cache_write = Some(price));
        Ok(self)
    }

    /// For a million of those that the prompt cache keeps for an hour.
    ///
    /// # Errors
    /// As with [`per_million`](Self::per_million).
    pub fn with_cache_write_1h(mut self, price: f64) -> Result<Self, ConfigError> {
        let price = rate(price)?;
        self.standard(|rates| rates.cache_write_1h = Some(price));
        Ok(self)
    }

    /// For a million tokens of speech that the model is given. Without it they cost as much as others.
    ///
    /// # Errors
    /// As with [`per_million`](Self::per_million).
    pub fn with_speech_input(mut self, price: f64) -> Result<Self, ConfigError> {
        let price = rate(price)?;
        self.standard(|rates| rates.speech_input = Some(price));
        Ok(self)
    }

    /// For a million tokens of speech that the model writes. Without it they cost as much as others.
    ///
    /// # Errors
    /// As with [`per_million`](Self::per_million).
    pub fn with_speech_output(mut self, price: f64) -> Result<Self, ConfigError> {
        let price = rate(price)?;
        self.standard(|rates| rates.speech_output = Some(price));
        Ok(self)
    }

    /// The price of all tokens of a request in which the model is given more than so many.
    pub fn with_price_above(mut self, tokens: u64, price: Self) -> Self {
        self.steps.extend(price.steps.into_iter().map(|step| Step {
            above: tokens.max(step.above),
            ..step
        }));
        self
    }

    /// The price in a service tier: `flex`, `priority`, `batch` or `ultrafast`; or `optimized`, that of
    /// latency-optimized inference. In a tier without a price, the cost is not known; nor is it where the standard tier has a rate, as for a cache or
    /// for a long input, and this one does not.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn with_tier(mut self, tier: &str, price: Self) -> Result<Self, ConfigError> {
        let tier = Tier::named(tier).ok_or_else(|| {
            ConfigError::new("price", format!("{tier:?} is not the name of a tier"))
        })?;
        self.steps
            .extend(price.steps.into_iter().map(|step| Step { tier, ..step }));
        Ok(self)
    }

    pub(super) fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    fn standard(&mut self, set: impl FnOnce(&mut Rates)) {
        if let Some(step) = self.steps.first_mut() {
            set(&mut step.rates);
        }
    }

    /// What these tokens cost; `None` if a count or a rate is not known that would matter.
    pub(crate) fn cost(&self, usage: &Usage, tier: Tier) -> Option<Cost> {
        let all = usage.tokens_in()?;
        let rate = |kind: Kind, instead| self.rate(tier, all, kind, instead);
        let input = rate(|rates| rates.input, None);
        let output = rate(|rates| rates.output, None);
        let cache_read = rate(|rates| rates.cache_read, input);
        let cache_write = rate(|rates| rates.cache_write, input);
        let cache_write_1h = rate(|rates| rates.cache_write_1h, cache_write);

        let speech_input = rate(|rates| rates.speech_input, input);
        let speech_output = rate(|rates| rates.speech_output, output);

        let written = usage.cache_write_tokens.unwrap_or_default();
        let for_an_hour = usage.cache_write_1h_tokens.unwrap_or_default().min(written);
        // Where nothing is written, as with embeddings, the answer does not say so.
        let output_tokens = match usage.output_tokens {
            None if output == Some(0) => 0,
            tokens => tokens?,
        };
        // Where speech costs something else, it matters how much of it there was.
        let speech = |tokens: Option<u64>, all: u64, rate: Option<u64>, of_text| match tokens {
            None if rate != of_text && all > 0 => None,
            tokens => Some(tokens.unwrap_or_default().min(all)),
        };
        let input_tokens = usage.input_tokens?;
        let heard = speech(usage.speech_input_tokens, input_tokens, speech_input, input)?;
        let spoken = speech(
            usage.speech_output_tokens,
            output_tokens,
            speech_output,
            output,
        )?;
        let parts = [
            (input_tokens - heard, input),
            (heard, speech_input),
            (output_tokens - spoken, output),
            (spoken, speech_output),
            (usage.cache_read_tokens.unwrap_or_default(), cache_read),
            (written - for_an_hour, cache_write),
            (for_an_hour, cache_write_1h),
        ];
        let mut sum = 0u128;
        for (tokens, rate) in parts.into_iter().filter(|&(tokens, _)| tokens > 0) {
            sum = sum.saturating_add(u128::from(tokens) * u128::from(rate?));
        }
        // A model without any price is not known, whatever was counted.
        input.or(output)?;
        Some(Cost::from_attodollars(sum))
    }

    /// The tier's rate for the longest input; `instead`, if no tier has one. What is standard in
    /// one way says nothing of a tier that does not differ in it too.
    fn rate(&self, tier: Tier, tokens: u64, kind: Kind, instead: Option<u64>) -> Option<u64> {
        let of = |tier| {
            let steps = self.steps.iter();
            steps
                .filter(|step| step.tier == tier && (step.above == 0 || tokens > step.above))
                .filter_map(|step| Some((step.above, kind(&step.rates)?)))
                .max_by_key(|&(above, _)| above)
        };
        let own = of(tier);
        let standard = match tier {
            Tier::Standard => own,
            _ => of(Tier::Standard),
        };
        match (own, standard) {
            (None, None) => instead,
            (own, standard) => own
                .filter(|&(above, _)| standard.is_none_or(|(longest, _)| above >= longest))
                .map(|(_, rate)| rate),
        }
    }
}

/// Dollars for a million tokens.
fn rate(dollars: f64) -> Result<u64, ConfigError> {
    // Twelve digits after the point, and six more for the million.
    let rate = (dollars <= 1_000_000.0)
        .then(|| decimal::parse(&dollars.to_string(), ATTO - 6))
        .flatten();
    rate.ok_or_else(|| ConfigError::new("price", format!("{dollars} is not a price")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, output: u64) -> Usage {
        Usage {
            input_tokens: Some(input),
            output_tokens: Some(output),
            ..Usage::default()
        }
    }

    fn dollars(price: &Price, usage: &Usage, tier: &str) -> Option<String> {
        let cost = price.cost(usage, Tier::of(Some(tier), None)?);
        cost.map(|cost| cost.to_string())
    }

    #[test]
    fn by_kind_of_token() {
        let price = Price::per_million(3.0, 15.0).unwrap();
        let cached = Usage {
            cache_read_tokens: Some(1_000_000),
            cache_write_tokens: Some(300_000),
            cache_write_1h_tokens: Some(100_000),
            ..usage(2_000_000, 100_000)
        };
        assert_eq!(dollars(&price, &usage(1, 1), "").unwrap(), "0.000018");
        assert_eq!(dollars(&price, &cached, "").unwrap(), "11.4");
        let price = price.with_cache_read(0.3).unwrap();
        let price = price.with_cache_write(3.75).unwrap();
        // 6 + 1.5 + 0.3 + 0.3 × 3.75
        assert_eq!(dollars(&price, &cached, "").unwrap(), "8.925");
        let price = price.with_cache_write_1h(6.0).unwrap();
        assert_eq!(dollars(&price, &cached, "").unwrap(), "9.15");
        // No more than was written at all.
        let odd = Usage {
            cache_write_1h_tokens: Some(9),
            ..usage(1, 0)
        };
        assert_eq!(dollars(&price, &odd, "").unwrap(), "0.000003");
    }

    #[test]
    fn by_tier_and_length() {
        let price = Price::per_million(1.0, 10.0)
            .and_then(|price| price.with_cache_read(0.1))
            .unwrap();
        let long = Price::per_million(2.0, 15.0).unwrap();
        let flex = Price::per_million(0.5, 5.0).unwrap();
        let price = price.with_price_above(200_000, long);
        let price = price.with_tier("flex", flex).unwrap();
        for (input, tier, cost) in [
            (200_000, "default", Some("0.20001")),
            (200_001, "standard", Some("0.400017")),
            (200_000, "", Some("0.20001")),
            (200_000, "flex", Some("0.100005")),
            // What a long input costs there, nobody has said.
            (200_001, "flex", None),
            (200_000, "priority", None),
            (200_000, "reserved", None),
            (200_000, "auto", None),
            (200_000, "new", None),
        ] {
            let found = dollars(&price, &usage(input, 1), tier);
            assert_eq!(found.as_deref(), cost, "{input} {tier}");
        }
        let read = Usage {
            cache_read_tokens: Some(10),
            ..usage(0, 0)
        };
        assert_eq!(dollars(&price, &read, "").unwrap(), "0.000001");
        // Nor of the cache.
        assert_eq!(dollars(&price, &read, "flex"), None);
        let cached = Price::per_million(0.5, 5.0)
            .and_then(|price| price.with_cache_read(0.05))
            .unwrap();
        let price = price.with_tier("priority", cached).unwrap();
        assert_eq!(dollars(&price, &read, "priority").unwrap(), "0.0000005");
        let plain = Price::per_million(2.0, 2.0).unwrap();
        let plain = plain.with_tier("flex", Price::per_million(1.0, 1.0).unwrap());
        assert_eq!(dollars(&plain.unwrap(), &read, "flex").unwrap(), "0.00001");
        assert!(
            price
                .with_tier("fast", Price::per_million(1.0, 1.0).unwrap())
                .is_err()
        );
    }

    #[test]
    fn unknown_is_not_nothing() {
        let price = Price::per_million(3.0, 15.0).unwrap();
        let free = Price::per_million(0.0, 0.0).unwrap();
        let embedding = Price::per_million(0.02, 0.0).unwrap();
        let silent = Usage::default();
        let half = Usage {
            input_tokens: Some(1_000_000),
            ..silent
        };
        assert_eq!(dollars(&price, &silent, ""), None);
        assert_eq!(dollars(&price, &half, ""), None);
        assert_eq!(dollars(&embedding, &half, "").unwrap(), "0.02");
        assert_eq!(dollars(&free, &usage(5, 5), "").unwrap(), "0");
        assert_eq!(dollars(&Price::new(vec![]), &usage(0, 0), ""), None);
    }

    #[test]
    fn the_greatest_sums() {
        let price = Price::per_million(1_000_000.0, 1_000_000.0).unwrap();
        let all = Usage {
            cache_read_tokens: Some(u64::MAX),
            cache_write_tokens: Some(u64::MAX),
            ..usage(u64::MAX, u64::MAX)
        };
        let cost = price.cost(&all, Tier::Standard).unwrap();
        assert_eq!(cost.picodollars(), u64::MAX);
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1_000_001.0, 1e300] {
            assert!(Price::per_million(bad, 1.0).is_err());
            assert!(Price::per_million(1.0, bad).is_err());
        }
    }
}
