//! What a request costs, and the headers that say so.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::asked::Asked;
use super::cost::{self, Cost, Custom, Prices, Tier};
use super::known::Named;
use super::observation::{Answer, Observation};
use super::place::Place;
use super::reader::Reading;
use crate::context::Context;
use crate::route::decode;

const TOKENS_IN: HeaderName = HeaderName::from_static("x-bedrock-usage-tokens-in");
const TOKENS_OUT: HeaderName = HeaderName::from_static("x-bedrock-usage-tokens-out");
const CACHE_READ: HeaderName = HeaderName::from_static("x-bedrock-usage-tokens-cache-read");
const CACHE_WRITE: HeaderName = HeaderName::from_static("x-bedrock-usage-tokens-cache-write");
const COST: HeaderName = HeaderName::from_static("x-bedrock-usage-cost");

/// Whether the price is the client's own, and the price. Only what the upstream did costs.
pub(super) fn bill(
    prices: &Prices,
    asked: &mut Asked,
    answer: Option<&Answer>,
    context: &Context,
    (place, named): (&Place<'_>, Option<&Named>),
    model: Option<&str>,
    reading: &Reading<'_>,
) -> (bool, Option<Cost>) {
    let json = asked.custom_cost.as_ref();
    let custom = json.and_then(|json| Custom::read(json.as_bytes(), &mut asked.ignored));
    // Said once.
    asked.custom_cost = None;
    let is_served =
        answer.is_some_and(|answer| answer.rejection.is_none() && answer.status.is_success());
    if !is_served {
        return (false, None);
    }
    if let Some(cost) = custom.and_then(|custom| custom.cost(&reading.usage)) {
        return (true, Some(cost));
    }
    // Another name for it, in the body, may have a price of its own.
    if let Some(named) = named.filter(|_| context.asked_model().is_none()) {
        let tier = Tier::of(reading.service_tier, reading.latency_mode);
        let price = named.price.as_ref().zip(tier);
        return (
            false,
            price.and_then(|(price, tier)| price.cost(&reading.usage, tier)),
        );
    }
    let asked = cost::Asked {
        model,
        named: context.asked_model(),
        told: reading.model,
        region: place.region,
        is_mantle: place.is_mantle,
        service_tier: reading.service_tier,
        mode: reading.latency_mode,
    };
    (false, prices.cost(&asked, &reading.usage))
}

impl Observation {
    /// Says in the head of an answer what it cost, and why.
    pub(super) fn write_usage(&mut self, headers: &mut HeaderMap) {
        let Some(answer) = &mut self.answer else {
            return;
        };
        let Some(mut reader) = answer.reader.take() else {
            return;
        };
        let reading = reader.finish().in_all(&self.context);
        let place = Place::of(&self.context);
        // What is ignored is named in the record, which asks again.
        let mut asked = Asked {
            custom_cost: self
                .asked
                .as_ref()
                .and_then(|asked| asked.custom_cost.clone()),
            ..Asked::default()
        };
        let model = place.raw_model.map(decode);
        let (_, cost) = bill(
            &self.settings.prices,
            &mut asked,
            Some(answer),
            &self.context,
            (&place, None),
            model.as_deref(),
            &reading,
        );
        let usage = &reading.usage;
        for (name, count) in [
            (TOKENS_IN, usage.tokens_in()),
            (TOKENS_OUT, usage.output_tokens),
            (CACHE_READ, usage.cache_read_tokens),
            (CACHE_WRITE, usage.cache_write_tokens),
        ] {
            headers.remove(&name);
            if let Some(count) = count {
                let _ = headers.try_insert(name, count.into());
            }
        }
        headers.remove(COST);
        if let Some(Ok(cost)) = cost.map(|cost| HeaderValue::try_from(cost.to_string())) {
            let _ = headers.try_insert(COST, cost);
        }
        answer.reader = Some(reader);
    }
}
