//! What the configuration says of records: what is kept, and what things cost.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use tower_bedrock::observe::{self, Capture, Prices};
use tower_bedrock::{ConfigError, GatewayBuilder};

use crate::config::Source;
use crate::file::{Drain, Payloads, Price, Rates};

/// All of it is off unless the file says so.
pub(crate) struct Records {
    pub(crate) drain: Option<Drain>,
    pub(crate) payloads: Option<Payloads>,
    pub(crate) usage_headers: Option<NonZeroUsize>,
    pub(crate) prices: Prices,
}

impl Records {
    pub(crate) fn apply(self, mut gateway: GatewayBuilder) -> GatewayBuilder {
        if let Some(Drain { ms, bytes }) = self.drain {
            gateway = gateway.drain(Duration::from_millis(ms.get()), bytes.get());
        }
        if let Some(Payloads { request, response }) = self.payloads {
            let capture = Capture::new(0).with_request_limit(request);
            gateway = gateway.payloads(capture.with_response_limit(response));
        }
        if let Some(limit) = self.usage_headers {
            gateway = gateway.usage_headers(limit.get());
        }
        gateway.prices(self.prices)
    }
}

impl Source<'_> {
    /// The bundled prices, and those of the file.
    pub(crate) fn prices(&self, tables: Vec<Spanned<Price>>) -> Result<Prices, String> {
        let mut prices = Prices::bundled();
        let mut seen = HashSet::new();
        for table in tables {
            let (span, table) = (table.span(), table.into_inner());
            let model = table.model.get_ref().clone();
            if model.is_empty() || !seen.insert(model.clone()) {
                let problem = "must be the name of a model without a price before";
                return Err(self.problem(table.model.span(), "price.model", problem));
            }
            prices = match self.price(span, table)? {
                Cost::Own(price) => prices.with_price(&model, price),
                Cost::SameAs(other) => prices.with_price_of(&model, &other),
            };
        }
        Ok(prices)
    }

    fn price(&self, span: Range<usize>, table: Price) -> Result<Cost, String> {
        if let Some(other) = &table.same_as {
            return match table.first_rate() {
                Some(span) => {
                    let problem = "stands instead of all rates";
                    Err(self.problem(span, "price.same_as", problem))
                }
                None => Ok(Cost::SameAs(other.get_ref().clone())),
            };
        }
        let missing = |key| self.problem(span.clone(), key, "is missing, as is same_as");
        let input = table.input.ok_or_else(|| missing("price.input"))?;
        let output = table.output.ok_or_else(|| missing("price.output"))?;
        let mut price = self.rates(Rates {
            input,
            output,
            cache_read: table.cache_read,
            cache_write: table.cache_write,
            cache_write_1h: table.cache_write_1h,
            speech_input: table.speech_input,
            speech_output: table.speech_output,
        })?;
        for (tier, rates) in [
            ("flex", table.flex),
            ("priority", table.priority),
            ("optimized", table.optimized),
        ] {
            if let Some(rates) = rates {
                let span = rates.span();
                let rates = self.rates(rates.into_inner())?;
                let with = price.with_tier(tier, rates);
                price = with.map_err(|error| self.problem(span, "price", error.problem()))?;
            }
        }
        Ok(Cost::Own(price))
    }

    fn rates(&self, rates: Rates) -> Result<observe::Price, String> {
        type Set = fn(observe::Price, f64) -> Result<observe::Price, ConfigError>;
        let refuse = |span: Range<usize>| {
            move |key: &str| self.problem(span, key, "must be from 0 to 1000000 dollars")
        };
        let (input, output) = (*rates.input.get_ref(), *rates.output.get_ref());
        observe::Price::per_million(input, 0.0)
            .map_err(|_| refuse(rates.input.span())("price.input"))?;
        let mut price = observe::Price::per_million(input, output)
            .map_err(|_| refuse(rates.output.span())("price.output"))?;
        let others: [(&str, Option<Spanned<f64>>, Set); 5] = [
            (
                "price.cache_read",
                rates.cache_read,
                observe::Price::with_cache_read,
            ),
            (
                "price.cache_write",
                rates.cache_write,
                observe::Price::with_cache_write,
            ),
            (
                "price.cache_write_1h",
                rates.cache_write_1h,
                observe::Price::with_cache_write_1h,
            ),
            (
                "price.speech_input",
                rates.speech_input,
                observe::Price::with_speech_input,
            ),
            (
                "price.speech_output",
                rates.speech_output,
                observe::Price::with_speech_output,
            ),
        ];
        for (key, rate, set) in others {
            if let Some(rate) = rate {
                price = set(price, *rate.get_ref()).map_err(|_| refuse(rate.span())(key))?;
            }
        }
        Ok(price)
    }
}

impl Price {
    /// Where the first rate is, if there is one.
    fn first_rate(&self) -> Option<Range<usize>> {
        let rates = [
            &self.input,
            &self.output,
            &self.cache_read,
            &self.cache_write,
            &self.cache_write_1h,
            &self.speech_input,
            &self.speech_output,
        ];
        let rates = rates.into_iter().flatten().map(Spanned::span);
        let tiers = [&self.flex, &self.priority, &self.optimized]
            .into_iter()
            .flatten();
        rates
            .chain(tiers.map(Spanned::span))
            .min_by_key(|span| span.start)
    }
}

/// What a table of the file says.
enum Cost {
    Own(observe::Price),
    SameAs(String),
}
